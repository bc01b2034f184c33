package report

import (
	"cmp"
	"fmt"
	"strings"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/privilege"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
)

// ExplainRule is the long text of a rule, with its Bad and its Good side by side.
func ExplainRule(r lint.Rule) string {
	var b strings.Builder
	page := r.Page()
	fmt.Fprintf(&b, "%s (%s)\n%s\n", r.Name, r.Severity, page.Title)
	paragraph(&b, page.Text)
	switch {
	case r.Severity < diag.Error || r.Peers != nil && r.Check == nil:
	case r.Loss == diag.Ends:
		paragraph(&b, "keepalived "+r.Loss.Text()+", and keepc run refuses it.")
	default:
		paragraph(&b, "Most often keepalived "+r.Loss.Text()+", and so does keepc run.")
	}
	if r.Peers != nil && r.Check == nil {
		paragraph(&b, "Found among the files of a cluster: keepc check --peers lb1.conf lb2.conf. In the example, a line that begins with @lb1 is of that "+
			"director alone.")
	}
	if page.Bad != "" {
		beside(&b, lines("Bad", page.Bad), lines("Good", page.Good))
	}
	if page.BadSettings != "" {
		b.WriteByte('\n')
		beside(&b, lines("with .keepc.conf", page.BadSettings), lines("with .keepc.conf", page.GoodSettings))
	}
	return b.String()
}

// ExplainDifferences lists the differences between keepc check and keepalived -t, one paragraph each.
func ExplainDifferences(all []lint.Difference) string {
	var b strings.Builder
	b.WriteString("drop-in\nWhat keepc check does otherwise than keepalived -t, on purpose.\n")
	for _, d := range all {
		files := ""
		if d.Files > 0 {
			files = fmt.Sprintf("%d of %d real files that keepalived faults have nothing worse, and no error therefore", d.Files, lint.Faulty)
		}
		b.WriteByte('\n')
		for _, part := range []struct{ who, text string }{
			{"keepalived", d.Keepalived}, {"keepc", d.Keepc}, {"because", d.Why}, {"rules", strings.Join(d.Milder, ", ")}, {"files", files},
		} {
			if part.text == "" {
				continue
			}
			for i, l := range wrap(part.text, 90) {
				if i > 0 {
					part.who = ""
				}
				fmt.Fprintf(&b, "  %-11s %s\n", part.who, l)
			}
		}
	}
	return b.String()
}

// ExplainCapabilities lists the capabilities that a director needs, and for which words.
func ExplainCapabilities(kinds []privilege.Kind) string {
	var b strings.Builder
	b.WriteString("capabilities\nWhat keepc run needs of its machine, by the words of the file.\n")
	paragraph(&b, "keepc run starts as root or with the capabilities of its file, gives up all others, and names those that it keeps; run -v names the word "+
		"that needs each. A file without scripts also gets no_new_privs. With scripts it does not: one that runs as root has all rights of root, as with "+
		"keepalived, and one may be, or call, a program that gains rights by its mode, as sudo. What was given up does not come back: a reload that "+
		"needs it is refused, and says so; --keep-privileges keeps all, as the command line of keepalived does.")
	for _, k := range kinds {
		b.WriteByte('\n')
		without := "without it the director goes on with less, and says so"
		if k.Must {
			without = "without it the file is refused"
		}
		fmt.Fprintf(&b, "  %s\n", k.Capability)
		for _, part := range []string{"needed by: " + k.Words, "used for: " + k.Use, without} {
			for _, l := range wrap(part, 94) {
				fmt.Fprintf(&b, "    %s\n", l)
			}
		}
	}
	return b.String()
}

func paragraph(b *strings.Builder, text string) {
	b.WriteByte('\n')
	for _, l := range wrap(text, 100) {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

func lines(title, text string) []string {
	all := []string{title}
	for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		all = append(all, "  "+l)
	}
	return all
}

// beside writes two columns of text.
func beside(b *strings.Builder, left, right []string) {
	width := 0
	for _, l := range left {
		width = max(width, len(l))
	}
	b.WriteByte('\n')
	for i := range max(len(left), len(right)) {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		b.WriteString(trimRight(fmt.Sprintf("  %-*s   %s", width, l, r)) + "\n")
	}
}

// ExplainKeyword is the long text of a keyword, the last of the path.
func ExplainKeyword(path []*schema.Keyword) string {
	k := path[len(path)-1]
	var b strings.Builder
	head := []string{strings.TrimSpace(k.Word + " " + k.Expect)}
	if k.Block {
		head[0] += " { }"
	}
	if len(path) > 1 {
		head = append(head, "in "+schema.Join(path[:len(path)-1]))
	}
	if d := standard(k); d != "" {
		head = append(head, "default "+d)
	}
	fmt.Fprintf(&b, "%s\n%s\n", strings.Join(head, "   "), k.Text)
	for _, fact := range facts(k) {
		fmt.Fprintf(&b, "%s\n", fact)
	}
	if k.Current() && !schema.IsSetting(path[0]) {
		for _, line := range notYet(schema.Join(path)) {
			fmt.Fprintf(&b, "%s\n", line)
		}
		fmt.Fprintf(&b, "Reload: %s. keepalived: %s.\n", reload(k), readers(k))
	}
	if words := inner(k); words != "" {
		paragraph(&b, words)
	}
	return b.String()
}

// ExplainDirective is the long text of a directive.
func ExplainDirective(d schema.Directive) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   in any place\n", d.Form)
	for _, l := range wrap(d.Text, 100) {
		fmt.Fprintf(&b, "%s\n", l)
	}
	fmt.Fprintf(&b, "keepalived: %s.\n\n", cmp.Or(d.Since, "2.2.7 and later"))
	for _, l := range lines("Example", d.Example) {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	return b.String()
}

// standard is the value that applies without the keyword.
func standard(k *schema.Keyword) string {
	switch {
	case k.Default != "":
		return k.Default
	case k.Otherwise != "":
		return k.Otherwise
	case k.Expect == "" && !k.Block:
		return "off"
	}
	return ""
}

// facts is what else the table says about a keyword, one sentence each.
func facts(k *schema.Keyword) (all []string) {
	add := func(on bool, format string, args ...any) {
		if on {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(k.Note != "", "%s", k.Note)
	add(k.Required, "It must be there.")
	add(k.Repeat && !k.Block, "It may stand more than once.")
	add(k.Deprecated != "", "Deprecated: use %s.", k.Deprecated)
	add(k.Removed != "", "Removed after %s; it has no effect.", k.Removed)
	add(k.Foreign != "", "keepalived never knew this word; %s do.", k.Foreign)
	add(k.Instead != "", "keepalived does not know this word here: write %s.", k.Instead)
	add(k.Secret, "Its value is never shown.")
	return all
}

// notYet says what keepc does without a keyword, or a value of it, that it does not enforce yet.
func notYet(path string) (lines []string) {
	for _, v := range enforced.Of(path) {
		if v.Answer == enforced.Enforced {
			continue
		}
		text := strings.TrimSpace(path + " " + v.When)
		text = ir.Unenforced{Keyword: text, Unread: v.Answer == enforced.Unread, Why: v.Why}.String() + "."
		if v.Answer == enforced.Refused {
			text += " keepc run refuses the file."
		}
		lines = append(lines, text)
	}
	return lines
}

// reload says when a changed value takes effect.
func reload(k *schema.Keyword) string {
	if k.Reload == schema.Restart {
		return "waits for a restart"
	}
	return "applied live"
}

// allVersions describes what the oldest keepalived that keepc knows already had: files for an older one are read as
// that one would.
const allVersions = "all versions since 2.0; older ones are judged as 2.0"

// readers says which versions and builds of keepalived know a keyword.
func readers(k *schema.Keyword) string {
	versions := allVersions
	if k.Since != "" {
		versions = k.Since + " and later"
	}
	if k.Build != "" {
		versions += ", built with " + k.Build
	}
	return versions
}

// inner lists the words of a block, or the options of its lines.
func inner(k *schema.Keyword) string {
	var words []string
	for _, w := range k.Words {
		if w.Current() {
			words = append(words, w.Word)
		}
	}
	switch {
	case len(words) == 0 && k.Lines != "":
		return "Each line is a " + k.Lines + "."
	case len(words) == 0:
		return ""
	case k.Lines != "":
		options := "options"
		if len(words) == 1 {
			options = "option"
		}
		return fmt.Sprintf("Each line is a %s, with the %s %s.", k.Lines, options, strings.Join(words, ", "))
	case k.Block:
		return "Keywords: " + strings.Join(words, ", ") + "."
	}
	return "Options: " + strings.Join(words, ", ") + "."
}
