package grammar

import (
	"io"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Parse reads one text as it stands: includes, definitions and conditional lines are words like all others. Every text
// has a tree; what had to be repaired to get one is in the list. Time and memory are linear in the text.
func Parse(src *source.Source) (*File, diag.List) {
	return parse(src, func(r *record) lines { return newTextLines(src, r) })
}

// parse makes a tree of the lines that open gives, and opens them again when their braces do not match.
func parse(src *source.Source, open func(*record) lines) (*File, diag.List) {
	file, list, count := parseOnce(src, open, braces{})
	if count == (braces{}) {
		return file, list
	}
	again, better, recount := parseOnce(src, open, count)
	if recount.missing > count.missing || recount.extra > count.extra {
		return file, list // the indentation was misleading
	}
	return again, better
}

func parseOnce(src *source.Source, open func(*record) lines, budget braces) (*File, diag.List, braces) {
	r := &record{}
	p := &treeParser{in: newBalancer(open(r), r, budget)}
	file := &File{Source: src, Stmts: p.parse(), Comments: r.comments, Includes: r.includes}
	return file, r.findings.List, p.in.count
}

// A treeParser is the fast way through the grammar of tree.go, as a rule that participle calls. A test holds it against
// the tags, which alone are ten times slower.
//
// participle wants all tokens of a parse in memory, at 64 bytes each. They come in windows instead: one parse reads the
// statements that start in one window, and the last of them, if it is longer, fetches the windows that follow.
type treeParser struct {
	in  *balancer
	lex *lexer.PeekingLexer // the tokens of in.window

	// What a statement has so far, before it moves into memory of the right size.
	words   []Word
	stmts   []*Stmt
	wordMem slab[Word]
	listMem slab[*Stmt]
	stmtMem slab[Stmt]
	blocks  slab[Block]
}

// A part of a file is the statements that start in one window.
type part struct {
	Stmts stmts `parser:"@@"`
}

// stmts holds a []*Stmt; participle wants an interface for the type of a rule.
type stmts any

func (p *treeParser) parse() []*Stmt {
	var all []*Stmt
	parser := participle.MustBuild[part](participle.Lexer(language{}), participle.ParseTypeWith(p.part))
	for p.refill(); len(p.in.window) > 0; {
		parsed, err := parser.ParseFromLexer(p.lex)
		if err != nil {
			break // not reachable: the balancer makes nothing that the grammar rejects
		}
		all = append(all, parsed.Stmts.([]*Stmt)...)
		if p.lex.Peek().EOF() {
			p.refill()
		}
	}
	return all
}

// part is the rule for part.Stmts.
func (p *treeParser) part(lex *lexer.PeekingLexer) (stmts, error) {
	p.lex = lex
	p.stmts = p.stmts[:0]
	for p.lex == lex && !lex.Peek().EOF() {
		s := p.stmt()
		p.stmts = append(p.stmts, s)
	}
	return p.stmts, nil
}

func (p *treeParser) stmt() *Stmt {
	p.words = p.words[:0]
	for p.peek() == word {
		t := p.next()
		p.words = append(p.words, Word{Text: t.text, Span: t.span})
	}
	s := p.stmtMem.one()
	s.Words = p.wordMem.keep(p.words)
	t := p.next()
	s.rest = t.rest
	if t.kind == opening {
		s.Block = p.blocks.one()
		s.Block.Open = t.span
		first := len(p.stmts)
		for p.peek() == word {
			inner := p.stmt()
			p.stmts = append(p.stmts, inner)
		}
		s.Block.Stmts = p.listMem.keep(p.stmts[first:])
		p.stmts = p.stmts[:first]
		s.Block.Close = p.next().span
	}
	return s
}

// peek returns the kind of the next token; that of an end when there is none.
func (p *treeParser) peek() kind {
	if p.lex.Peek().EOF() {
		p.refill()
		if len(p.in.window) == 0 {
			return end
		}
	}
	return p.in.window[p.lex.RawCursor()].kind
}

func (p *treeParser) next() token {
	if p.peek(); len(p.in.window) == 0 {
		return token{kind: end}
	}
	t := p.in.window[p.lex.RawCursor()]
	p.lex.Next()
	return t
}

// refill fetches the next window. participle's own lexer stays at the end of the old one.
func (p *treeParser) refill() {
	p.in.fill()
	p.lex, _ = lexer.Upgrade(&windowLexer{tokens: p.in.window}) // its lexer returns no error
}

// The token types that the grammar names.
const (
	wordType lexer.TokenType = iota + 1
	openType
	closeType
	endType
)

// A language gives participle the balanced tokens of a text.
type language struct{}

// Symbols implements participle's lexer.Definition.
func (language) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{"EOF": lexer.EOF, "Word": wordType, "Open": openType, "Close": closeType, "End": endType}
}

// Lex implements participle's lexer.Definition.
func (language) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	return &windowLexer{refill: newBalancer(newTextLines(source.New(name, text), rec), rec, braces{})}, nil
}

// A windowLexer gives participle the tokens of one window, or of all when it has a balancer to make more.
type windowLexer struct {
	tokens []token
	refill *balancer
}

// Next implements participle's lexer.Lexer.
func (l *windowLexer) Next() (lexer.Token, error) {
	if len(l.tokens) == 0 && l.refill != nil {
		l.refill.fill()
		l.tokens = l.refill.window
	}
	if len(l.tokens) == 0 {
		return lexer.EOFToken(lexer.Position{}), nil
	}
	t := l.tokens[0]
	l.tokens = l.tokens[1:]
	return lexer.Token{Type: t.kind.symbol(), Value: t.text, Pos: lexer.Position{Offset: int(t.span.Start)}}, nil
}

func (k kind) symbol() lexer.TokenType {
	switch k {
	case opening:
		return openType
	case closing:
		return closeType
	case end:
		return endType
	}
	return wordType
}

// A slab keeps many short slices in few allocations.
type slab[T any] struct {
	free []T
	size int
}

// keep returns a copy of the items; nil when there are none.
func (s *slab[T]) keep(items []T) []T {
	if len(items) == 0 {
		return nil
	}
	if len(items) > len(s.free) {
		s.size = max(len(items), min(2*s.size, 1024), 8)
		s.free = make([]T, s.size)
	}
	n := copy(s.free, items)
	kept := s.free[:n:n]
	s.free = s.free[n:]
	return kept
}

// one returns a new zero item.
func (s *slab[T]) one() *T {
	var zero [1]T
	return &s.keep(zero[:])[0]
}
