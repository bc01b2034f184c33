package grammar

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"keepc/grammar/source"
)

// The grammar of tree.go in participle's tags.
type (
	taggedFile struct {
		Stmts []*taggedStmt `parser:"@@*"`
	}
	taggedStmt struct {
		Words Words        `parser:"@Line"`
		Block *taggedBlock `parser:"@@?"`
	}
	taggedBlock struct {
		Stmts []*taggedStmt `parser:"Open @@* Close"`
	}
)

// plainStmts returns statements as the parser makes them.
func plainStmts(tagged []*taggedStmt) (all []*Stmt) {
	for _, t := range tagged {
		s := &Stmt{Words: t.Words}
		if t.Block != nil {
			s.Block = &Block{Stmts: plainStmts(t.Block.Stmts)}
		}
		all = append(all, s)
	}
	return all
}

// lexed returns the words as the value of a token: one below the other, for no word has a newline in it.
func (w Words) lexed() string {
	var texts []string
	for _, word := range w {
		texts = append(texts, word.Text)
	}
	return strings.Join(texts, "\n")
}

// Capture makes the words of a token's value; it implements participle's Capture.
func (w *Words) Capture(values []string) error {
	for text := range strings.SplitSeq(values[0], "\n") {
		*w = append(*w, Word{Text: text})
	}
	return nil
}

// UnmarshalText makes the word of its text. participle asks it of what is in a slice, and then captures the slice.
func (w *Word) UnmarshalText(text []byte) error {
	w.Text = string(text)
	return nil
}

// A taggedLanguage gives participle tokens with their words.
type taggedLanguage struct{ language }

// Lex implements participle's lexer.Definition.
func (taggedLanguage) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	return &tokenLexer{more: newBalancer(newTextLines(source.New(name, text), rec), rec, braces{}, nil)}, nil
}

// A tokenLexer gives participle what a balancer makes.
type tokenLexer struct {
	tokens []token
	more   *balancer
}

// Next implements participle's lexer.Lexer.
func (l *tokenLexer) Next() (lexer.Token, error) {
	if len(l.tokens) == 0 {
		l.tokens = l.more.next()
	}
	t := l.tokens[0]
	l.tokens = l.tokens[1:]
	return lexer.Token{Type: t.kind.symbol(), Value: t.words.lexed()}, nil
}

// buildTags builds participle's own parser of the tags.
func buildTags(t testing.TB) *participle.Parser[taggedFile] {
	tags, err := participle.Build[taggedFile](participle.Lexer(taggedLanguage{}))
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// agree fails if the parser and the tags read a text differently.
func agree(t testing.TB, tags *participle.Parser[taggedFile], text string) {
	t.Helper()
	slow, err := tags.ParseString("test.conf", text)
	if err != nil {
		t.Fatal(err)
	}
	fast := parseOnce(source.New("test.conf", []byte(text)), plain(text), braces{}, nil).file
	if by := outline(plainStmts(slow.Stmts)); by != outline(fast.Stmts) {
		t.Errorf("%q\ntags %s\nfast %s", text, by, outline(fast.Stmts))
	}
}

// The parser and the tags are the same grammar, also where a window ends anywhere in nested blocks.
func TestTagsAgree(t *testing.T) {
	tags := buildTags(t)
	nested := strings.Repeat("a {\n", maxDepth-1) + strings.Repeat("b\nc {\nd\n}\n", windowSize) + strings.Repeat("}\ne\n", maxDepth-1)
	for _, text := range []string{
		"", "a", "a b\nc { d { e\n f } }\n", "a {\n}\n{ b\n", "a {\n b }\n}\nc \"d", "a \"\"\n\"\"", strings.Repeat("a{b}}", 1000), string(directors(2, 200)), nested,
	} {
		agree(t, tags, text)
	}
	for n := range 12 { // the window ends at each place of a block
		agree(t, tags, strings.Repeat("x\n", windowSize-n)+"a {\nb {\nc\n}\nd\n}\ne {\n}\nf\n")
	}
}
