// Package schema is the table of keywords: the one place that knows them. A row binds a word to a field of the typed
// configuration; decoding, ranges, suggestions, defaults, "keepc explain" and the masking of secrets all come from the
// rows.
//
// To add a keyword, add a line to its block (files table_*.go). What relates several keywords is not a row but a rule
// of package lint.
package schema

import (
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// A Keyword is what the table says about a word, except where its value goes.
type Keyword struct {
	Word   string
	Expect string     // what follows the word, as in "expected 1..255"; empty: nothing
	Text   string     // one plain sentence
	Block  bool       // opens a block
	Bare   bool       // the block may be omitted
	Alone  bool       // with more words before its brace keepalived drops the whole block
	Lines  string     // each line of the block is such an entry, as "address line"; empty: a block of keywords
	Words  []*Keyword // the keywords of the block, or the options of its entries

	Default    string // in the syntax of the file; preset in every new block
	Otherwise  string // the default in words, where it depends on other lines
	Required   bool
	Drops      bool   // keepalived drops the whole line if it cannot read the value of this option
	Vital      bool   // keepalived exits or crashes if the block has no value for it
	Repeat     bool   // may appear more than once
	First      bool   // of several lines the first counts, not the last
	Refused    string // of an option: what keepalived does, and reports, when it appears twice on a line; empty: the last one counts
	Same       string // another keyword of the block for the same setting
	Since      string // the first version of keepalived that knows it; empty: 2.0.0 or earlier
	Deprecated string // the word to write instead, or advice
	Removed    string // the last version of keepalived that knew it
	Instead    string // keepalived does not know the word here; this is the one
	Foreign    string // keepalived never knew it; this program does
	Build      string // the build option that it needs
	Secret     bool   // its value is never shown
	Reload     Reload // how a changed value takes effect
	Note       string // a surprise worth knowing
	Copied     bool   // an instance copies it when its block opens
	Kernel     bool   // becomes a setting of a kernel object and is shown in a plan
}

// Current reports whether keepalived knows the word at this place.
func (k *Keyword) Current() bool { return k.Removed == "" && k.Instead == "" && k.Foreign == "" }

// Reload says how a changed value takes effect.
type Reload int

const (
	Live    Reload = iota // by a reload
	Restart               // only by a restart
)

// A Row is one line of the table, for blocks whose content is a T.
type Row[T any] struct {
	*Keyword
	read func(*reader, *T)
	init func(*T) // sets the value that applies without the block; nil: nothing
	// show returns the settings that the lines with the keyword make in a block that holds t, where unset holds the
	// values that nothing has set; nil: the lines show themselves.
	show func(t, unset *T, lines []*grammar.Stmt) view
}

// The modifiers below say what is special about a row. Each sets one field of the Keyword.

func (w Row[T]) Default(value string) Row[T]      { w.Keyword.Default = value; return w }
func (w Row[T]) Otherwise(text string) Row[T]     { w.Keyword.Otherwise = text; return w }
func (w Row[T]) Required() Row[T]                 { w.Keyword.Required = true; return w }
func (w Row[T]) Drops() Row[T]                    { w.Keyword.Drops = true; return w }
func (w Row[T]) Vital() Row[T]                    { w.Keyword.Vital = true; return w }
func (w Row[T]) Bare() Row[T]                     { w.Keyword.Bare = true; return w }
func (w Row[T]) Alone() Row[T]                    { w.Keyword.Alone = true; return w }
func (w Row[T]) Repeat() Row[T]                   { w.Keyword.Repeat = true; return w }
func (w Row[T]) First() Row[T]                    { w.Keyword.First = true; return w }
func (w Row[T]) Refused(what string) Row[T]       { w.Keyword.Refused = what; return w }
func (w Row[T]) Same(word string) Row[T]          { w.Keyword.Same = word; return w }
func (w Row[T]) Since(version string) Row[T]      { w.Keyword.Since = version; return w }
func (w Row[T]) Deprecated(instead string) Row[T] { w.Keyword.Deprecated = instead; return w }
func (w Row[T]) Removed(last string) Row[T]       { w.Keyword.Removed = last; return w }
func (w Row[T]) Instead(word string) Row[T]       { w.Keyword.Instead = word; return w }
func (w Row[T]) Foreign(program string) Row[T]    { w.Keyword.Foreign = program; return w }
func (w Row[T]) Build(option string) Row[T]       { w.Keyword.Build = option; return w }
func (w Row[T]) Secret() Row[T]                   { w.Keyword.Secret = true; return w }
func (w Row[T]) Reload(r Reload) Row[T]           { w.Keyword.Reload = r; return w }
func (w Row[T]) Note(text string) Row[T]          { w.Keyword.Note = text; return w }
func (w Row[T]) Kernel() Row[T]                   { w.Keyword.Kernel = true; return w }

// Copied marks a value of global_defs that an instance copies when its block opens.
func (w Row[T]) Copied() Row[T] {
	w.Keyword.Copied = true
	return w.Note(strings.TrimSpace(w.Keyword.Note + " " + orderTrap))
}

// Value is a keyword whose value is stored in a field.
func Value[T, V any](word string, k Kind[V], at func(*T) *V, text string) Row[T] {
	key := &Keyword{Word: word, Expect: k.Expect, Text: text}
	return Row[T]{
		Keyword: key,
		read: func(r *reader, t *T) {
			if v, ok := k.read(r); ok {
				*at(t) = v
			}
		},
		show: showValue(key, at),
	}
}

// Add is a keyword whose values are appended to a list, wherever it appears.
func Add[T, V any](word string, k Kind[[]V], at func(*T) *[]V, text string) Row[T] {
	key := &Keyword{Word: word, Expect: k.Expect, Text: text, Repeat: true}
	return Row[T]{
		Keyword: key,
		read: func(r *reader, t *T) {
			if v, ok := k.read(r); ok {
				*at(t) = append(*at(t), v...)
			}
		},
		show: showValue(key, at),
	}
}

// Checked is a keyword that no current keepalived acts on: its value is checked and stored nowhere.
func Checked[T, V any](word string, k Kind[V], text string) Row[T] {
	key := &Keyword{Word: word, Expect: k.Expect, Text: text}
	return Row[T]{Keyword: key, read: func(r *reader, _ *T) { k.read(r) }, show: showChecked[T](key, k)}
}

// misnamed is a wrong word that people write for a setting; a line with it is read as if it had the right word.
func misnamed[T any](word, instead string) Row[T] {
	key := &Keyword{Word: word, Text: "No word of keepalived.", Repeat: true}
	row := Row[T]{Keyword: key, read: func(*reader, *T) {}, show: func(_, _ *T, _ []*grammar.Stmt) view { return view{} }}
	return row.Instead(instead)
}

// With is a keyword whose value is an entry: a subject followed by options.
func With[T, U any](word string, e *Entry[U], at func(*T) *U, text string) Row[T] {
	return Row[T]{
		Keyword: &Keyword{Word: word, Expect: e.options.head.expect, Text: text, Words: e.options.keywords()},
		read:    func(r *reader, t *T) { e.read(r, at(t)) },
	}
}

// Nested is a block whose content is stored in a part of T.
func Nested[T, U any](word string, b *Block[U], at func(*T) *U, text string) Row[T] {
	key := b.keyword(word, text)
	return Row[T]{
		Keyword: key,
		read:    func(r *reader, t *T) { b.read(r, at(t)) },
		init:    func(t *T) { *at(t) = b.proto },
		show:    showNested(key, b, at),
	}
}

// Part is a block whose content is stored in a part of T that exists only with the block.
func Part[T, U any](word string, b *Block[U], at func(*T) **U, text string) Row[T] {
	key := b.keyword(word, text)
	return Row[T]{
		Keyword: key,
		read: func(r *reader, t *T) {
			u := b.fresh()
			b.read(r, u)
			*at(t) = u
		},
		show: showPart(key, b, at),
	}
}

// Each is a block that adds an element to a list wherever it appears.
func Each[T, U any](word string, b *Block[U], at func(*T) *[]*U, text string) Row[T] {
	key := b.keyword(word, text)
	row := Row[T]{
		Keyword: key,
		show:    showEach(key, b, at),
		read: func(r *reader, t *T) {
			u := b.fresh()
			if b.read(r, u) {
				*at(t) = append(*at(t), u)
			}
		},
	}
	row.Keyword.Repeat = true
	return row
}

// Lines is a block with one entry per line.
func Lines[T, U any](word string, e *Entry[U], at func(*T) *[]U, text string) Row[T] {
	key := &Keyword{Word: word, Text: text, Block: true, Lines: e.name, Words: e.options.keywords(), Repeat: true}
	return Row[T]{
		Keyword: key,
		show:    showLines[T](key, e),
		read: func(r *reader, t *T) {
			r.readEntries(func() {
				u := e.options.proto
				if e.read(r, &u) {
					*at(t) = append(*at(t), u)
				}
			})
		},
	}
}

// Skipped is a block that no current keepalived reads; keepc does not read it either.
func Skipped[T any](word, text string) Row[T] {
	return Row[T]{Keyword: &Keyword{Word: word, Text: text, Block: true, Lines: "unread line", Repeat: true}, read: func(*reader, *T) {},
		show: func(_, _ *T, _ []*grammar.Stmt) view { return view{} }}
}

// Names is a block of names: every word of every line is a name.
func Names[T any](word string, at func(*T) *[]ir.Name, text string) Row[T] {
	key := &Keyword{Word: word, Text: text, Block: true, Lines: "list of names"}
	return Row[T]{
		Keyword: key,
		show:    showNames[T](key),
		read: func(r *reader, t *T) {
			r.readEntries(func() {
				for w, ok := r.optional(); ok && r.take(entryCost, r.stmt); w, ok = r.optional() {
					r.listed(w)
					*at(t) = append(*at(t), ir.Name{Text: w.Text, Span: w.Span})
				}
			})
		},
	}
}

// A Block is the keywords between { and }, or the options of an entry, whose content is stored in a T.
type Block[T any] struct {
	head  Head[T]
	proto T // what a new T holds before its first line is read
	rows  []Row[T]
	index index // of the keywords of the rows

	own func(*T) // gives a copy of proto the parts that it must not share; nil: there are none

	required []int  // the rows that are required
	plain    []bool // the rows without remarks
}

// block assembles a Block. proto holds what the defaults of rows cannot express, such as "not set".
func block[T any](head Head[T], proto T, rows ...Row[T]) *Block[T] {
	b := &Block[T]{head: head, proto: proto, rows: rows, plain: make([]bool, len(rows))}
	var words []string
	for i, row := range rows {
		words = append(words, row.Word)
		b.plain[i] = row.Current() && row.Keyword.Deprecated == "" && row.everywhere()
		if row.Keyword.Required {
			b.required = append(b.required, i)
		}
		if row.init != nil {
			row.init(&b.proto)
		}
		if row.Keyword.Default != "" {
			(&reader{room: grammar.Room}).preset(row.Keyword, func(r *reader) { row.read(r, &b.proto) })
		}
	}
	b.index = indexOf(words)
	return b
}

func (b *Block[T]) fresh() *T {
	t := b.proto
	if b.own != nil {
		b.own(&t)
	}
	return &t
}

func (b *Block[T]) keyword(word, text string) *Keyword {
	return &Keyword{Word: word, Expect: b.head.expect, Text: text, Block: true, Words: b.keywords()}
}

func (b *Block[T]) keywords() []*Keyword {
	words := make([]*Keyword, len(b.rows))
	for i, row := range b.rows {
		words[i] = row.Keyword
	}
	return words
}

// A Head reads the words between the keyword of a block and its brace. The zero Head expects none.
type Head[T any] struct {
	expect string
	read   func(*reader, *T) bool // false: without them the block means nothing
}

// head is a Head whose value is stored in a field.
func head[T, V any](k Kind[V], at func(*T) *V) Head[T] {
	return Head[T]{expect: k.Expect, read: func(r *reader, t *T) bool {
		v, ok := k.read(r)
		if ok {
			*at(t) = v
		}
		return ok
	}}
}

// An Entry is a line with a small language of its own: a subject, which the head of the options reads, followed by
// options in any order. If an option may contain the subject, options may also come before it.
type Entry[T any] struct {
	name    string // "address line"
	options *Block[T]
	strict  bool          // keepalived drops the line for any word that it cannot read
	whole   func(*T) bool // reports whether the subject is present, if an option may contain it; nil: the head decides
}

func entry[T any](name string, subject Head[T], proto T, options ...Row[T]) *Entry[T] {
	return &Entry[T]{name: name, options: block(subject, proto, options...)}
}

// allOrNothing says that keepalived drops the line for any word that it cannot read.
func (e *Entry[T]) allOrNothing() *Entry[T] {
	e.strict = true
	return e
}

// mustHave says when an entry is complete.
func (e *Entry[T]) mustHave(whole func(*T) bool) *Entry[T] {
	e.whole = whole
	return e
}

// origin is implemented by every part of the configuration that remembers its line.
type origin interface{ SetOrigin(*grammar.Stmt) }
