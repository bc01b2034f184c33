package grammar

import (
	"io"
	"slices"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Parse reads one text as it stands: includes, definitions and conditional lines are words like all others. Every text
// has a tree; what had to be repaired to get one is in the list. Time and memory are linear in the text.
func Parse(src *source.Source) (*File, diag.List) {
	return parse(src, func(r *record) lines { return newTextLines(src, r) }, nil)
}

// maxSwaps is how many braces a text may lack and have too many elsewhere, so that they match.
const maxSwaps = 2

// parse makes a tree of the lines that open gives, and opens them again when their braces do not match, or match and put blocks where
// they cannot stand.
func parse(src *source.Source, open func(*record) lines, nests nesting) (*File, diag.List) {
	first := parseOnce(src, open, braces{}, nests)
	best := first
	if first.file.Room < roomFor(src)/2 {
		return best.file, best.findings // there is none for a second tree
	}
	if first.count != (braces{}) {
		// Where the indentation is misleading, the first reading counts.
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

// misplaced counts the blocks that cannot stand where they do.
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

// A reading is what one way through a text finds.
type reading struct {
	file     *File
	findings diag.List
	count    braces
	crooked  bool // see balancer
}

func parseOnce(src *source.Source, open func(*record) lines, budget braces, nests nesting) reading {
	r := &record{room: roomFor(src)}
	p := &treeParser{in: newBalancer(open(r), r, budget, nests)}
	file := &File{Source: src, Stmts: p.parse(), Comments: r.comments, Includes: r.includes, Uses: r.uses}
	file.Room = r.left()
	found := r.list()
	if p.in.count.missing > 0 && p.in.count.extra > 0 {
		unfixBraces(found)
	}
	return reading{file, found, p.in.count, p.in.crooked}
}

// unfixBraces takes the repairs of braces away where one is missing and another one is too many: both together move a brace, and where
// it belongs the text does not say.
func unfixBraces(found diag.List) {
	for i := range found {
		if rule := found[i].Rule; rule == "unclosed-block" || rule == "extra-brace" || rule == "stray-brace" {
			found[i].Fixes = nil
		}
	}
}

// A treeParser is the fast way through the grammar of tree.go, as a rule that participle calls. A test holds it against
// the tags, which alone are fifteen times slower.
//
// participle wants all tokens of a parse in memory, at 64 bytes each. It gets a window of them at a time, each written over
// the one before it.
type treeParser struct {
	in     *balancer
	window []token
	lex    *lexer.PeekingLexer // has the types of the tokens in the window
	token  *token              // the one that lex is at

	pending []*Stmt // what the open blocks have so far, the outermost first
	stmts   slab[Stmt]
	blocks  slab[Block]
}

// A body is what stands in a file.
type body struct {
	Stmts stmts `parser:"@@"`
}

// stmts holds a []*Stmt; participle wants an interface for the type of a rule.
type stmts any

func (p *treeParser) parse() []*Stmt {
	parser := participle.MustBuild[body](participle.Lexer(language{}), participle.ParseTypeWith(p.body))
	room := append(slices.Repeat([]token{{kind: words}}, windowSize), token{kind: end})
	lex, _ := lexer.Upgrade(&tokenLexer{tokens: room}) // which returns no error
	parsed, err := parser.ParseFromLexer(lex)
	if err != nil {
		return nil // not reachable: the balancer makes nothing that the grammar rejects
	}
	return parsed.Stmts.([]*Stmt)
}

// body is the rule for body.Stmts.
func (p *treeParser) body(lex *lexer.PeekingLexer) (stmts, error) {
	p.lex = lex
	p.refill()
	p.content()
	return p.pending, nil
}

// content reads the statements up to the end of their block, which become pending.
func (p *treeParser) content() {
	for p.token.kind == words {
		s := p.stmt()
		p.pending = append(p.pending, s)
	}
}

func (p *treeParser) stmt() *Stmt {
	s := p.stmts.one()
	s.Words, s.rest = p.token.words, p.token.rest
	p.advance()
	if p.token.kind == opening {
		s.Block = p.block()
	}
	return s
}

func (p *treeParser) block() *Block {
	b := p.blocks.one()
	b.Open = p.token.span
	p.advance()
	outer := len(p.pending)
	p.content()
	b.Stmts = append(b.Stmts, p.pending[outer:]...)
	p.pending = p.pending[:outer]
	b.Close = p.token.span
	p.advance()
	return b
}

// advance moves to the next token.
func (p *treeParser) advance() {
	p.lex.Next()
	if n := int(p.lex.RawCursor()); n < len(p.window) {
		p.token = &p.window[n]
	} else {
		p.refill()
	}
}

// refill moves to the first token of the next window. What participle gives for a range of tokens is its own memory.
func (p *treeParser) refill() {
	p.window = p.in.next()
	p.token = &p.window[0]
	types := p.lex.Range(0, windowSize)
	for i := range p.window {
		types[i].Type = p.window[i].kind.symbol()
	}
	p.lex.LoadCheckpoint(lexer.Checkpoint{})
}

// The token types that the grammar names.
const (
	lineType lexer.TokenType = iota + 1
	openType
	closeType
)

// A language gives participle the balanced tokens of a text.
type language struct{}

// Symbols implements participle's lexer.Definition.
func (language) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{"EOF": lexer.EOF, "Line": lineType, "Open": openType, "Close": closeType}
}

// Lex implements participle's lexer.Definition.
func (language) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	rec := &record{}
	return &tokenLexer{more: newBalancer(newTextLines(source.New(name, text), rec), rec, braces{}, nil)}, nil
}

// A tokenLexer gives participle tokens, and after these what a balancer makes.
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
	return lexer.Token{Type: t.kind.symbol(), Value: t.words.lexed(), Pos: lexer.Position{Offset: int(t.span.Start)}}, nil
}

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

// A slab keeps many short slices in few allocations.
type slab[T any] struct {
	open []T // the slice that is being made, and room behind it
	size int
}

// add appends to the slice that is being made.
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

// take returns the slice; nil when nothing was added. The next one starts.
func (s *slab[T]) take() []T {
	n := len(s.open)
	if n == 0 {
		return nil
	}
	made := s.open[:n:n]
	s.open = s.open[n:]
	return made
}

// one returns a new zero item.
func (s *slab[T]) one() *T {
	s.grow()
	item := &s.open[:1][0]
	s.open = s.open[1:1]
	return item
}
