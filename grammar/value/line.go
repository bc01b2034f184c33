package value

import (
	"cmp"
	"errors"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// A Tunnel is what follows encap in a route: ip or ip6 with options, or mpls or ila with labels or a locator.
type Tunnel struct {
	IP      string         `parser:"@IP"`
	Options []TunnelOption `parser:"@@*"`
	Other   string         `parser:"| @Other"`
	Labels  string         `parser:"@(Word | Option | IP | Other)"`
}

// A TunnelOption is an option with its value.
type TunnelOption struct {
	Name  string `parser:"@Option"`
	Value string `parser:"@(Word | Option | IP | Other)"`
}

// ReadTunnel reads what is at the beginning of some words.
var ReadTunnel = inLine[Tunnel](map[string][]string{
	"IP": {"ip", "ip6"}, "Other": {"mpls", "ila"}, "Option": {"id", "dst", "src", "tos", "ttl", "tc", "hoplimit", "flags"},
})

// inLine returns a function that reads words by the tags of T. It returns how many words it read; false: the word with
// that number is wrong, or missing, and T has what is before it. It takes time for the words that it reads, not for all
// of them: participle makes tokens of everything that it gets, so it gets two, and twice as many if they were too few.
//
// The tags name the words of a line by kinds, all others Word.
func inLine[T any](kinds map[string][]string) func(words iter.Seq[string]) (t T, n int, ok bool) {
	tokens := newWordTokens(kinds)
	tags := sync.OnceValue(func() *participle.Parser[T] {
		return participle.MustBuild[T](participle.Lexer(tokens), participle.UseLookahead(0))
	})
	read := func(words []string) (t T, n int, ok bool) {
		peeking, err := lexer.Upgrade(&wordLexer{words: words, types: tokens.types})
		if err != nil {
			return t, 0, false
		}
		read, err := tags().ParseFromLexer(peeking, participle.AllowTrailing(true))
		if wrong := participle.Error(nil); errors.As(err, &wrong) {
			return *read, wrong.Position().Column, false
		}
		return *read, peeking.Cursor(), true
	}
	return func(words iter.Seq[string]) (t T, n int, ok bool) {
		for most := 2; ; most *= 2 {
			some := first(words, most)
			if t, n, ok = read(some); n < most {
				return t, n, ok
			}
		}
	}
}

// first returns at most n words, at least 1.
func first(words iter.Seq[string], n int) []string {
	some := make([]string, 0, n)
	for w := range words {
		if some = append(some, w); len(some) == n {
			break
		}
	}
	return some
}

// wordTokens are the kinds of the words of a line.
type wordTokens struct {
	symbols map[string]lexer.TokenType
	types   map[string]lexer.TokenType // by word; of others it is wordType
}

const wordType lexer.TokenType = 1

func newWordTokens(kinds map[string][]string) wordTokens {
	t := wordTokens{map[string]lexer.TokenType{"EOF": lexer.EOF, "Word": wordType}, map[string]lexer.TokenType{}}
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.symbols[kind] = wordType + 1 + lexer.TokenType(i)
		for _, word := range kinds[kind] {
			t.types[word] = t.symbols[kind]
		}
	}
	return t
}

// Symbols implements participle's lexer.Definition.
func (t wordTokens) Symbols() map[string]lexer.TokenType { return t.symbols }

// Lex implements participle's lexer.Definition. A wordLexer does its work.
func (t wordTokens) Lex(string, io.Reader) (lexer.Lexer, error) { return &wordLexer{}, nil }

// A wordLexer makes a token of each word; its column is the number of the word.
type wordLexer struct {
	words []string
	types map[string]lexer.TokenType
	next  int
}

// Next implements participle's lexer.Lexer.
func (l *wordLexer) Next() (lexer.Token, error) {
	at := lexer.Position{Column: l.next}
	if l.next == len(l.words) {
		return lexer.EOFToken(at), nil
	}
	l.next++
	word := l.words[at.Column]
	return lexer.Token{Type: cmp.Or(l.types[word], wordType), Value: word, Pos: at}, nil
}
