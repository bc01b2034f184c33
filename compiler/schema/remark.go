package schema

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// remarks reports what the table says against the keyword of the current line, and records keywords that keepc reads
// and does not use.
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

// tooNew reports whether a word of the innermost open block is newer than the keepalived that will read the file.
func (r *reader) tooNew(word string) bool {
	words := r.table
	if n := len(r.inside); n > 0 {
		words = r.inside[n-1].key.Words
	}
	return slices.ContainsFunc(words, func(k *Keyword) bool { return k.Word == word && r.newer(k) })
}

// newer reports whether a keyword is newer than the keepalived that will read the file.
func (r *reader) newer(key *Keyword) bool {
	return key.Since != "" && r.version != "" && Older(r.version, key.Since)
}

// Older reports whether one version comes before another.
func Older(version, than string) bool { return grammar.Older(version, than) }
