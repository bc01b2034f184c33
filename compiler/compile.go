// Package compiler turns a parsed file into its meaning: decode by the table, fill in what depends on other lines, link
// names, judge. It does no I/O.
package compiler

import (
	"fmt"
	"slices"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Options say what a file is judged for.
type Options struct {
	Host    lint.Host // facts of this machine; nil: findings that depend on the machine are left out
	Version string    // the keepalived that will read the file, as "2.2.7"; empty: any
	Peers   bool      // the file will be compared with those of the other directors: see lint.Compare
	// Settings is what the .keepc.conf for the file says to directors; nil: nothing.
	Settings *ir.Settings
}

// announce gives a configuration the announcements of the settings.
func (o Options) announce(cfg *ir.Config) {
	if o.Settings != nil {
		cfg.Announcements = o.Settings.Announcements
	}
}

// Compile returns what a file means and what is wrong with it, in the order of the file. The configuration is the best
// reading even when there are errors: what was plainly misspelt is understood, what makes no sense is left out.
func Compile(file *grammar.File, opts Options) (*ir.Config, diag.List) {
	cfg, found := schema.Decode(file, opts.Version)
	resolve(cfg, file)
	opts.announce(cfg)
	cfg.NotEnforced = enforced.Judge(cfg)
	found = append(found, lint.Run(cfg, file, opts.Host, opts.Peers)...)
	unfixable(file, found)
	found.Sort()
	return cfg, found
}

// Literal returns what keepalived makes of a file, and what is wrong with it, where Compile says what was meant. For a file without errors
// both are the same. It reads the text of the file again, gives it a tree of its own, and leaves that of the file as it is.
func Literal(file *grammar.File, opts Options) (*grammar.File, *ir.Config, diag.List) {
	tree, found := file.Literal(schema.Nesting())
	cfg, more := schema.DecodeLiteral(tree, opts.Version)
	resolve(cfg, tree)
	opts.announce(cfg)
	judged := lint.Run(cfg, tree, opts.Host, opts.Peers)
	drop(cfg, judged)
	judged = append(judged, bare(cfg)...)
	cfg.NotEnforced = enforced.Judge(cfg)
	found = silence(tree, slices.Concat(found, more, judged))
	lint.Losses(found)
	found.Sort()
	return tree, cfg, found
}

// OnHost returns what is wrong with a configuration on a machine, and not by itself.
func OnHost(file *grammar.File, cfg *ir.Config, host lint.Host) diag.List {
	found := silence(file, lint.OnHost(cfg, file, host))
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return !d.Host })
}

// Merge joins the findings of reading a file with those of its meaning, in the order of the file, and leaves out what follows from
// others and what its comments silence.
func Merge(file *grammar.File, reading, meaning diag.List) diag.List {
	all := slices.Concat(reading, meaning).Collect().Causes()
	all = silence(file, foreign(file, all))
	for i := range all {
		if d := &all[i]; d.Plural[0] != "" && len(d.More) > 0 {
			d.Message, d.Label, d.More = fmt.Sprintf(d.Plural[0], 1+len(d.More)), d.Plural[1], nil
		}
	}
	lint.Losses(all)
	all.Sort()
	return all
}
