package grammar

import (
	"fmt"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A record is what a reading finds beside the statements.
type record struct {
	findings diag.Bounded
	comments []Comment
	includes []Include
	uses     []Use

	templates []source.Span // that nobody has filled in
}

func (r *record) add(d diag.Diagnostic) { r.findings.Add(d) }

// maxTemplates is how many templates are kept at most.
const maxTemplates = 1 << 16

// template keeps the place of a template that is not filled in.
func (r *record) template(at source.Span) {
	if len(r.templates) < maxTemplates {
		r.templates = append(r.templates, at)
	}
}

// list returns what was found. All templates are one finding: there is one thing to do about them.
func (r *record) list() diag.List {
	if len(r.templates) > 0 {
		r.findings.Add(diag.Diagnostic{
			Rule: "unfilled-template", Severity: diag.Error, Message: "a template is not filled in",
			Span: r.templates[0], More: r.templates[1:], Label: "means nothing to keepalived",
			Help: "check the file that the template makes",
		})
	}
	return r.findings.List
}

// comment keeps the comment that starts at a place of a line. One that starts within a word is a finding, unless it is
// written like a remark: "ab#cd" may be meant as a password, "100# high" is not.
func (r *record) comment(l *line, at int) {
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
		Rule: "comment-in-word", Severity: diag.Warning, Message: fmt.Sprintf("%q starts a comment within a word", mark[:1]),
		Span: l.span(at, len(l.text)), Label: "the word ends here for keepalived",
		Help: "put the word in double quotes, which is all that saves the mark, or put a blank before the comment",
	})
}

// last returns the last finding if it is of the rule, else nil.
func (r *record) last(rule string) *diag.Diagnostic {
	if n := len(r.findings.List); n > 0 && r.findings.List[n-1].Rule == rule {
		return &r.findings.List[n-1]
	}
	return nil
}
