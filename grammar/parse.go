package grammar

import (
	"io"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Parse reads one text without expanding it: includes, definitions and conditional lines are ordinary words. Every
// text has a tree; the list has the repairs that were needed to get one. Time and memory are linear in the text.
func Parse(src *source.Source) (*File, diag.List) {
	return parse(src, func(r *record) lines { return newTextLines(src, r) }, nil)
}

// maxSwaps is the number of braces that a text may lack if as many are superfluous elsewhere.
const maxSwaps = 2

// parse builds a tree of the lines that open returns. It reads them a second time if their braces do not match, or
// match and put blocks where they cannot be.
func parse(src *source.Source, open func(*record) lines, nests nesting) (*File, diag.List) {
	first := parseOnce(src, open, braces{}, nests)
	best := first
	if first.file.Room < roomFor(src)/2 {
		return best.file, best.findings // none is left for a second tree
	}
	if first.count != (braces{}) {
		// If the indentation is misleading, the first reading counts.
		if again := parseOnce(src, open, first.count, nests); again.count.missing <= first.count.missing && again.count.extra <= first.count.extra {
			best = again
		}
	}
	if nests == nil || !first.crooked {
		return best.file, best.findings
	}
	wrong := misplaced("", best.file.Stmts, nests)
	for n := 1; n <= maxSwaps && wrong > 0; n++ {
		budget := braces{first.count.missing + n, first.count.extra + n}
		again := parseOnce(src, open, budget, nests)
		if left := misplaced("", again.file.Stmts, nests); again.count == budget && left < wrong {
			best, wrong = again, left
		}
	}
	return best.file, best.findings
}

// misplaced counts the blocks that are where they cannot be.
func misplaced(outer string, stmts []*Stmt, nests nesting) int {
	n := 0
	for _, s := range stmts {
		if s.Block == nil {
			continue
		}
		if !nests(outer, s.Keyword()) {
			n++
		}
		n += misplaced(s.Keyword(), s.Block.Stmts, nests)
	}
	return n
}

// A reading is the result of one pass through a text.
type reading struct {
	file     *File
	findings diag.List
	count    braces
	crooked  bool // see balancer
}

func parseOnce(src *source.Source, open func(*record) lines, budget braces, nests nesting) reading {
	r := &record{room: roomFor(src)}
	p := &treeParser{in: newBalancer(open(r), r, budget, nests), record: r}
	p.parse()
	file := &File{Source: src, Stmts: p.stmts, Comments: r.comments, Includes: r.includes, Uses: r.uses, Random: r.random}
	file.Room = r.left()
	found := r.list()
	if p.in.count.missing > 0 && p.in.count.extra > 0 {
		unfixBraces(found)
	}
	return reading{file, found, p.in.count, p.in.crooked}
}

// unfixBraces removes the repairs of braces if one is missing and another is superfluous: together they move a brace,
// and the text does not say where it belongs.
func unfixBraces(found diag.List) {
	for i := range found {
		if rule := found[i].Rule; rule == "unclosed-block" || rule == "extra-brace" || rule == "stray-brace" {
			found[i].Fixes = nil
		}
	}
}

// A whole is a window as participle reads it: everything in it is in one block, because participle needs a kilobyte for
// each statement that it reads outside of one.
type whole struct {
	Block *Block `parser:"@@"`
}

// wholes is participle's parser. Building it takes a while.
var wholes = sync.OnceValue(func() *participle.Parser[whole] {
	return participle.MustBuild[whole](participle.Lexer(language{}))
})

// A treeParser makes the tree of a text, one window of tokens at a time: participle needs all tokens of a parse in
// memory, at 64 bytes each, and a text may have millions. Each window is a complete text to participle: a block that is
// open at its end is closed there, and opened again at the start of the next window. participle reads the structure;
// bind then adds the words and braces.
type treeParser struct {
	in     *balancer
	record *record
	room   int                 // how many tokens lex has
	lex    *lexer.PeekingLexer // the types of a window; each window reuses its memory
	rest   []token             // the tokens of the window that are not in the tree yet
	stmts  []*Stmt             // the tree
	open   []*Stmt             // the statements whose blocks the next window opens again, the innermost first
}

func (p *treeParser) parse() {
	for !p.in.over {
		p.rest = p.in.next()
		p.fill()
		window, err := wholes().ParseFromLexer(p.lex)
		if err != nil {
			p.unread() // the balancer makes nothing that the grammar rejects; but if it did, nobody would notice
			return
		}
		open := p.open
		p.open = nil
		p.bind(&p.stmts, window.Block.Stmts, open)
	}
}

// unread reports that the window and all after it are not in the tree.
func (p *treeParser) unread() {
	d := diag.Diagnostic{Rule: "limit-met", Severity: diag.Error, Message: "keepc cannot read on from here", Label: "the rest of the file is not read"}
	for _, t := range p.rest {
		if d.Span = t.span; len(t.words) > 0 {
			d.Span = t.words[0].Span
		}
		if !d.Span.IsZero() {
			break
		}
	}
	p.record.findings.List.Add(d) // in addition to the other findings
}

// fill writes the window into the lexer as one block, within the blocks that are open.
func (p *treeParser) fill() {
	if need := len(p.rest) + 3*maxDepth + 4; p.room < need { // a block takes two tokens before it and one after it
		p.room = need + need/2
		room := roomLexer(p.room)
		p.lex, _ = lexer.Upgrade(&room) // never returns an error
	}
	p.lex.LoadCheckpoint(lexer.Checkpoint{})
	w := window{tokens: p.lex.Range(0, lexer.RawCursor(p.room))[:0]}
	w.add(openType)
	for range p.open {
		w.add(lineType)
		w.add(openType)
	}
	for i := range p.rest {
		if kind := p.rest[i].kind; kind != end {
			w.add(kind.symbol())
		}
	}
	for len(w.around) > 0 {
		w.add(closeType)
	}
	w.add(lexer.EOF)
}

// A window is a list of token types. Pos.Line of an opening token is the number of statements in its block.
type window struct {
	tokens []lexer.Token
	around []int // the indexes of the opening tokens that are not closed yet
}

// add appends a token; there is room for it.
func (w *window) add(kind lexer.TokenType) {
	n, last := len(w.tokens), len(w.around)-1
	switch {
	case kind == openType:
		w.around = append(w.around, n)
	case kind == closeType:
		w.around = w.around[:last]
	case last >= 0:
		w.tokens[w.around[last]].Pos.Line++
	}
	w.tokens = w.tokens[:n+1]
	w.tokens[n].Type, w.tokens[n].Pos.Line = kind, 0
}

// bind gives statements the words and braces of their tokens, and appends them to those of a block. If blocks are open
// from the window before, the first statement is the outermost of these again, which is the last of open.
func (p *treeParser) bind(block *[]*Stmt, stmts, open []*Stmt) {
	for i, s := range stmts {
		if last := len(open) - 1; i == 0 && last >= 0 {
			inner := s.Block.Stmts
			s = open[last]
			p.bind(&s.Block.Stmts, inner, open[:last])
		} else {
			line := p.take()
			s.Words, s.rest = line.words, line.rest
			*block = append(*block, s)
			if s.Block == nil {
				continue
			}
			s.Block.Open = p.take().span
			inner := s.Block.Stmts
			s.Block.Stmts = inner[:0]
			p.bind(&s.Block.Stmts, inner, nil)
		}
		if len(p.rest) == 0 {
			p.open = append(p.open, s)
		} else {
			s.Block.Close = p.take().span
		}
	}
}

// take returns the next token of the window.
func (p *treeParser) take() *token {
	t := &p.rest[0]
	p.rest = p.rest[1:]
	return t
}

// Parse reads the structure of a statement and of its block. It implements participle's Parseable: tags take fifteen
// times as long, and a test compares both.
func (s *Stmt) Parse(lex *lexer.PeekingLexer) error {
	if lex.Peek().Type != lineType {
		return participle.NextMatch
	}
	lex.Next()
	if lex.Peek().Type != openType {
		return nil
	}
	s.Block = &Block{}
	return s.Block.Parse(lex)
}

// Parse reads the structure of a block, as that of a statement is read.
func (b *Block) Parse(lex *lexer.PeekingLexer) error {
	open := lex.Peek()
	if open.Type != openType {
		return participle.NextMatch
	}
	lex.Next()
	inner := make([]Stmt, open.Pos.Line)
	b.Stmts = make([]*Stmt, len(inner))
	for i := range inner {
		b.Stmts[i] = &inner[i]
		if err := inner[i].Parse(lex); err != nil {
			return err
		}
	}
	lex.Next()
	return nil
}

// The token types that the grammar names.
const (
	lineType lexer.TokenType = iota + 1
	openType
	closeType
)

func (k kind) symbol() lexer.TokenType {
	switch k {
	case words:
		return lineType
	case opening:
		return openType
	case closing:
		return closeType
	}
	return lexer.EOF
}

// A language names the tokens for participle.
type language struct{}

// Symbols implements participle's lexer.Definition.
func (language) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{"EOF": lexer.EOF, "Line": lineType, "Open": openType, "Close": closeType}
}

// Lex implements participle's lexer.Definition: a treeParser fills in the tokens.
func (language) Lex(string, io.Reader) (lexer.Lexer, error) { return new(roomLexer), nil }

// A roomLexer returns that many tokens without content.
type roomLexer int

// Next implements participle's lexer.Lexer.
func (b *roomLexer) Next() (lexer.Token, error) {
	if *b--; *b < 0 {
		return lexer.EOFToken(lexer.Position{}), nil
	}
	return lexer.Token{Type: lineType}, nil
}

// A slab keeps many short slices in few allocations.
type slab[T any] struct {
	open []T // the current slice, with free space after it
	size int
}

// add appends to the current slice.
func (s *slab[T]) add(item T) {
	s.grow()
	s.open = append(s.open, item)
}

// grow makes room for one more item.
func (s *slab[T]) grow() {
	if n := len(s.open); n == cap(s.open) {
		s.size = max(2*n, min(2*s.size, 1024), 8)
		s.open = append(make([]T, 0, s.size), s.open...)
	}
}

// take returns the current slice, nil if nothing was added, and starts the next one.
func (s *slab[T]) take() []T {
	n := len(s.open)
	if n == 0 {
		return nil
	}
	made := s.open[:n:n]
	s.open = s.open[n:]
	return made
}
