package grammar

import (
	"cmp"
	"fmt"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// The memory available for what is made of a text, so that no text exhausts a machine: enough for any configuration of
// 10 MiB, and more in proportion for a larger one.
const (
	Room        = 144 << 20
	roomForByte = 32
	largeText   = 10 << 20
)

// roomFor returns the memory available for what is made of a text.
func roomFor(src *source.Source) int {
	if src == nil || len(src.Text) <= largeText {
		return Room
	}
	return max(Room, roomForByte*len(src.Text))
}

// The cost of things in bytes, including their share of the slices and maps that contain them.
const (
	stmtCost       = 64
	wordCost       = 32
	blockCost      = 80
	commentCost    = 112
	includeCost    = 320
	useCost        = 400
	lineCost       = 176
	definitionCost = 320
	mentionCost    = 120
)

// A record is what a reading collects besides the statements.
type record struct {
	room     int  // zero: Room
	taken    int  // used so far
	cut      bool // not all of the text was read
	random   bool // the text depends on random numbers
	findings diag.Bounded
	comments []Comment
	includes []Include
	uses     []Use

	templates []source.Span // without a value
}

func (r *record) add(d diag.Diagnostic) { r.findings.Add(d) }

// left returns how much room is left; it is negative if there was too little.
func (r *record) left() int { return cmp.Or(r.room, Room) - r.taken }

// full reports whether there is no room left.
func (r *record) full() bool { return r.left() < 0 }

// take reserves room for what is at a place, and reports once when none is left.
func (r *record) take(n int, at source.Span) {
	if r.full() {
		return
	}
	if r.taken += n; r.full() {
		r.cut = true
		r.findings.List.Add(LimitMet("lines", at)) // in addition to the other findings
	}
}

// LimitMet is the finding about what a text has too much of, at the place where reading stops.
func LimitMet(what string, at source.Span) diag.Diagnostic {
	return diag.Diagnostic{
		Rule: "limit-met", Severity: diag.Error, Message: fmt.Sprintf("the file has more %s than there is room for: %d MiB of memory", what, Room>>20),
		Span: at, Label: "nothing is read from here on",
	}
}

// maxTemplates is the number of templates that are recorded.
const maxTemplates = 1 << 16

// template records the place of a template without a value.
func (r *record) template(at source.Span) {
	if len(r.templates) < maxTemplates {
		r.templates = append(r.templates, at)
	}
}

// list returns what was found. All templates are one finding, because there is one thing to do about them.
func (r *record) list() diag.List {
	if len(r.templates) > 0 {
		r.findings.Add(diag.Diagnostic{
			Rule: "unfilled-template", Severity: diag.Error, Message: "a template is not filled in",
			Span: r.templates[0], More: r.templates[1:], Label: "means nothing to keepalived",
			Help: "check the file that the template makes", Plural: Templates, Spoils: r.pastTemplates(),
		})
	}
	return r.findings.List
}

// Templates is the message and the label of a finding about several templates.
var Templates = [2]string{"%d templates are not filled in", "the first; they mean nothing to keepalived"}

// PastTemplate is what a template spoils: the rest of its line.
func PastTemplate(at source.Span) diag.Spoil {
	return diag.Spoil{Span: diag.LineFrom(at), Kinds: diag.Sense | diag.Extra}
}

// pastTemplates is what the templates spoil. What follows the first one of a line follows the others, too.
func (r *record) pastTemplates() (all []diag.Spoil) {
	for _, at := range r.templates {
		if n := len(all); n == 0 || !all[n-1].Span.Holds(at) {
			all = append(all, PastTemplate(at))
		}
	}
	return all
}

// comment records the comment that starts at a position of a line. A comment that starts within a word is a finding,
// unless it reads like a remark: "ab#cd" may be meant as a password, "100# high" is not.
func (r *record) comment(l *line, at int) {
	r.take(commentCost, l.span(at, len(l.text)))
	before, text := l.text[:at], l.text[at:]
	r.comments = append(r.comments, Comment{
		Text: text, Span: l.span(at, len(l.text)), Trailing: strings.Trim(before, blanks) != "",
	})
	start := strings.LastIndexAny(before, blanks+"{}\"") + 1
	mark := strings.TrimPrefix(text, `\`)
	if start == at || len(mark) < 2 || isBlank(mark[1]) || mark[1] == mark[0] {
		return
	}
	r.add(diag.Diagnostic{
		Rule: "comment-in-word", Severity: diag.Warning, Kind: diag.Comment, Message: fmt.Sprintf("%q starts a comment within a word", mark[:1]),
		Span: l.span(at, len(l.text)), Label: "the word ends here for keepalived",
		Help: "put the word in double quotes, the only way to keep the mark, or put a blank before the comment",
	})
}

// last returns the last finding if it belongs to the rule, otherwise nil.
func (r *record) last(rule string) *diag.Diagnostic {
	if n := len(r.findings.List); n > 0 && r.findings.List[n-1].Rule == rule {
		return &r.findings.List[n-1]
	}
	return nil
}
