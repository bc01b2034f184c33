package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"keepc/grammar"
)

// Expanded writes the statements of a file as keepalived sees them after its expansions, in the canonical layout: one a
// line. Secrets are hidden.
func Expanded(w io.Writer, file *grammar.File) error {
	out := bufio.NewWriter(w)
	expand(out, file.Stmts, 0)
	return out.Flush()
}

func expand(w *bufio.Writer, stmts []*grammar.Stmt, depth int) {
	indent := strings.Repeat("\t", depth)
	for _, s := range stmts {
		w.WriteString(indent + Hide(s.String()))
		if s.Block != nil {
			w.WriteString(" {\n")
			expand(w, s.Block.Stmts, depth+1)
			w.WriteString(indent + "}")
		}
		w.WriteByte('\n')
	}
}

// Tree writes the statements of a file with the place where each was written. Secrets are hidden.
func Tree(w io.Writer, file *grammar.File) error {
	out := bufio.NewWriter(w)
	width := 0
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) { width = max(width, len(s.Span().String())) })
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, depth int) {
		brace := ""
		if s.Block != nil {
			brace = " {"
		}
		fmt.Fprintf(out, "%-*s  %s%s%s\n", width, s.Span(), strings.Repeat("    ", depth), Hide(s.String()), brace)
	})
	return out.Flush()
}
