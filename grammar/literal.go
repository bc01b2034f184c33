package grammar

import (
	"slices"
	"sort"

	"keepc/grammar/diag"
)

// Nesting describes how the reference nests blocks.
type Nesting struct {
	// Opens reports whether a keyword opens a block in another block; "" is the file.
	Opens func(outer, word string) bool
	// Lists reports whether a keyword begins a list, which continues up to its closing brace even if no brace opens
	// it.
	Lists func(outer, word string) bool
	// Apart reports whether a block of the file is for a different process than most are. Each process skips the
	// blocks of the other one by their braces, without looking at their content.
	Apart func(word string) bool
}

// Literal reads the same text again, as the reference reads it and not as it was meant: a brace that follows no
// keyword of a block is ignored, and a closing brace ends the open block. So what comes after a block with an unknown
// name is lost. The findings are those about lines, definitions and includes; there are none about braces.
func (f *File) Literal(ref Nesting) (*File, diag.List) {
	r := &record{room: roomFor(f.Source)}
	in := newBalancer(f.again(r), r, braces{}, nil)
	in.literal = true
	var tokens []token
	for !in.over {
		tokens = append(tokens, in.next()...)
	}
	n := nester{Nesting: ref, tokens: tokens}
	n.pass(false)
	n.pass(true)
	sort.SliceStable(n.found, func(i, j int) bool { return n.found[i].at < n.found[j].at })
	file := &File{Source: f.Source, Comments: r.comments, Includes: r.includes, Uses: r.uses, Random: r.random, again: f.again}
	for _, p := range n.found {
		file.Stmts = append(file.Stmts, p.stmt)
	}
	file.Room = r.left()
	return file, r.list()
}

// A nester builds the tree that the processes of the reference see.
type nester struct {
	Nesting
	tokens []token
	found  []placed
}

// A placed is a statement of the file with its position.
type placed struct {
	stmt *Stmt
	at   int // of its token
}

// pass reads what one process reads: that of the blocks apart, or the other one.
func (n *nester) pass(apart bool) {
	var open []*Stmt
	for i := 0; i < len(n.tokens); i++ {
		switch t := n.tokens[i]; {
		case t.kind == closing && len(open) > 0:
			open[len(open)-1].Block.Close = t.span
			open = open[:len(open)-1]
		case t.kind != words:
		case len(open) == 0 && n.Apart(t.words[0].Text) != apart:
			i = n.skip(i)
		default:
			s, outer := &Stmt{Words: t.words, rest: t.rest}, ""
			if len(open) > 0 {
				in := open[len(open)-1]
				in.Block.Stmts = append(in.Block.Stmts, s)
				outer = in.Keyword()
			} else {
				n.found = append(n.found, placed{s, i})
			}
			switch next := n.tokens[i+1]; {
			case next.kind == opening && n.Opens(outer, s.Keyword()):
				s.Block = &Block{Open: next.span}
				open = append(open, s)
				i++
			case next.kind != opening && n.Lists(outer, s.Keyword()):
				s.Block = &Block{}
				open = append(open, s)
			}
		}
	}
}

// skip returns the last token of the statement that begins with a token: its closing brace, if it has a block.
func (n *nester) skip(i int) int {
	if n.tokens[i+1].kind != opening {
		return i
	}
	depth := 0
	behind := slices.IndexFunc(n.tokens[i+1:], func(t token) bool {
		switch t.kind {
		case opening:
			depth++
		case closing:
			depth--
		}
		return depth == 0
	})
	if behind < 0 {
		return len(n.tokens) - 1
	}
	return i + 1 + behind
}
