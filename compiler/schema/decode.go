package schema

import (
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// leastRoom is the room for the values of a file that has none left.
const leastRoom = 16 << 20

// Decode reads a file by the table. What is wrong is left out, or understood as it was meant, and reported. The values are
// those of the file: what depends on other lines is still Unset. Keywords that a version of keepalived does not know yet are
// reported too, when one is given.
func Decode(file *grammar.File, version string) (*ir.Config, diag.List) {
	return decode(file, &reader{version: version})
}

// DecodeLiteral reads a file as keepalived does: what is wrong counts for what keepalived makes of it, however plain it is what was meant.
// The file is best a grammar.Literal one.
func DecodeLiteral(file *grammar.File, version string) (*ir.Config, diag.List) {
	return decode(file, &reader{version: version, literal: true})
}

func decode(file *grammar.File, r *reader) (*ir.Config, diag.List) {
	r.table, r.secrets = root.keywords(), SecretWords(file.Stmts)
	r.room, r.full = max(file.Room, leastRoom), file.Room < 0
	cfg := root.fresh()
	cfg.Version = r.version
	file.Stmts = root.statements(r, file.Stmts, cfg)
	cfg.Used, cfg.AtStart, cfg.Secrets, cfg.Commands = r.uses, r.atStart, r.secrets, r.commands
	return cfg, r.found.List
}
