package schema

import (
	"iter"
	"slices"
	"strings"
	"unsafe"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A reader reads the statements of one file by the table.
type reader struct {
	found  diag.Bounded
	inside []frame // the open blocks, outermost first
	seen   []int32 // a stack with one window per open block: for each row, the number of its statement, from 1

	line           // the line being read
	option Keyword // key, if it is only a word of the line

	table      []*Keyword      // the whole table, for suggestions
	homes      map[string]home // of its words; nil: not asked for yet
	version    string          // of the keepalived that will read the file; empty: any
	literal    bool            // nothing is read as it was meant
	own        bool            // the file is for keepc: nothing is reported about keepalived
	provisions map[string]bool // versions and build options that have been reported
	place      *place          // of the block being read; nil: top level
	top        place
	uses       []ir.Use
	atStart    []ir.StartSetting
	named      map[string]string // the lists that the names of the blocks so far belong in
	secrets    []source.Span
	commands   []*ir.Command
	failed     int           // lines that could not be read to their end
	guesses    int           // lines with an unknown word whose meaning was guessed
	room       int           // memory left for values, in bytes
	full       bool          // none is left, and this has been reported
	conflict   bool          // between the markers of a merge conflict
	understood *grammar.Stmt // the block that was just read, if it was understood differently; see withContent
	jointed    source.Span   // the end of the last line that was split into several
}

// A frame is an open block.
type frame struct {
	key   *Keyword
	stmt  *grammar.Stmt
	spare []grammar.Word // words before its brace that do not belong there
	lacks *Keyword       // the required keyword that the block lacks because of them
}

// A place is a keyword of the table that the file uses.
type place struct {
	path  string
	below []*place // by the rows of its block; nil: not used
}

// used records that the current line has the keyword of a row of the block at a place, and returns the place of the
// keyword.
func (r *reader) used(block *place, row, rows int, key *Keyword) *place {
	if block == nil {
		block = &r.top
	}
	if block.below == nil {
		block.below = make([]*place, rows)
	}
	p := block.below[row]
	if p == nil {
		p = &place{path: strings.TrimPrefix(block.path+"."+key.Word, ".")}
		block.below[row] = p
		if key.Current() {
			r.uses = append(r.uses, ir.Use{Path: p.path, Span: r.stmt.Span()})
		}
	}
	return p
}

// A line is the words of one statement and how far they are read.
type line struct {
	key  *Keyword
	stmt *grammar.Stmt
	rest []grammar.Word

	quotes bool        // single quotes quote here, as in scripts
	single source.Span // words in single quotes that have been reported
}

// read reads the head and the content of the block that the current statement opens. It reports whether the head could
// be read: without it the block means nothing, but its content is checked all the same.
func (b *Block[T]) read(r *reader, t *T) bool {
	key, s := r.key, r.stmt
	good := r.take(int(unsafe.Sizeof(*t))+linkCost, s)
	o, hasOrigin := any(t).(origin)
	if hasOrigin {
		o.SetOrigin(s)
	}
	if b.head.read != nil {
		good = b.head.read(r, t) && good
	}
	if list := lists[key.Word]; list != "" && len(r.inside) == 0 && len(s.Words) == 2 {
		if r.named == nil {
			r.named = map[string]string{}
		}
		r.named[s.Words[1].Text] = list
	}
	f := frame{key: key, stmt: s}
	if good && (s.Block == nil || !s.Block.Open.IsZero()) {
		f.spare = r.rest
	}
	if s.Block != nil {
		r.inside = append(r.inside, f)
		content := b.statements(r, s.Block.Stmts, t)
		f = r.inside[len(r.inside)-1]
		r.inside = r.inside[:len(r.inside)-1]
		if s = r.withContent(s, content); s != f.stmt && hasOrigin {
			o.SetOrigin(s)
		}
	}
	r.line = line{key: key, stmt: s, rest: f.spare}
	r.headEnds(f.lacks, b.candidates)
	return good
}

// withContent returns a statement whose block has the content as it was understood, and keeps it for the block around
// it: the statement itself unless they differ, for the tree that is read does not change.
func (r *reader) withContent(s *grammar.Stmt, content []*grammar.Stmt) *grammar.Stmt {
	if sameStmts(content, s.Block.Stmts) {
		return s
	}
	understood, block := *s, *s.Block
	understood.Block, block.Stmts = &block, content
	r.understood = &understood
	return r.understood
}

// sameStmts reports whether two lists are the same one.
func sameStmts(a, b []*grammar.Stmt) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// statements reads the content of a block and returns it as it was understood, for later readers of the tree: the list
// itself, or a copy of it.
func (b *Block[T]) statements(r *reader, stmts []*grammar.Stmt, t *T) []*grammar.Stmt {
	read := stmts
	set := func(i int, s *grammar.Stmt) {
		if sameStmts(stmts, read) && len(stmts) > 0 {
			stmts = slices.Clone(stmts)
		}
		stmts[i] = s
	}
	base, here := len(r.seen), r.place
	r.seen = append(r.seen, make([]int32, len(b.rows))...)
	for i := 0; i < len(stmts); i++ {
		s, opened := stmts[i], i
		if !r.take(valueCost, s) {
			return stmts[:i]
		}
		n, ok := b.index.find(s.Keyword())
		if r.literal && (!ok || !b.rows[n].Current()) {
			r.unknown(s)
			continue
		}
		if !ok || !r.literal && b.namesBlock(&b.rows[n], s) {
			if s, n, ok = b.understand(r, s, stmts[i+1:]); !ok {
				continue
			}
			set(i, s)
		}
		row := &b.rows[n]
		if row.Keyword.Instead != "" {
			r.line = line{key: row.Keyword, stmt: s, rest: s.Words[1:]}
			r.remarks()
			s = renamed(s, row.Keyword.Instead)
			n, _ = b.index.find(row.Keyword.Instead)
			row = &b.rows[n]
			set(i, s)
		}
		seen := &r.seen[base+b.setting(n)]
		if *seen == 0 {
			*seen = int32(i + 1)
		} else if !row.Keyword.Repeat {
			r.duplicate(row.Keyword, stmts[*seen-1], s)
			if row.Keyword.First {
				continue
			}
		} else if row.Lines != "" && len(r.inside) > 0 {
			r.reportSecond(row.Keyword, stmts[*seen-1], s)
		}
		if !r.literal && s.Block == nil && (len(s.Words) == 1 || row.Block) && i+1 < len(stmts) {
			if meant := b.split(r, row, s, stmts[i+1]); meant != nil {
				s = meant
				set(i, s)
				stmts = slices.Delete(stmts, i+1, i+2)
			}
		}
		if row.Block && !r.literal {
			meant, more := b.opens(r, row.Keyword, s, stmts[i+1:])
			if meant != s {
				s = meant
				set(i, s)
			}
			opened, i = i, i+more
		}
		r.line = line{key: row.Keyword, stmt: s, rest: s.Words[1:]}
		if !b.plain[n] || r.version != "" {
			r.remarks()
		}
		r.place = r.used(here, n, len(b.rows), row.Keyword)
		r.understood = nil
		row.read(r, t)
		if r.understood != nil {
			set(opened, r.understood)
			r.understood = nil
		}
		r.place = here
		if !row.Block {
			r.line.key, r.line.stmt = row.Keyword, s
			if one, two := b.joined(r, s); two != nil && !r.literal && !r.found.Full(diag.Error) {
				stmts = slices.Insert(slices.Clip(stmts), i+1, two)
				stmts[i] = one
			} else {
				r.lineEnds()
			}
		}
	}
	for _, n := range b.required {
		if row := &b.rows[n]; r.seen[base+n] == 0 && (r.literal || !meantInside(stmts, row.Keyword) && !b.meansOne(r, stmts, row)) {
			r.lacking(row.Keyword)
		}
	}
	r.seen = r.seen[:base]
	return stmts
}

// The memory that values take, in bytes, including what rules record about them: a line, an element of a list, and a
// block that others may name.
const (
	valueCost = 32
	entryCost = 160
	linkCost  = 256
)

// take reserves memory for what a statement makes. It returns false if none is left, and reports that once.
func (r *reader) take(n int, s *grammar.Stmt) bool {
	if r.room < 0 {
		return false
	}
	if r.room -= n; r.room >= 0 {
		return true
	}
	if !r.full {
		r.full = true
		r.found.List.Add(grammar.LimitMet("blocks", s.Span())) // in addition to the other findings
	}
	return false
}

// lacking reports a keyword that the innermost open block lacks, unless a finding about what is before its brace, or
// instead of it, says so already.
func (r *reader) lacking(key *Keyword) {
	if len(r.inside) == 0 || r.literal {
		r.missingKeyword(key)
		return
	}
	switch f := &r.inside[len(r.inside)-1]; {
	case len(f.spare) > 0:
		f.lacks = key
	case f.stmt.Block.Open.IsZero() && len(f.stmt.Block.Stmts) == 0: // no block at all
	default:
		r.missingKeyword(key)
	}
}

// meantInside reports whether some lines of a block should be in a block of the keyword, which is missing.
func meantInside(stmts []*grammar.Stmt, key *Keyword) bool {
	return key.Block && slices.ContainsFunc(stmts, func(s *grammar.Stmt) bool {
		return slices.ContainsFunc(key.Words, func(k *Keyword) bool { return k.Required && k.Word == s.Keyword() })
	})
}

// setting returns the row that a row's setting belongs to: its own row, or that of the other keyword for it.
func (b *Block[T]) setting(n int) int {
	if same := b.rows[n].Keyword.Same; same != "" {
		n, _ = b.index.find(same)
	}
	return n
}

// without returns the statements that follow a block keyword without a brace and belong to the block: those that the
// enclosing block does not know.
func (b *Block[T]) without(key *Keyword, rest []*grammar.Stmt) []*grammar.Stmt {
	lines := key.Lines != "" // what follows may be lines of a block without keywords
	for i, s := range rest {
		if _, outside := b.index.find(s.Keyword()); outside {
			return rest[:i]
		}
		n := slices.IndexFunc(key.Words, func(k *Keyword) bool { return k.Word == meant(s, key.Words) })
		switch {
		case key.Lines != "":
		case n >= 0:
			lines = key.Words[n].Lines != "" && s.Block == nil
		case !lines:
			return rest[:i]
		}
	}
	return rest
}

// readEntries calls read for each line of the block that the current statement opens.
func (r *reader) readEntries(read func()) {
	key, s := r.key, r.stmt
	if s.Block == nil {
		return
	}
	if !s.Block.Open.IsZero() {
		r.headEnds(key, nil)
	}
	r.inside = append(r.inside, frame{key: key, stmt: s})
	entries := s.Block.Stmts
	if !r.literal {
		entries = r.unlisted(entries)
	}
	for i, e := range entries {
		if !r.take(valueCost, e) {
			break
		}
		if meant := e; !r.literal {
			if meant = r.undashed(e); meant != e {
				if sameStmts(entries, s.Block.Stmts) {
					entries = slices.Clone(entries)
				}
				e, entries[i] = meant, meant
			}
		}
		r.line = line{key: key, stmt: e, rest: e.Words}
		if r.leftover(e) {
			continue
		}
		if e.Block != nil {
			r.unexpectedBlock("the lines of " + key.Word + " take no block")
		}
		read()
	}
	r.inside = r.inside[:len(r.inside)-1]
	r.withContent(s, entries)
}

// read reads one entry: its subject and its options. It reports whether the subject was present.
func (e *Entry[T]) read(r *reader, t *T) bool {
	key, subject, before := r.key, e.options.head.read == nil, r.found.Added()
	if !r.take(int(2*unsafe.Sizeof(*t))+entryCost, r.stmt) { // a growing list reserves more
		return false
	}
	if o, ok := any(t).(origin); ok {
		o.SetOrigin(r.stmt)
	}
	base := len(r.seen)
	defer func() { r.seen = r.seen[:base] }()
	r.seen = append(r.seen, make([]int32, len(e.options.rows))...)
	for len(r.rest) > 0 {
		failed := r.failed
		if n, ok := e.options.index.find(r.peek()); ok && (subject || e.whole != nil) {
			drops := e.strict || e.options.rows[n].Keyword.Drops
			e.readOption(r, n, &r.seen[base+e.options.setting(n)], t)
			r.key = key
			if r.literal && drops && r.failed > failed {
				return false
			}
			continue
		}
		if subject {
			rest := r.rest[1:]
			r.unknownOption(e.name, r.rest[0], e.options.candidates())
			if r.literal && e.strict {
				return false
			}
			if r.literal { // the bare word is ignored
				r.rest = rest
				continue
			}
			break
		}
		if subject = e.options.head.read(r, t); !subject {
			return false
		}
	}
	switch {
	case e.whole != nil && e.whole(t), e.whole == nil && (subject || e.options.head.expect == ""):
		return true
	case r.found.Added() == before: // otherwise an option hides the subject
		r.missingSubject(e.name, e.options.head.expect)
	}
	return false
}

// preset reads a default of the table as if it were in the file.
func (r *reader) preset(key *Keyword, read func(*reader)) {
	r.line = lineOf(key, defaultLine(key))
	read(r)
}

// word returns the next word of the line; if there is none, it reports what is missing.
func (r *reader) word(expect string) (grammar.Word, bool) {
	w, ok := r.optional()
	if !ok {
		r.missingValue(expect)
	}
	return w, ok
}

// optional returns the next word of the line, if any.
func (r *reader) optional() (grammar.Word, bool) {
	if len(r.rest) > 1 && r.rest[0].Text == "=" && !r.literal {
		r.equalsSign(r.rest[0], r.rest[1])
		r.rest = r.rest[1:]
	}
	if len(r.rest) == 0 {
		return grammar.Word{}, false
	}
	w := r.clean(r.rest[0])
	if strings.HasPrefix(w.Text, "'") && !r.quotes && r.single.IsZero() {
		r.singleQuotes(r.rest)
	}
	r.rest = r.rest[1:]
	r.unfilledValue(w)
	return w, true
}

// texts are the texts of the words that are left, as optional would return them one after another. It reports nothing.
func (r *reader) texts() iter.Seq[string] {
	rest := r.rest
	return func(yield func(string) bool) {
		for i := 0; i < len(rest); i++ {
			if i+1 < len(rest) && rest[i].Text == "=" && !r.literal {
				i++
			}
			if !yield(r.bare(rest[i].Text)) {
				return
			}
		}
	}
}

// peek returns the text of the next word, or "".
func (r *reader) peek() string {
	if len(r.rest) == 0 {
		return ""
	}
	return r.rest[0].Text
}

// where names the innermost open block, such as "vrrp_instance VI_1".
func (r *reader) where() string {
	if len(r.inside) == 0 {
		return "the file"
	}
	f := r.inside[len(r.inside)-1]
	return r.name(f.key, f.stmt)
}

// name names a block by its keyword and what is before its brace.
func (r *reader) name(key *Keyword, s *grammar.Stmt) string {
	words := []string{key.Word}
	for _, w := range s.Args() {
		words = append(words, r.text(w))
	}
	return strings.Join(words, " ")
}

// path is the path from the root of the table to a keyword in the innermost open block.
func (r *reader) path(key *Keyword) string {
	var b strings.Builder
	for _, f := range r.inside {
		b.WriteString(f.key.Word + ".")
	}
	return b.String() + key.Word
}
