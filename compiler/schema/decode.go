package schema

import (
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// leastRoom is the room left for a file whose values have used up all room.
const leastRoom = 16 << 20

// Decode reads a file by the table. It reports what is wrong, and leaves it out or reads it as it was meant. The
// values are those of the file: what depends on other lines is still Unset. If a version of keepalived is given,
// keywords that it does not know yet are reported too. The file does not change: the first result is the file as it was
// understood, which is the same one unless that differs.
func Decode(file *grammar.File, version string) (*grammar.File, *ir.Config, diag.List) {
	return decode(file, &reader{version: version})
}

// DecodeLiteral reads a file as keepalived does: what is wrong counts as keepalived reads it, even where it is plain
// what was meant. The file should be one of grammar.Literal.
func DecodeLiteral(file *grammar.File, version string) (*grammar.File, *ir.Config, diag.List) {
	return decode(file, &reader{version: version, literal: true})
}

func decode(file *grammar.File, r *reader) (*grammar.File, *ir.Config, diag.List) {
	r.table, r.secrets = root.keywords(), SecretWords(file.Stmts)
	r.room, r.full = max(file.Room, leastRoom), file.Room < 0
	cfg := root.fresh()
	cfg.Version = r.version
	if understood := root.statements(r, file.Stmts, cfg); !sameStmts(understood, file.Stmts) {
		file = file.With(understood)
	}
	cfg.Used, cfg.AtStart, cfg.Secrets, cfg.Commands = r.uses, r.atStart, r.secrets, r.commands
	return file, cfg, r.found.List
}
