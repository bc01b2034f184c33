package value

import (
	"strconv"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// A Range is two numbers, as 100-200; of a single number Last is nil.
type Range struct {
	First Decimal  `parser:"@Number"`
	Last  *Decimal `parser:"('-' @Number)?"`
}

// A Decimal is a number that is decimal also with a leading 0.
type Decimal uint32

// UnmarshalText reads the number; participle calls it.
func (d *Decimal) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 32)
	*d = Decimal(n)
	return err
}

// A Mark is a firewall mark, as 0x10/0xff; Mask is nil without one. A number may be octal or hexadecimal.
type Mark struct {
	Value uint32  `parser:"@Number"`
	Mask  *uint32 `parser:"('/' @Number)?"`
}

// Realms is a realm, or two, as 3/7; each is a number or a name.
type Realms struct {
	First  string `parser:"@Realm"`
	Second string `parser:"('/' @Realm)?"`
}

// A Time is a number with its unit, as 50ms or 1.5secs.
type Time struct {
	Number float64 `parser:"@Number"`
	Milli  bool    `parser:"(@Milliseconds"`
	Whole  bool    `parser:"| @Seconds)"`
}

// The languages of single words. A word that is not of the language is none: false.
var (
	ReadRange = inWord[Range](
		lexer.SimpleRule{Name: "Number", Pattern: `\d+`},
		lexer.SimpleRule{Name: "Sign", Pattern: `-`})
	ReadMark = inWord[Mark](
		lexer.SimpleRule{Name: "Number", Pattern: `\w+`},
		lexer.SimpleRule{Name: "Sign", Pattern: `/`})
	ReadRealms = inWord[Realms](
		lexer.SimpleRule{Name: "Realm", Pattern: `[^/]+`},
		lexer.SimpleRule{Name: "Sign", Pattern: `/`})
	ReadTime = inWord[Time](
		lexer.SimpleRule{Name: "Number", Pattern: `[\d.]+`},
		lexer.SimpleRule{Name: "Milliseconds", Pattern: `[mM][sS]([eE][cC][sS]?)?`},
		lexer.SimpleRule{Name: "Seconds", Pattern: `[sS]([eE][cC][sS]?)?`})
)

// inWord returns a function that reads a word by the tags of T. It builds participle's parser, which takes a while,
// for the first word.
func inWord[T any](tokens ...lexer.SimpleRule) func(word string) (T, bool) {
	tags := sync.OnceValue(func() *participle.Parser[T] {
		return participle.MustBuild[T](participle.Lexer(lexer.MustSimple(tokens)))
	})
	return func(word string) (t T, ok bool) {
		if len(word) > longest {
			return t, false
		}
		read, err := tags().ParseString("", word)
		if err != nil {
			return t, false
		}
		return *read, true
	}
}
