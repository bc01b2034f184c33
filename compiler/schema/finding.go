package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// The findings of this package, each made in one place. Package lint documents their names.

func (r *reader) report(d diag.Diagnostic) {
	d.Fixes = slices.DeleteFunc(d.Fixes, breaksLine)
	d.Kind |= diag.Sense
	r.found.Add(d)
}

// breaksLine tells whether a fix would begin a line where that takes words away: from the value of a definition, which ends at the first
// line, or from what ~SEQ or ~LST repeats.
func breaksLine(f diag.Fix) bool {
	return slices.ContainsFunc(f.Edits, func(e diag.Edit) bool {
		return strings.Contains(e.Text, "\n") && !e.Span.IsZero() && (e.Span.Source.How == "used at" || repeated(e.Span))
	})
}

// repeated tells whether the line of a place begins with ~SEQ or ~LST.
func repeated(at source.Span) bool {
	line := strings.TrimLeft(at.Source.Line(at.Position().Line), " \t")
	return strings.HasPrefix(line[len(condition.FindString(line)):], "~")
}

// fail reports that the line cannot be read any further.
func (r *reader) fail(d diag.Diagnostic) {
	r.rest = nil
	r.failed++
	if r.key.Vital {
		d.Loss = diag.Ends
	}
	if i := slices.IndexFunc(r.found.List, func(o diag.Diagnostic) bool { return o.Rule == "single-quotes" && o.Span == r.single }); i >= 0 {
		r.found.List[i].Severity = diag.Error // the quotes are why
		return
	}
	r.report(d)
}

func (r *reader) missingValue(expect string) {
	if r.stmt.Block != nil && !r.key.Block && len(r.stmt.Words) == 1 {
		r.rest = nil // the end of the line reports the block that stands there instead
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

// after is the place behind the last word of a statement.
func after(s *grammar.Stmt) source.Span {
	last := s.Words[len(s.Words)-1].Span
	if last.IsZero() {
		return last
	}
	return last.Source.Span(int(last.End), int(last.End))
}

// invalid reports a word that is no value at all.
func (r *reader) invalid(w grammar.Word, what, expect string) {
	r.fail(diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not " + what,
		Span:    w.Span,
		Label:   "expected " + expect,
	})
}

// outside reports a value beyond its range. A 0 that turns off what is off anyway can go with its line.
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

// oneOf reports a word that is none of the words allowed, with the one that was likely meant.
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
	case best == "", !sure && strings.IndexAny(w.Text, "0123456789") == 0: // a number is no slip of another one
	case sure:
		d.Label = fmt.Sprintf("did you mean %q?", best)
		d.Fixes = []diag.Fix{replace(w.Span, best)}
	default:
		d.Label, d.Help = fmt.Sprintf("did you mean %q?", best), d.Label
	}
	r.fail(d)
}

// elsewhere is what schedulers and forwarding methods are called by ipvsadm, ldirectord, HAProxy and nginx, and their words here.
var elsewhere = map[string]string{
	"roundrobin": "rr", "round_robin": "rr", "round-robin": "rr", "leastconn": "lc", "least_conn": "lc", "least-conn": "lc",
	"source": "sh", "ip_hash": "sh", "hash": "sh", "maglev": "mh", "weighted": "wrr",
	"masq": "NAT", "masquerade": "NAT", "masquerading": "NAT", "gate": "DR", "gatewaying": "DR", "route": "DR", "direct": "DR", "dsr": "DR",
	"ipip": "TUN", "tunnel": "TUN", "tunneling": "TUN",
}

// equalsSign reports a = between a keyword and its value, which then counts for the value.
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

// singleQuotes reports words between single quotes, which do not quote.
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

// foreignComments are what comments of other languages begin with.
var foreignComments = []string{"//", "/*", ";", "--"}

// slashes reports a comment of another language.
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
		d.Message = "only # and ! start a comment" // the sign is hidden, as all that follows the keyword
	}
	if strings.HasPrefix(at.Span.Text(), mark) {
		d.Fixes = []diag.Fix{{Title: `write "#"`, Edits: []diag.Edit{{Span: at.Span.Source.Span(int(at.Span.Start), int(at.Span.Start)+len(mark)), Text: "#"}}}}
	}
	r.report(d)
}

// lineEnds reports the words that the reference drops without a word.
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

// headEnds reports words between the keyword of a block and its brace that do not belong there. The reference drops them; of
// some blocks it drops all, and a block that lacks a keyword because of them is lost too.
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
		return // both sides of a merge have it
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

// again reports a second block whose lines join those of the first one.
func (r *reader) again(key *Keyword, first, s *grammar.Stmt) {
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

// remarks reports what the table says against the keyword of the current line, and notes keywords that keepc only reads.
func (r *reader) remarks() {
	key, w := r.key, r.keyword()
	switch {
	case key.Removed != "":
		r.report(diag.Diagnostic{
			Rule: "removed-keyword", Severity: diag.Info,
			Message: fmt.Sprintf("%s was removed after keepalived %s and has no effect", key.Word, key.Removed),
			Span:    r.stmt.Span(),
			Label:   "an unknown word to newer versions",
			Help:    "delete the line",
			Fixes:   []diag.Fix{remove(r.stmt)},
		})
	case key.Foreign != "":
		r.report(diag.Diagnostic{
			Rule: "foreign-keyword", Severity: diag.Error,
			Message: fmt.Sprintf("%s is a word of %s", key.Word, key.Foreign),
			Span:    w.Span,
			Label:   "keepalived does not know this word",
		})
	case key.Instead != "":
		r.report(diag.Diagnostic{
			Rule: "wrong-word", Severity: diag.Error,
			Message: fmt.Sprintf("%s is not a word of %s", key.Word, r.block()),
			Span:    w.Span,
			Label:   fmt.Sprintf("the word is %q", key.Instead),
			Fixes:   []diag.Fix{replace(w.Span, key.Instead)},
		})
	case r.newer(key) && !r.asYoung(key):
		r.report(diag.Diagnostic{
			Rule: "newer-keyword", Severity: diag.Error,
			Message: fmt.Sprintf("%s needs keepalived %s", key.Word, key.Since),
			Span:    w.Span,
			Label:   "unknown to keepalived " + r.version,
		})
	case key.Deprecated != "" && !r.tooNew(key.Deprecated):
		d := diag.Diagnostic{
			Rule: "deprecated-keyword", Severity: diag.Info,
			Message: fmt.Sprintf("%s is deprecated", key.Word),
			Span:    w.Span,
			Label:   "use " + key.Deprecated,
		}
		if !strings.Contains(key.Deprecated, " ") {
			d.Fixes = []diag.Fix{replace(w.Span, key.Deprecated)}
		}
		r.report(d)
	}
	r.provided(key)
	if key.Reload == Restart && key.Current() {
		r.atStart = append(r.atStart, ir.StartSetting{Path: r.path(key), Value: words(r.stmt), Span: r.stmt.Span()})
	}
}

// tooNew tells whether the keepalived that will read the file does not know a word of the innermost open block yet.
func (r *reader) tooNew(word string) bool {
	words := r.table
	if n := len(r.inside); n > 0 {
		words = r.inside[n-1].key.Words
	}
	return slices.ContainsFunc(words, func(k *Keyword) bool { return k.Word == word && r.newer(k) })
}

// newer tells whether a keyword is newer than the keepalived that will read the file.
func (r *reader) newer(key *Keyword) bool {
	return key.Since != "" && r.version != "" && Older(r.version, key.Since)
}

// Older reports whether a version comes before another one.
func Older(version, than string) bool { return grammar.Older(version, than) }

// keyword returns the word that names the row being read: the first of the line, or the option.
func (r *reader) keyword() grammar.Word {
	return r.stmt.Words[len(r.stmt.Words)-len(r.rest)-1]
}

// block is the keyword of the innermost open block.
func (r *reader) block() string {
	if len(r.inside) == 0 {
		return "the top level"
	}
	return r.inside[len(r.inside)-1].key.Word
}

// bared is the fix that takes away what stands around a word, such as the comma of a list. In a block of lines an item that
// follows on the line, whose part before a slash is as asked, begins a line; before anything else but an option there is no fix.
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

// paired reports whether each bracket and quotation mark of a word has its partner there. Of one that has not, nobody knows where the other
// one belongs.
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

// quote shows a word of the file in a message: short, printable, and hidden when it is a secret.
func (r *reader) quote(w grammar.Word) string {
	if r.key != nil && r.key.Secret {
		return hidden
	}
	return strconv.Quote(r.text(w))
}

const hidden = "(hidden)" // stands where a secret stands

// text is a word as it is shown.
func (r *reader) text(w grammar.Word) string {
	if slices.Contains(r.secrets, w.Span) && !w.Span.IsZero() {
		return hidden
	}
	return short(w.Text)
}

// show is quote without the quotation marks, for numbers.
func (r *reader) show(w grammar.Word) string {
	q := r.quote(w)
	return strings.TrimSuffix(strings.TrimPrefix(q, `"`), `"`)
}

func (r *reader) quoteAll(words []grammar.Word) string {
	texts := make([]string, 0, len(words))
	for _, w := range words {
		if texts = append(texts, r.text(w)); texts[len(texts)-1] == hidden {
			break
		}
		if len(texts) == 8 {
			break
		}
	}
	return r.quote(grammar.Word{Text: strings.Join(texts, " ")})
}

// short cuts a text that would fill the screen.
func short(s string) string {
	const limit = 60
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

func replace(at source.Span, text string) diag.Fix {
	return diag.Fix{Title: fmt.Sprintf("write %q", text), Edits: []diag.Edit{{Span: at, Text: text}}}
}

// remove deletes a statement without a block, and its whole line when nothing else stands there.
func remove(s *grammar.Stmt) diag.Fix {
	at := s.Span()
	if !at.IsZero() {
		text, start, end := at.Source.Text, int(at.Start), int(at.End)
		for start > 0 && isBlank(text[start-1]) {
			start--
		}
		for end < len(text) && isBlank(text[end]) {
			end++
		}
		if (start == 0 || text[start-1] == '\n') && (end == len(text) || text[end] == '\n') {
			at = at.Source.Span(start, min(end+1, len(text)))
		}
	}
	return diag.Fix{Title: "delete the line", Edits: []diag.Edit{{Span: at}}}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' }

// article puts a or an before a noun.
func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func or(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
