package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// The findings of this package; each is made in one place. Package lint documents their names.

func (r *reader) report(d diag.Diagnostic) {
	d.Fixes = slices.DeleteFunc(d.Fixes, breaksLine)
	d.Kind |= diag.Sense
	r.found.Add(d)
}

// breaksLine reports whether a fix would begin a new line where that loses words: in the value of a definition, which
// ends with the first line, or in what ~SEQ or ~LST repeats.
func breaksLine(f diag.Fix) bool {
	return slices.ContainsFunc(f.Edits, func(e diag.Edit) bool {
		return strings.Contains(e.Text, "\n") && !e.Span.IsZero() && (e.Span.Source.How == "used at" || repeated(e.Span))
	})
}

// repeated reports whether the line of a place begins with ~SEQ or ~LST.
func repeated(at source.Span) bool {
	line := strings.TrimLeft(at.Source.Line(at.Position().Line), " \t")
	return strings.HasPrefix(line[len(condition.FindString(line)):], "~")
}

// fail reports a mistake after which the rest of the line cannot be read.
func (r *reader) fail(d diag.Diagnostic) {
	r.rest = nil
	r.failed++
	if r.key.Vital {
		d.Loss = diag.Ends
	}
	if i := slices.IndexFunc(r.found.List, func(o diag.Diagnostic) bool { return o.Rule == "single-quotes" && o.Span == r.single }); i >= 0 {
		r.found.List[i].Severity = diag.Error // because of the quotes
		return
	}
	r.report(d)
}

func (r *reader) missingValue(expect string) {
	if r.stmt.Block != nil && !r.key.Block && len(r.stmt.Words) == 1 {
		r.rest = nil // the end of the line reports the block that is there instead
		return
	}
	d := diag.Diagnostic{
		Rule: "missing-value", Severity: diag.Error, Kind: diag.Missing,
		Message: r.key.Word + " needs a value",
		Span:    after(r.stmt),
		Label:   "expected " + expect,
	}
	if r.key.Block {
		d.Loss = diag.DropsBlock
	} else if !r.own {
		d.Notes = []diag.Note{{Message: "keepalived stops reading here and exits with code 2"}}
	}
	r.fail(d)
}

func (r *reader) missingSubject(entry, expect string) {
	r.fail(diag.Diagnostic{
		Rule: "missing-value", Severity: diag.Error, Kind: diag.Missing, Loss: diag.DropsWord,
		Message: fmt.Sprintf("the %s has options only", entry),
		Span:    r.stmt.Span(),
		Label:   "expected " + expect,
	})
}

// after is the place after the last word of a statement.
func after(s *grammar.Stmt) source.Span {
	last := s.Words[len(s.Words)-1].Span
	if last.IsZero() {
		return last
	}
	return last.Source.Span(int(last.End), int(last.End))
}

// invalid reports a word that is not a value at all.
func (r *reader) invalid(w grammar.Word, what, expect string) {
	r.fail(diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not " + what,
		Span:    w.Span,
		Label:   "expected " + expect,
	})
}

// outside reports a value out of range. A 0 that turns off what is off anyway can be deleted with its line.
func (r *reader) outside(w grammar.Word, lo, hi, expect string) {
	d := diag.Diagnostic{
		Rule: "value-range", Severity: diag.Error,
		Message: fmt.Sprintf("%s %s is outside %s..%s", r.key.Word, r.show(w), lo, hi),
		Span:    w.Span,
		Label:   "expected " + expect,
	}
	if without := cmp.Or(r.key.Default, r.key.Otherwise); w.Text == "0" && (without == "0" || strings.HasPrefix(without, "no")) {
		d.Help = "delete the line: without it there is none"
		d.Fixes = []diag.Fix{remove(r.stmt)}
	}
	r.fail(d)
}

// oneOf reports a word that is not among the allowed ones, and suggests the one that was likely meant.
func (r *reader) oneOf(w grammar.Word, allowed []string) {
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: fmt.Sprintf("%s cannot be %s", r.key.Word, r.quote(w)),
		Span:    w.Span,
		Label:   "expected " + or(allowed),
	}
	best, sure := diag.Suggest(w.Text, allowed)
	if other := elsewhere[strings.ToLower(w.Text)]; slices.Contains(allowed, other) {
		best, sure = other, false
	}
	switch {
	case best == "", !sure && strings.IndexAny(w.Text, "0123456789") == 0: // a number is not a misspelling of another
	case sure:
		d.Label = fmt.Sprintf("did you mean %q?", best)
		d.Fixes = []diag.Fix{replace(w.Span, best)}
	default:
		d.Label, d.Help = fmt.Sprintf("did you mean %q?", best), d.Label
	}
	r.fail(d)
}

// elsewhere maps the names of schedulers and forwarding methods in ipvsadm, ldirectord, HAProxy and nginx to the words
// used here.
var elsewhere = map[string]string{
	"roundrobin": "rr", "round_robin": "rr", "round-robin": "rr", "leastconn": "lc", "least_conn": "lc", "least-conn": "lc",
	"source": "sh", "ip_hash": "sh", "hash": "sh", "maglev": "mh", "weighted": "wrr",
	"masq": "NAT", "masquerade": "NAT", "masquerading": "NAT", "gate": "DR", "gatewaying": "DR", "route": "DR", "direct": "DR", "dsr": "DR",
	"ipip": "TUN", "tunnel": "TUN", "tunneling": "TUN",
}

// equalsSign reports a = between a keyword and its value: it becomes part of the value.
func (r *reader) equalsSign(at, value grammar.Word) {
	d := diag.Diagnostic{
		Rule: "equals-sign", Severity: diag.Error,
		Message: fmt.Sprintf("%s and its value have = between them", r.key.Word),
		Span:    at.Span,
		Label:   "expected a blank",
	}
	if gap := at.Span.To(value.Span); gap.End > at.Span.End {
		gap.End = value.Span.Start
		d.Fixes = []diag.Fix{{Title: "delete it", Edits: []diag.Edit{{Span: gap}}}}
	}
	r.report(d)
}

// singleQuotes reports words in single quotes, which do not quote here.
func (r *reader) singleQuotes(words []grammar.Word) {
	last := slices.IndexFunc(words, func(w grammar.Word) bool { return len(w.Text) > 1 && strings.HasSuffix(w.Text, "'") })
	if last < 0 {
		return // an apostrophe
	}
	r.single = words[0].Span.To(words[last].Span)
	d := diag.Diagnostic{
		Rule: "single-quotes", Severity: diag.Warning,
		Message: fmt.Sprintf("%s has single quotes, which do not quote", r.key.Word),
		Span:    r.single,
		Label:   "the quotes are a part of the word",
		Help:    `write double quotes, or none`,
	}
	if last > 0 {
		d.Label = "the word ends at the first blank"
	}
	if text := r.single.Text(); r.key.Secret {
		d.Help = "write double quotes, or none, on every router of the group at once"
	} else if inner := strings.Trim(text, "'"); len(inner)+2 == len(text) && !strings.ContainsAny(inner, `"'`) {
		d.Fixes = []diag.Fix{{Title: "write double quotes", Edits: []diag.Edit{{Span: r.single, Text: `"` + inner + `"`}}}}
	}
	r.report(d)
}

// foreignComments are what comments start with in other languages.
var foreignComments = []string{"//", "/*", ";", "--"}

// slashes reports a comment in the syntax of another language.
func (r *reader) slashes(at grammar.Word, severity diag.Severity, label string) {
	i := slices.IndexFunc(foreignComments, func(c string) bool { return strings.HasPrefix(at.Text, c) })
	mark := foreignComments[i]
	d := diag.Diagnostic{
		Rule: "slash-comment", Severity: severity,
		Message: mark + " does not start a comment",
		Span:    at.Span,
		Label:   label,
	}
	if r.key != nil && r.key.Secret {
		d.Message = "only # and ! start a comment" // the sign is hidden, like everything after the keyword
	}
	if strings.HasPrefix(at.Span.Text(), mark) {
		d.Fixes = []diag.Fix{{Title: `write "#"`, Edits: []diag.Edit{{Span: at.Span.Source.Span(int(at.Span.Start), int(at.Span.Start)+len(mark)), Text: "#"}}}}
	}
	r.report(d)
}

// lineEnds reports the words at the end of a line that the reference drops silently.
func (r *reader) lineEnds() {
	if r.stmt.Block != nil {
		r.unexpectedBlock(r.key.Word + " takes no block")
	}
	if len(r.rest) == 0 || !r.single.IsZero() {
		return
	}
	extra := r.rest
	if strings.HasPrefix(extra[0].Text, "//") {
		r.slashes(extra[0], diag.Warning, "ignored, as it happens")
		return
	}
	if off := extra[0].Text; r.key.Expect == "" && (off == "off" || off == "false" || off == "no" || off == "0") {
		r.report(diag.Diagnostic{
			Rule: "extra-words", Severity: diag.Warning, Kind: diag.Extra,
			Message: fmt.Sprintf("%s counts, whatever %q says", r.key.Word, off),
			Span:    extra[0].Span,
			Label:   "ignored",
			Help:    "delete the line if it should not count",
		})
		return
	}
	r.report(diag.Diagnostic{
		Rule: "extra-words", Severity: diag.Warning, Kind: diag.Extra,
		Message: fmt.Sprintf("%s is ignored after %s", r.quoteAll(extra), r.key.Word),
		Span:    extra[0].Span.To(extra[len(extra)-1].Span),
		Label:   "expected nothing more on this line",
	})
}

// headEnds reports words between the keyword of a block and its brace that do not belong there. The reference drops
// them; for some blocks it drops all of them, and a block that then lacks a keyword is lost too.
func (r *reader) headEnds(lacks *Keyword, known func() []string) {
	if len(r.rest) == 0 {
		return
	}
	extra := r.rest
	d := diag.Diagnostic{
		Rule: "block-head", Severity: diag.Warning,
		Message: fmt.Sprintf("%s does not belong between %s and its brace", r.quoteAll(extra), r.name(r.key, &grammar.Stmt{Words: r.stmt.Words[:len(r.stmt.Words)-len(extra)]})),
		Span:    extra[0].Span.To(extra[len(extra)-1].Span),
		Label:   "keepalived drops it",
	}
	if lacks != nil || r.key.Alone || r.key.Lines != "" {
		d.Severity, d.Label = diag.Error, `expected "{"`
	}
	switch {
	case known == nil:
	case lacks != nil:
		d.Help = fmt.Sprintf("write a line %s %s in the block", lacks.Word, r.text(extra[0]))
	case slices.Contains(known(), extra[0].Text):
		d.Help = fmt.Sprintf("write %s into the block", extra[0].Text)
	}
	r.report(d)
}

func (r *reader) missingBrace(key *Keyword, s *grammar.Stmt, content []*grammar.Stmt) {
	d := diag.Diagnostic{
		Rule: "missing-brace", Severity: diag.Error,
		Message: fmt.Sprintf("%s has no block", r.name(key, s)),
		Span:    after(s),
		Spoils:  diag.Spare(after(s)),
		Label:   `expected "{"`,
	}
	if len(content) > 0 {
		d.Fixes = []diag.Fix{{Title: `add "{"`, Edits: []diag.Edit{{Span: d.Span, Text: " {"}}}}
	}
	r.report(d)
}

func (r *reader) unexpectedBlock(message string) {
	r.report(diag.Diagnostic{
		Rule: "unexpected-block", Severity: diag.Error,
		Message: message,
		Span:    r.stmt.Block.Open,
		Label:   "unexpected brace",
	})
}

func (r *reader) duplicate(key *Keyword, first, s *grammar.Stmt) {
	if r.conflict {
		return // on both sides of a merge conflict
	}
	d := diag.Diagnostic{
		Rule: "duplicate-keyword", Severity: diag.Warning,
		Message: fmt.Sprintf("%s appears twice in %s", key.Word, r.where()),
		Span:    s.Span(),
		Label:   "this line counts",
		Notes:   []diag.Note{{Message: "this line has no effect", Span: first.Span()}},
	}
	if other := first.Keyword(); other != s.Keyword() {
		d.Message = fmt.Sprintf("%s and %s of %s are one setting", other, s.Keyword(), r.where())
	}
	switch {
	case key.First:
		d.Label, d.Notes[0].Message = "this line has no effect", "the first line counts"
	case key.Block:
		d.Label, d.Notes[0].Message = "the second block", "the first block"
	}
	r.report(d)
}

// reportSecond reports a second block whose lines are added to those of the first one.
func (r *reader) reportSecond(key *Keyword, first, s *grammar.Stmt) {
	r.report(diag.Diagnostic{
		Rule: "repeated-block", Severity: diag.Info,
		Message: fmt.Sprintf("a second %s in %s", key.Word, r.where()),
		Span:    s.Span(),
		Label:   "counts too",
		Notes:   []diag.Note{{Message: "the first one", Span: first.Span()}},
	})
}

func (r *reader) missingKeyword(key *Keyword) {
	d := diag.Diagnostic{
		Rule: "missing-keyword", Severity: diag.Error,
		Message: fmt.Sprintf("%s has no %s", r.where(), key.Word),
		Label:   "needs " + key.Word,
	}
	if key.Vital {
		d.Loss = diag.Ends
	}
	if key.Expect != "" {
		d.Label += ": " + key.Expect
	}
	if len(r.inside) > 0 {
		d.Span = r.inside[len(r.inside)-1].stmt.Span()
	}
	r.report(d)
}

// keyword returns the word that names the row being read: the first word of the line, or the option.
func (r *reader) keyword() grammar.Word {
	return r.stmt.Words[len(r.stmt.Words)-len(r.rest)-1]
}

// block returns the keyword of the innermost open block.
func (r *reader) block() string {
	if len(r.inside) == 0 {
		return "the top level"
	}
	return r.inside[len(r.inside)-1].key.Word
}

// bared returns the fix that removes what surrounds a word, such as the comma of a list. In a block of lines, if the
// text after it starts a valid item, that item begins a new line; if anything else but an option follows, there is no
// fix.
func (r *reader) bared(w grammar.Word, bare string, item func(string) bool) []diag.Fix {
	if w.Span.Text() != w.Text || !paired(w.Text) {
		return nil
	}
	if r.key.Lines == "" || len(r.rest) == 0 || slices.ContainsFunc(r.key.Words, func(k *Keyword) bool { return k.Word == r.peek() }) {
		return []diag.Fix{replace(w.Span, bare)}
	}
	next, gap := r.rest[0], w.Span
	text, _, _ := strings.Cut(strings.Trim(next.Text, ",;"), "/")
	if !item(text) || next.Span.Source != gap.Source || next.Span.Start <= gap.End {
		return nil
	}
	gap.End = next.Span.Start
	return []diag.Fix{{Title: "begin a line", Edits: []diag.Edit{{Span: gap, Text: bare + "\n" + lineHead(r.stmt.Words[0])}}}}
}

// paired reports whether each bracket and quotation mark of a word has its partner in the word. Where one is missing,
// nobody knows where it belongs.
func paired(word string) bool {
	for _, pair := range []string{"()", "[]", "<>"} {
		if strings.Count(word, pair[:1]) != strings.Count(word, pair[1:]) {
			return false
		}
	}
	return strings.Count(word, "'")%2 == 0 && strings.Count(word, `"`)%2 == 0
}

func (r *reader) unknownOption(entry string, w grammar.Word, known []string) {
	d := diag.Diagnostic{
		Rule: "unknown-option", Severity: diag.Error, Kind: diag.Option,
		Message: fmt.Sprintf("%s is not an option of %s", r.quote(w), article(entry)),
		Span:    w.Span,
	}
	best, sure := diag.Suggest(w.Text, known)
	bare, _, _ := strings.Cut(strings.TrimRight(w.Text, ",;"), "/")
	switch {
	case best != "":
		d.Label = fmt.Sprintf("did you mean %q?", best)
		if sure {
			d.Fixes = []diag.Fix{replace(w.Span, best)}
		}
	case isNumber(w.Text) && slices.Contains(known, "weight"):
		d.Label = fmt.Sprintf("did you mean \"weight %s\"?", w.Text)
	case isAddr(bare):
		d.Label = "expected one address a line"
	case slices.Contains(known, "dev") && isInterface(w.Text) && strings.ContainsAny(w.Text, "0123456789"):
		d.Label = fmt.Sprintf("did you mean \"dev %s\"?", w.Text)
	case strings.HasPrefix(entry, "track_interface") && isInterface(w.Text):
		d.Label = "expected one interface a line"
	case len(known) > 8:
		d.Label = "expected " + or(append(slices.Clone(known[:8]), "others"))
	case len(known) > 0:
		d.Label = "expected " + or(known)
	default:
		d.Label = "expected nothing more on this line"
	}
	r.fail(d)
}
