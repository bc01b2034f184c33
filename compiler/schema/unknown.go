package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// understand reports a statement whose keyword the block does not know. If it is plain what was meant, it returns the
// statement to read instead and the row to read it by, so that one mistake has one finding. rest is what follows in
// the block.
func (b *Block[T]) understand(r *reader, s *grammar.Stmt, rest []*grammar.Stmt) (*grammar.Stmt, int, bool) {
	if r.found.Full(diag.Error) {
		return nil, 0, false
	}
	if first := r.clean(s.Words[0]); first.Text != s.Keyword() {
		var words []grammar.Word
		for _, f := range strings.Fields(first.Text) {
			words = append(words, grammar.Word{Text: f, Span: first.Span})
		}
		if len(words) == 0 {
			return nil, 0, false
		}
		s = &grammar.Stmt{Words: append(words, s.Words[1:]...), Block: s.Block}
		if n, ok := b.index.find(s.Keyword()); ok {
			return s, n, true
		}
	}
	if r.leftover(s) {
		return nil, 0, false
	}
	if t := r.undashed(s); t != s {
		n, ok := b.index.find(t.Keyword())
		return t, n, ok
	}
	if slices.ContainsFunc(foreignComments, func(c string) bool { return strings.HasPrefix(s.Keyword(), c) && s.Keyword() != "---" }) {
		r.slashes(s.Words[0], diag.Error, "an unknown keyword")
		return nil, 0, false
	}
	if t, ok := b.glued(r, s); ok {
		n, ok := b.index.find(t.Keyword())
		return t, n, ok
	}
	word, kind := s.Keyword(), "keyword"
	if s.Block != nil {
		kind = "block"
	}
	d := diag.Diagnostic{
		Rule: "unknown-keyword", Severity: diag.Error, Kind: diag.Word,
		Message: fmt.Sprintf("unknown %s %q in %s", kind, r.text(s.Words[0]), r.where()),
		Span:    s.Words[0].Span,
		Label:   "keepalived does not know this word",
	}
	if name, _, ok := strings.Cut(s.Words[0].Span.Text(), "="); ok { // a definition without its $
		d.Spoils = []diag.Spoil{{Text: "$" + name, Kinds: diag.Reference}}
	}
	report := func() {
		if d.Rule == "unknown-keyword" && len(d.Fixes) == 0 {
			d.Spoils = append(d.Spoils, b.hides(r, s)...)
		}
		r.report(d)
	}
	switch {
	case r.own:
		d.Label = "expected " + or(b.candidates())
	case s.Block != nil:
		d.Notes, d.Loss = r.lost(s.Block, rest), diag.DropsBlock
	}
	if s.Block == nil && !r.own && r.directive(s, &d) {
		report()
		return nil, 0, false
	}
	best, sure := diag.Suggest(word, near(s, b.keywords()))
	if n, known := b.index.find("vrrp_" + word); known && b.rows[n].Block == (s.Block != nil) {
		best, sure = "vrrp_"+word, true
	}
	n, fits := b.index.find(best)
	if sure && b.rows[n].fits(s) {
		d.Label = fmt.Sprintf("did you mean %q?", best)
		bare := len(s.Words) == 1 && s.Block == nil && !b.rows[n].needsNone() // its value is a part of the word: keepalived would exit because of the repair
		if !r.newer(b.rows[n].Keyword) && !changesRun(best) && !bare {
			d.Fixes = []diag.Fix{replace(s.Words[0].Span, best)}
		}
		report()
		return renamed(s, best), n, true
	}
	if n, ok := b.byContent(s); ok && !isBlock(r.table, word) {
		best := b.rows[n].Word
		d.Label = fmt.Sprintf("did you mean %q?", best) // only by its content: it may have been renamed to turn it off
		report()
		return renamed(s, best), n, true
	}
	if home := r.home(word); len(home.blocks) > 0 {
		d.Rule, d.Kind = "misplaced-keyword", diag.Misplaced
		d.Message = fmt.Sprintf("%s does not belong in %s", word, r.where())
		d.Label = "valid inside " + or(home.blocks)
		if here := b.twin(word); here != "" {
			d.Label = fmt.Sprintf("the word here is %q", here)
		}
		d.Notes = append(d.Notes, r.provisos(home.path...)...)
	} else if instead, in := misnamedIn(r.table, word); instead != "" {
		d.Label = fmt.Sprintf("the word is %q, inside %s", instead, in)
	} else if fits {
		d.Label = fmt.Sprintf("did you mean %q?", best)
		d.Notes = append(d.Notes, r.provisos(b.rows[n].Keyword)...)
	} else if list := b.listOf(r, s); list != "" {
		d.Label, d.Help = fmt.Sprintf("expected inside %s { }", list), fmt.Sprintf("put the line into %s { }", list)
	}
	report()
	return nil, 0, false
}

// changesRun reports whether a keyword decides who runs scripts or whether another daemon starts. Its misspelling
// never had an effect: repairing it changes what runs, which only a person should do.
func changesRun(word string) bool {
	switch word {
	case "enable_script_security", "script_user", "user", "net_namespace", "net_namespace_ipvs":
		return true
	}
	return strings.HasPrefix(word, "lvs_sync_daemon") || strings.HasPrefix(word, "enable_dbus") || strings.HasPrefix(word, "enable_snmp")
}

// unknown reports a statement whose keyword the block does not know, and nothing else about it.
func (r *reader) unknown(s *grammar.Stmt) {
	r.report(diag.Diagnostic{
		Rule: "unknown-keyword", Severity: diag.Error,
		Message: fmt.Sprintf("unknown keyword %q in %s", r.text(s.Words[0]), r.where()),
		Span:    s.Words[0].Span,
		Label:   "keepalived does not know this word",
	})
}

// twin is the word of the block for a setting that has a longer or shorter name in another block; empty: there is
// none.
func (b *Block[T]) twin(word string) string {
	short := strings.TrimPrefix(word, "vrrp_")
	for _, name := range []string{"vrrp_" + word, short, short + "_mode"} {
		if n, known := b.index.find(name); known && name != word && b.rows[n].Current() {
			return name
		}
	}
	if _, known := b.index.find("lvs_sync_daemon"); known && strings.HasPrefix(word, "lvs_sync_daemon") {
		return "lvs_sync_daemon"
	}
	return ""
}

// listOf is the list of the block that a line with a single unknown word belongs in, by what the word is: an address,
// the name of a script or file defined above, or, in a sync group, a member; empty: none.
func (b *Block[T]) listOf(r *reader, s *grammar.Stmt) string {
	if s.Block != nil || r.own || len(r.inside) == 0 {
		return ""
	}
	list := ""
	switch word := s.Keyword(); {
	case isAddress(word):
		list = "virtual_ipaddress"
	case r.named[word] != "":
		list = r.named[word]
	case len(s.Words) == 1:
		list = "group"
	}
	if n, known := b.index.find(list); !known || !b.rows[n].Block || b.rows[n].Lines == "" {
		return ""
	}
	return list
}

// lists maps the names of top-level blocks to the lists of an instance or a sync group that name them.
var lists = map[string]string{"vrrp_script": "track_script", "track_file": "track_file", "vrrp_track_file": "track_file", "vrrp_track_process": "track_process", "vrrp_instance": "group"}

// directive reports whether an unknown line was meant as an include or a definition, and adds that to the finding.
func (r *reader) directive(s *grammar.Stmt, d *diag.Diagnostic) bool {
	word := s.Keyword()
	if name, value, ok := strings.Cut(word, "="); ok && name == "include" && value != "" {
		d.Label, d.Fixes = fmt.Sprintf("write %q", "include "+value), []diag.Fix{replace(s.Words[0].Span, "include "+value)}
		return true
	} else if ok && len(r.inside) == 0 && len(s.Words) == 1 && definable.MatchString(name) {
		d.Label = fmt.Sprintf("a definition starts with $: $%s=%s", name, r.text(grammar.Word{Text: value}))
		return true
	}
	if word == "include" || strings.EqualFold(word, "include") && len(s.Words) == 1 {
		d.Label = "expected the name of a file behind it"
		return true
	}
	if best, sure := diag.Suggest(word, []string{"include", "includer", "includem", "includew", "includeb", "includea"}); best != "" && len(s.Words) > 1 && (sure || strings.HasPrefix(word, "includ")) {
		if !sure {
			best = "include"
		}
		d.Label, d.Fixes = fmt.Sprintf("did you mean %q?", best), []diag.Fix{replace(s.Words[0].Span, best)}
		return true
	}
	return false
}

var definable = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

// renamed returns a statement with a different first word at the same place.
func renamed(s *grammar.Stmt, word string) *grammar.Stmt {
	words := append([]grammar.Word{{Text: word, Span: s.Words[0].Span}}, s.Words[1:]...)
	return &grammar.Stmt{Words: words, Block: s.Block}
}

// lost says what the reference does with a block that it does not know.
func (r *reader) lost(b *grammar.Block, rest []*grammar.Stmt) []diag.Note {
	if len(r.inside) == 0 || b.Close.IsZero() {
		return []diag.Note{{Message: `keepalived ignores the word and its "{", and calls every line of the block unknown`}}
	}
	text := fmt.Sprintf(`keepalived ignores the word and its "{", so the "}" on line %d would end %s there`, b.Close.Position().Line, r.where())
	if len(rest) > 0 {
		text += fmt.Sprintf(" and %s (line %d) would be lost", r.text(rest[0].Words[0]), rest[0].Span().Position().Line)
	}
	return []diag.Note{{Message: text}}
}

// near lists the words that a misspelt statement could mean: a block for a block, a line for a line.
func near(s *grammar.Stmt, table []*Keyword) []string {
	var words []string
	for _, k := range table {
		if k.Block == (s.Block != nil) && k.Current() {
			words = append(words, k.Word)
		}
	}
	return words
}

// meant returns the word that a statement means: its own if it is in the table, otherwise one that it plainly
// misspells.
func meant(s *grammar.Stmt, table []*Keyword) string {
	word := s.Keyword()
	if slices.ContainsFunc(table, func(k *Keyword) bool { return k.Word == word }) {
		return word
	}
	best, sure := diag.Suggest(word, near(s, table))
	if !sure {
		return word
	}
	return best
}

// candidates lists the words of the block.
func (b *Block[T]) candidates() []string {
	var words []string
	for _, row := range b.rows {
		words = append(words, row.Word)
	}
	return words
}

// fits reports whether the content of a block can belong to the row: at least half of its words are known there.
func (w Row[T]) fits(s *grammar.Stmt) bool {
	if s.Block == nil || w.Lines != "" {
		return true
	}
	known := 0
	for _, t := range s.Block.Stmts {
		if slices.ContainsFunc(w.Words, func(k *Keyword) bool { return k.Word == t.Keyword() }) {
			known++
		}
	}
	return 2*known >= len(s.Block.Stmts)
}

// byContent finds the one block of keywords that can hold all lines of a block.
func (b *Block[T]) byContent(s *grammar.Stmt) (row int, ok bool) {
	if s.Block == nil || len(s.Block.Stmts) < 2 {
		return 0, false
	}
	for i, w := range b.rows {
		knows := func(t *grammar.Stmt) bool {
			return slices.ContainsFunc(w.Words, func(k *Keyword) bool { return k.Word == t.Keyword() && k.Current() })
		}
		if !w.Block || w.Lines != "" || !w.Current() || w.Keyword.Deprecated != "" || slices.ContainsFunc(s.Block.Stmts, func(t *grammar.Stmt) bool { return !knows(t) }) {
			continue
		}
		if ok {
			return 0, false
		}
		row, ok = i, true
	}
	return row, ok
}

// namesBlock reports whether a block has the word of a line before its brace, and is plainly meant to be a different
// block.
func (b *Block[T]) namesBlock(row *Row[T], s *grammar.Stmt) bool {
	if s.Block == nil || len(s.Block.Stmts) == 0 || row.Block {
		return false
	}
	if n, ok := b.index.find("vrrp_" + row.Word); ok && b.rows[n].Block {
		return b.rows[n].fits(s)
	}
	_, ok := b.byContent(s)
	return ok
}

// manyUnknown is the number of lines with unknown words above which they are not compared with missing keywords.
const manyUnknown = 20

// hides is what a line with an unknown word spoils: the keyword that its block seems to lack, if the line may be meant
// as that.
func (b *Block[T]) hides(r *reader, s *grammar.Stmt) []diag.Spoil {
	if r.guesses++; len(r.inside) == 0 || r.guesses > manyUnknown {
		return nil
	}
	var kinds diag.Kind
	for word, kind := range map[string]diag.Kind{"virtual_ipaddress": diag.Addresses, "interface": diag.Interface} {
		if n, ok := b.index.find(word); ok && b.mayMean(s, &b.rows[n]) {
			kinds |= kind
		}
	}
	if _, ok := b.index.find("auth_pass"); ok {
		kinds |= diag.Pair
	}
	in := r.inside[len(r.inside)-1].stmt
	if kinds == 0 || in.Span().IsZero() {
		return nil
	}
	return []diag.Spoil{{Span: in.Span().To(in.Block.Close), Kinds: kinds}}
}

// meansOne reports whether a line of the block that begins with an unknown word may be meant as one of the row, which
// is missing.
func (b *Block[T]) meansOne(r *reader, stmts []*grammar.Stmt, row *Row[T]) bool {
	return slices.ContainsFunc(stmts[:min(len(stmts), manyStmts)], func(s *grammar.Stmt) bool {
		if _, known := b.index.find(s.Keyword()); known || !b.mayMean(s, row) {
			return false
		}
		return len(r.home(s.Keyword()).blocks) == 0
	})
}

// manyStmts is the number of lines of a block whose possible meaning is looked at.
const manyStmts = 1000

// mayMean reports whether a line may be meant as one of the row: its word resembles the keyword, or what follows would
// be valid there. A number proves nothing where names and paths would be valid as well.
func (b *Block[T]) mayMean(s *grammar.Stmt, row *Row[T]) bool {
	word := s.Keyword()
	if best, _ := diag.Suggest(word, []string{row.Word}); best != "" && (s.Block != nil) == row.Block || strings.HasPrefix(word, "$") || unfilled(word) {
		return true
	}
	switch {
	case row.Block && s.Block == nil: // an entry without the block around it
		return row.Lines != "" && len(s.Words) == 1 && b.reads(row, &grammar.Stmt{Words: s.Words, Block: &grammar.Block{Stmts: []*grammar.Stmt{s}}})
	case row.Block && row.Lines != "":
		return len(s.Block.Stmts) > 0 && b.reads(row, s)
	case row.Block:
		return row.fits(s)
	case s.Block != nil, len(s.Words) == 1, switches(s.Words[1].Text):
		return false
	case isNumber(s.Words[1].Text):
		others, _ := grammar.Parse(source.New("", []byte(row.Word+" name\n"+row.Word+" /path")))
		return b.reads(row, s) && !slices.ContainsFunc(others.Stmts, func(other *grammar.Stmt) bool { return b.reads(row, other) })
	}
	return b.reads(row, s)
}

// unfilled reports whether a word is, or contains, a template.
func unfilled(word string) bool {
	return strings.Contains(word, "{{") || strings.Contains(word, "{%") || strings.Contains(word, "<%") || placeholder.MatchString(word)
}

// switches reports whether a word turns a setting on or off.
func switches(word string) bool {
	return slices.Contains([]string{"on", "off", "yes", "no", "true", "false"}, word)
}

// reads reports whether the row can read a line without a finding, whatever its first word.
func (b *Block[T]) reads(row *Row[T], s *grammar.Stmt) bool {
	if s.Block != nil {
		s = &grammar.Stmt{Words: s.Words, Block: &grammar.Block{Stmts: slices.Clone(s.Block.Stmts)}}
	}
	try := &reader{room: grammar.Room, line: line{key: row.Keyword, stmt: s, rest: s.Words[1:]}}
	row.read(try, b.fresh())
	return try.found.Added() == 0 && len(try.rest) == 0
}

// isBlock reports whether a word opens a block anywhere.
func isBlock(table []*Keyword, word string) (found bool) {
	walk(nil, table, func(path []*Keyword) {
		k := path[len(path)-1]
		found = found || k.Word == word && k.Block
	})
	return found
}

// needsNone reports whether a keyword works without a value.
func (w Row[T]) needsNone() bool { return w.Expect == "" || w.Expect[0] == '[' }

// misnamedIn finds the top-level block in which a word is a known mistake, and the right word.
func misnamedIn(table []*Keyword, word string) (instead, in string) {
	for _, block := range table {
		for _, k := range block.Words {
			if k.Word == word && k.Instead != "" {
				return k.Instead, block.Word
			}
		}
	}
	return "", ""
}

// A home is where a word belongs: the blocks that know it, the outermost first, and the path of the first one.
type home struct {
	blocks []string
	path   []*Keyword
}

// homes returns the home of every word of a table.
func homes(table []*Keyword) map[string]home {
	all := map[string]home{}
	walk(nil, table, func(path []*Keyword) {
		k := path[len(path)-1]
		if !k.Current() {
			return
		}
		in := "the top level"
		if len(path) > 1 {
			block := path[len(path)-2]
			if in = block.Word; block.Lines != "" || !block.Block {
				return // an option of a line
			}
		}
		h := all[k.Word]
		if h.path == nil {
			h.path = path
		}
		if !slices.Contains(h.blocks, in) {
			h.blocks = append(h.blocks, in)
		}
		all[k.Word] = h
	})
	for word, h := range all {
		if len(h.blocks) > 4 {
			h.blocks = append(h.blocks[:4], "others")
			all[word] = h
		}
	}
	return all
}

// home returns where a word belongs; without blocks it belongs nowhere.
func (r *reader) home(word string) home {
	if r.homes == nil {
		r.homes = homes(r.table)
	}
	return r.homes[word]
}
