package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"keepc/grammar"
	"keepc/grammar/source"
)

// Expanded writes the statements of a file as keepalived sees them after its expansions, in the canonical layout, one
// per line. Secrets are hidden.
func Expanded(w io.Writer, file *grammar.File) error {
	out := bufio.NewWriter(w)
	expand(out, file.Stmts, 0, secretPlaces(file))
	return out.Flush()
}

func expand(w *bufio.Writer, stmts []*grammar.Stmt, depth int, secret func(source.Span) bool) {
	indent := strings.Repeat("\t", depth)
	for _, s := range stmts {
		w.WriteString(PrintableLine(indent + hideStatement(s, secret)))
		if s.Block != nil {
			w.WriteString(" {\n")
			expand(w, s.Block.Stmts, depth+1, secret)
			w.WriteString(indent + "}")
		}
		w.WriteByte('\n')
	}
}

// Tree writes the statements of a file with the place where each was written. Secrets are hidden.
func Tree(w io.Writer, file *grammar.File) error {
	out := bufio.NewWriter(w)
	width, secret := 0, secretPlaces(file)
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) { width = max(width, Columns(s.Span().String())) })
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, depth int) {
		brace := ""
		if s.Block != nil {
			brace = " {"
		}
		fmt.Fprintf(out, "%s  %s%s%s\n", Padded(printable(s.Span().String()), width), strings.Repeat("    ", depth), printable(hideStatement(s, secret)), brace)
	})
	return out.Flush()
}
