package schema

import (
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Decode reads a file by the table. What is wrong is left out, or understood as it was meant, and reported. The values are
// those of the file: what depends on other lines is still Unset. Keywords that a version of keepalived does not know yet are
// reported too, when one is given.
func Decode(file *grammar.File, version string) (*ir.Config, diag.List) {
	r := &reader{table: root.keywords(), version: version, secrets: SecretWords(file.Stmts)}
	cfg := root.fresh()
	file.Stmts = root.statements(r, file.Stmts, cfg)
	cfg.Used, cfg.AtStart, cfg.Secrets, cfg.Commands = r.uses, r.atStart, r.secrets, r.commands
	return cfg, r.found.List
}
