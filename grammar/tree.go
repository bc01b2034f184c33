// Package grammar reads the language of keepalived.conf: bytes to tree and back. It knows no keyword.
//
// The language is lines of words; a line may open a block. This is its whole syntax, over the tokens
// of lexer.go after balance.go has ended every statement and matched every brace:
//
//	File  = Stmt* .
//	Stmt  = Line Block? .
//	Block = Open Stmt* Close .
package grammar

import (
	"bytes"
	"sort"
	"strings"
	"sync"

	"keepc/grammar/source"
)

// A File is one configuration with its includes and definitions expanded.
type File struct {
	Source *source.Source
	Stmts  []*Stmt
	// Comments holds every comment that was read, in the order of reading.
	Comments []Comment
	// Includes holds every include line that was followed, in the order of reading.
	Includes []Include
	// Uses holds every use of a definition.
	Uses []Use
	// Room is the memory in bytes left for what is made from the statements; negative: not all were read.
	Room int
	// Random reports whether the text depends on ${_RANDOM}.
	Random bool

	again  func(*record) lines // reads the text again
	mu     sync.Mutex
	bodies map[*Block]texts // the statements outside blocks, under nil, and those of large blocks, for Around
}

// With returns the file with other statements, which it was understood to have.
func (f *File) With(stmts []*Stmt) *File {
	return &File{Source: f.Source, Stmts: stmts, Comments: f.Comments, Includes: f.Includes, Uses: f.Uses, Room: f.Room, Random: f.Random, again: f.again}
}

// A texts has statements by the texts that contain them.
type texts map[*source.Source][]*Stmt

// A Use is a use of a definition.
type Use struct {
	Definition source.Span    // its name
	Text       *source.Source // its value, as seen through the reference
}

// Places numbers the statements outside blocks in reading order. Their positions in a text do not tell: any may come
// from a definition or another file.
func (f *File) Places() map[*Stmt]int {
	places := make(map[*Stmt]int, len(f.Stmts))
	for i, s := range f.Stmts {
		places[s] = i
	}
	return places
}

// A Stmt is one line: words, and the block that the line opens, if any. It has at least one word.
type Stmt struct {
	Words Words
	Block *Block

	rest *string // what follows the first word, if an expansion made it differ from what the spans cover
}

// A Block is what is between { and }.
type Block struct {
	Open  source.Span
	Stmts []*Stmt
	Close source.Span // zero when the brace is missing
}

// Words are what is on a line before its brace, its end or its comment.
type Words []Word

// A Word is what the reference passes to its keywords: quotes are removed, definitions replaced.
type Word struct {
	Text string
	Span source.Span // as written, including quotes
}

// A Comment runs from # or ! to the end of its line.
type Comment struct {
	Text string // with the mark
	Span source.Span
	// Trailing reports whether the comment follows words or braces on its line.
	Trailing bool
}

// Keyword returns the first word.
func (s *Stmt) Keyword() string { return s.Words[0].Text }

// Args returns the words after the keyword.
func (s *Stmt) Args() []Word { return s.Words[1:] }

// Span covers the words of the line, not its block.
func (s *Stmt) Span() source.Span {
	return s.Words[0].Span.To(s.Words[len(s.Words)-1].Span)
}

// Text returns the file as it is read after all expansions, one statement per line: a text that is read the same way
// wherever it is. It contains the secrets of the file.
func (f *File) Text() []byte {
	var b bytes.Buffer
	writeStmts(&b, f.Stmts)
	return b.Bytes()
}

func writeStmts(b *bytes.Buffer, stmts []*Stmt) {
	for _, s := range stmts {
		b.WriteString(s.String())
		if s.Block != nil {
			b.WriteString(" {\n")
			writeStmts(b, s.Block.Stmts)
			b.WriteByte('}')
		}
		b.WriteByte('\n')
	}
}

// Find returns the last statement of the block with the keyword, which is the one that counts for a scalar; nil if
// there is none.
func (b *Block) Find(keyword string) *Stmt {
	if b == nil {
		return nil
	}
	for i := len(b.Stmts) - 1; i >= 0; i-- {
		if b.Stmts[i].Keyword() == keyword {
			return b.Stmts[i]
		}
	}
	return nil
}

// String returns the line as it is read after all expansions, on one line, without its block and comment.
func (s *Stmt) String() string {
	var b strings.Builder
	b.WriteString(s.Keyword())
	if strings.ContainsAny(s.Keyword(), blanks+`{}#!`) || s.Keyword() == "" {
		b.Reset()
		b.WriteString(`"` + s.Keyword() + `"`)
	}
	if rest := s.Rest(); strings.ContainsAny(rest, "\"'\\") {
		return b.String() + " " + rest // quotes and escapes mean different things to different keywords
	}
	for _, w := range s.Args() {
		b.WriteString(" " + w.Text)
	}
	return b.String()
}

// Walk calls visit for every statement in file order, with the number of blocks around it.
func Walk(stmts []*Stmt, visit func(s *Stmt, depth int)) { walk(stmts, 0, visit) }

func walk(stmts []*Stmt, depth int, visit func(*Stmt, int)) {
	for _, s := range stmts {
		visit(s, depth)
		if s.Block != nil {
			walk(s.Block.Stmts, depth+1, visit)
		}
	}
}

// Around returns the statements that contain a place, the outermost first. A place in an included file or in a
// definition is also in the blocks around the line that brings it in.
func (f *File) Around(at source.Span) (chain []*Stmt) {
	places := []source.Span{at}
	for src := at.Source; src != nil && !src.Via.IsZero(); src = src.Via.Source {
		places = append(places, src.Via)
	}
	for s := f.over(nil, places); s != nil; s = f.over(s.Block, places) {
		chain = append(chain, s)
		if s.Block == nil {
			return chain
		}
	}
	return chain
}

// manyStmts is the number of statements above which those of a block are looked up by their place.
const manyStmts = 64

// over returns the statement of a block that contains one of the places; nil: there is none. The block nil is the
// file.
func (f *File) over(b *Block, places []source.Span) *Stmt {
	if b != nil && len(b.Stmts) < manyStmts {
		return over(b.Stmts, places)
	}
	f.mu.Lock()
	body, known := f.bodies[b]
	if !known {
		if f.bodies == nil {
			f.bodies = map[*Block]texts{}
		}
		body = texts{}
		all := f.Stmts
		if b != nil {
			all = b.Stmts
		}
		for _, s := range all {
			text := s.Span().Source
			body[text] = append(body[text], s)
		}
		f.bodies[b] = body
	}
	f.mu.Unlock()
	for _, p := range places {
		all := body[p.Source]
		next := sort.Search(len(all), func(i int) bool { return all[i].Span().Start > p.Start })
		if s := over(all[max(0, next-1):next], places); s != nil {
			return s
		}
	}
	return nil
}

// over returns the statement that contains one of the places; nil: there is none.
func over(stmts []*Stmt, places []source.Span) *Stmt {
	for _, s := range stmts {
		at := s.Span()
		if s.Block != nil && !s.Block.Close.IsZero() {
			at = at.To(s.Block.Close)
		}
		for _, p := range places {
			if p.Source == at.Source && at.Start <= p.Start && p.Start <= at.End {
				return s
			}
		}
	}
	return nil
}
