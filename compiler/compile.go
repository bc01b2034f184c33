// Package compiler turns a parsed file into its meaning: decode by the table, fill in what depends on other lines, link
// names, judge. It does no I/O.
package compiler

import (
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Options say what a file is judged for.
type Options struct {
	Host lint.Host // facts of this machine; nil: findings that depend on the machine are left out
}

// Compile returns what a file means and what is wrong with it, in the order of the file. The configuration is the best
// reading even when there are errors: what was plainly misspelt is understood, what makes no sense is left out.
func Compile(file *grammar.File, opts Options) (*ir.Config, diag.List) {
	cfg, found := schema.Decode(file)
	resolve(cfg)
	found = append(found, lint.Run(cfg, file, opts.Host)...)
	found.Sort()
	return cfg, found
}
