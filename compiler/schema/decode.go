package schema

import (
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Decode reads a file by the table. What is wrong is left out, or understood as it was meant, and reported. The values are
// those of the file: what depends on other lines is still Unset.
func Decode(file *grammar.File) (*ir.Config, diag.List) {
	r := &reader{table: root.keywords()}
	cfg := root.fresh()
	root.statements(r, file.Stmts, cfg)
	cfg.NotEnforced, cfg.Secrets, cfg.Commands = r.used, r.secrets, r.commands
	return cfg, r.found.List
}
