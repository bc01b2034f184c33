package schema

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/source"
)

// A Setting is the outcome of a keyword in a configuration: the value in force, and whether its own line, another line
// or the table sets it. A block is a setting with others inside.
type Setting struct {
	Key   *Keyword
	Name  string      // of a block: what is before its brace; of an entry: its subject
	Value string      // as a person writes it; empty: not set; "(hidden)": a secret
	Span  source.Span // the last line that sets it; zero: none does
	Part  any         // the part of the configuration that a block makes, such as *ir.VRRPInstance; nil: none

	inside func(room []Setting) []Setting // of a block, of which there may be 100,000: computed when needed
	secret ir.Secret
}

// Inside lists the settings of a block, in the memory of a list that is no longer needed; nil: in a new one.
func (s Setting) Inside(room []Setting) []Setting {
	if s.inside == nil {
		return nil
	}
	return s.inside(room[:0])
}

// Same reports whether two settings have the same value; two secrets are compared, too.
func (s Setting) Same(o Setting) bool { return s.Value == o.Value && s.secret == o.secret }

// Settings lists the outcome of all keywords of the table for a file and the configuration made from it. A value that
// the file writes equals the same value by default, and so do two words for one setting.
func Settings(cfg *ir.Config, file *grammar.File) []Setting {
	return root.settings(nil, cfg, file.Stmts)
}

// A view is what a row shows of a block.
type view struct {
	settings []Setting
	one      Setting // the setting of a row with a field; most have one, and it needs no list
	field    any     // the address of the value; rows with the same address are names of one setting
}

// settings adds the rows of a block that holds t and was read from the statements to an empty list.
func (b *Block[T]) settings(list []Setting, t *T, stmts []*grammar.Stmt) []Setting {
	written := byKeyword(stmts)
	now, unset := *t, b.proto // copies, because an accessor may create what it is asked for
	var room [32]fieldAt      // few blocks have more
	fields := room[:0]        // a map would be slower for so few
	list = slices.Grow(list, len(b.rows))
	for i := range b.rows {
		row := &b.rows[i]
		lines := written(row.Word)
		if row.show == nil {
			list = append(list, asWritten(row.Keyword, lines)...)
			continue
		}
		v := row.show(&now, &unset, lines)
		if k := slices.IndexFunc(fields, func(p fieldAt) bool { return p.field == v.field }); v.field != nil && k >= 0 {
			first := &list[fields[k].at]
			if len(lines) > 0 && (first.Span.IsZero() || first.Span.Before(lines[len(lines)-1].Span())) {
				first.Span = lines[len(lines)-1].Span()
			}
			continue
		}
		if v.field != nil {
			fields = append(fields, fieldAt{v.field, len(list)})
			list = append(list, v.one)
		}
		list = append(list, v.settings...)
	}
	return list
}

// A fieldAt is where the setting of a field is in a list.
type fieldAt struct {
	field any
	at    int
}

// byKeyword returns the function that finds the statements with a keyword.
func byKeyword(stmts []*grammar.Stmt) func(word string) []*grammar.Stmt {
	const few = 8
	if len(stmts) <= few {
		return func(word string) (lines []*grammar.Stmt) {
			for _, s := range stmts {
				if s.Keyword() == word {
					lines = append(lines, s)
				}
			}
			return lines
		}
	}
	written := make(map[string][]*grammar.Stmt, few)
	for _, s := range stmts {
		written[s.Keyword()] = append(written[s.Keyword()], s)
	}
	return func(word string) []*grammar.Stmt { return written[word] }
}

// showValue shows a field.
func showValue[T, V any](key *Keyword, at func(*T) *V) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(t, unset *T, lines []*grammar.Stmt) view {
		p := at(t)
		s := valueOf(key, *p, lines)
		if len(lines) == 0 && key.Default == "" && !isBool(*p) && reflect.DeepEqual(*p, *at(unset)) {
			s.Value = "" // a zero that means nothing
		}
		return view{one: s, field: p}
	}
}

// showChecked shows a value without a field: that of its line, or the default.
func showChecked[T, V any](key *Keyword, k Kind[V]) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(_, _ *T, lines []*grammar.Stmt) view {
		switch {
		case len(lines) == 0 && key.Repeat:
			return view{}
		case len(lines) == 0 && key.Default == "":
			if k.Expect == "" {
				return view{settings: []Setting{{Key: key, Value: onOff(false)}}}
			}
			return view{settings: []Setting{{Key: key}}}
		case len(lines) == 0:
			s := readAgain(key, k, defaultLine(key))
			s.Span = source.Span{}
			return view{settings: []Setting{s}}
		case !key.Repeat:
			return view{settings: []Setting{readAgain(key, k, lines[len(lines)-1])}}
		}
		var v view
		for _, line := range lines {
			s := readAgain(key, k, line)
			if s.secret.IsZero() {
				s.Name, s.Value = s.Value, "" // each is a separate setting
			}
			v.settings = append(v.settings, s)
		}
		return v
	}
}

// readAgain reads a line only for its value.
func readAgain[V any](key *Keyword, k Kind[V], s *grammar.Stmt) Setting {
	r := &reader{room: grammar.Room, line: lineOf(key, s)}
	v, ok := k.read(r)
	if !ok {
		return asWritten(key, []*grammar.Stmt{s})[0]
	}
	return valueOf(key, v, []*grammar.Stmt{s})
}

// showNested shows a block that appears once, if it appears.
func showNested[T, U any](key *Keyword, b *Block[U], at func(*T) *U) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(t, _ *T, lines []*grammar.Stmt) view {
		inner := at(t)
		s := Setting{Key: key, Span: last(lines), inside: func(room []Setting) []Setting { return b.settings(room, inner, content(lines)) }}
		return view{settings: []Setting{s}}
	}
}

// showEach shows the blocks that made the elements of a list.
func showEach[T, U any](key *Keyword, b *Block[U], at func(*T) *[]*U) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(t, _ *T, _ []*grammar.Stmt) (v view) {
		for _, u := range *at(t) {
			o, ok := any(u).(interface{ Line() *grammar.Stmt })
			if !ok || o.Line() == nil || o.Line().Keyword() != key.Word {
				continue // of a different row
			}
			line := o.Line()
			if v.settings == nil {
				v.settings = make([]Setting, 0, len(*at(t)))
			}
			v.settings = append(v.settings, Setting{
				Key: key, Name: words(line), Span: line.Span(), Part: u,
				inside: func(room []Setting) []Setting { return b.settings(room, u, content([]*grammar.Stmt{line})) },
			})
		}
		return v
	}
}

// showPart shows a block that makes a part of the configuration.
func showPart[T, U any](key *Keyword, b *Block[U], at func(*T) **U) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(t, _ *T, lines []*grammar.Stmt) view {
		u := *at(t)
		if u == nil {
			return view{}
		}
		s := Setting{Key: key, Span: last(lines), Part: u, inside: func(room []Setting) []Setting { return b.settings(room, u, content(lines)) }}
		return view{settings: []Setting{s}}
	}
}

// showLines shows the entries of blocks: the subject, and the rest of the line as its value.
func showLines[T, U any](key *Keyword, e *Entry[U]) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(_, _ *T, lines []*grammar.Stmt) (v view) {
		for _, line := range content(lines) {
			s := Setting{Key: key, Name: line.Keyword(), Value: words(line), Span: line.Span()}
			if _, option := e.options.index.find(line.Keyword()); option {
				s.Name, s.Value = line.Keyword()+" "+words(line), ""
			}
			v.settings = append(v.settings, s)
		}
		return v
	}
}

// showNames shows every word of a block.
func showNames[T any](key *Keyword) func(t, unset *T, lines []*grammar.Stmt) view {
	return func(_, _ *T, lines []*grammar.Stmt) (v view) {
		for _, line := range content(lines) {
			for _, w := range line.Words {
				v.settings = append(v.settings, Setting{Key: key, Name: w.Text, Span: w.Span})
			}
		}
		return v
	}
}

// asWritten shows lines by their words.
func asWritten(key *Keyword, lines []*grammar.Stmt) (list []Setting) {
	for _, line := range lines {
		s := Setting{Key: key, Span: line.Span()}
		switch {
		case key.Secret:
			s.Value, s.secret = hidden, ir.NewSecret(words(line))
		case key.Block:
			s.Name = words(line)
			s.inside = func(inside []Setting) []Setting {
				for _, entry := range content([]*grammar.Stmt{line}) {
					inside = append(inside, entryAsWritten(key, entry)...)
				}
				return inside
			}
		case len(line.Args()) == 0:
			s.Value = onOff(true)
		default:
			s.Value = words(line)
		}
		list = append(list, s)
	}
	return list
}

// entryAsWritten shows a line of a block: a keyword of it, or an entry that is only a name.
func entryAsWritten(key *Keyword, entry *grammar.Stmt) []Setting {
	lines := []*grammar.Stmt{entry}
	for _, k := range key.Words {
		if k.Word == entry.Keyword() && key.Lines == "" {
			return asWritten(k, lines)
		}
	}
	return []Setting{{Key: key, Name: strings.TrimSpace(entry.Keyword() + " " + words(entry)), Span: entry.Span()}}
}

func lineOf(key *Keyword, s *grammar.Stmt) line { return line{key: key, stmt: s, rest: s.Words[1:]} }

// last is the place of the last of some lines.
func last(lines []*grammar.Stmt) source.Span {
	if len(lines) == 0 {
		return source.Span{}
	}
	return lines[len(lines)-1].Span()
}

// content returns the lines in some blocks.
func content(lines []*grammar.Stmt) (stmts []*grammar.Stmt) {
	for _, line := range lines {
		if line.Block != nil {
			stmts = append(stmts, line.Block.Stmts...)
		}
	}
	return stmts
}

// words is what follows the keyword of a line.
func words(s *grammar.Stmt) string {
	var list []string
	for _, w := range s.Args() {
		list = append(list, w.Text)
	}
	return strings.Join(list, " ")
}

// valueOf writes a value as a person does; a value that can be written in several ways is written as on its line.
func valueOf(key *Keyword, v any, lines []*grammar.Stmt) Setting {
	s := Setting{Key: key, Span: last(lines)}
	if secret, ok := v.(ir.Secret); ok {
		if s.secret = secret; !secret.IsZero() {
			s.Value = hidden
		}
		return s
	}
	text, ok := write(v)
	switch {
	case ok:
		s.Value = text
	case len(lines) > 0:
		s.Value = words(lines[len(lines)-1])
	}
	return s
}

// write writes a value of the configuration; false: there is no single way to write it.
func write(v any) (string, bool) {
	switch v := v.(type) {
	case bool:
		return onOff(v), true
	case string:
		return v, true
	case []string:
		return strings.Join(v, " "), true
	case time.Duration:
		return timeText(v), true
	case interface{ IsValid() bool }: // of netip
		if !v.IsValid() {
			return "", true
		}
		return fmt.Sprint(v), true
	case ir.Command:
		return strings.TrimSpace(strings.Join(v.Args, " ") + " " + account(v.User)), true
	case ir.User:
		return account(v), true
	case ir.Weight:
		if v.Reverse {
			return strconv.Itoa(v.N) + " reverse", true
		}
		return strconv.Itoa(v.N), true
	case fmt.Stringer:
		if x := reflect.ValueOf(v); x.Kind() == reflect.Pointer && x.IsNil() {
			return "", true
		}
		return v.String(), true
	}
	switch x := reflect.ValueOf(v); x.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint, reflect.Float64, reflect.String:
		return fmt.Sprint(v), true
	case reflect.Pointer:
		if x.IsNil() {
			return "", true
		}
		return write(x.Elem().Interface())
	}
	return "", false
}

func account(u ir.User) string { return strings.TrimSpace(u.Name + " " + u.Group) }

func isBool(v any) bool { _, ok := v.(bool); return ok }

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// timeText writes a time with its unit: milliseconds below a second. Unset is empty.
func timeText(d time.Duration) string {
	switch {
	case d == ir.Unset:
		return ""
	case d != 0 && d < time.Second:
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + "ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

// defaultLine is the line that would set the default of the table.
func defaultLine(key *Keyword) *grammar.Stmt {
	s := &grammar.Stmt{Words: []grammar.Word{{Text: key.Word}}}
	for _, f := range strings.Fields(key.Default) {
		s.Words = append(s.Words, grammar.Word{Text: f})
	}
	return s
}
