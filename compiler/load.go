// Package compiler turns a parsed file into its meaning: decode by the table, fill in what depends on other lines, link
// names, judge. It does no I/O but reading what a file includes.
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
	"keepc/grammar/source"
)

// Options say how a file is read, and what it is judged for.
type Options struct {
	Text  grammar.Options // how its text is read: by which director, by which version of keepalived, with which includes
	Host  lint.Host       // facts of this machine; nil: findings that depend on the machine are left out
	Peers bool            // the file will be compared with those of the other directors: see lint.Compare
	// Settings is what the .keepc.conf for the file says to directors; nil: nothing.
	Settings *ir.Settings
}

// A Unit is a file as one director reads it. Nothing in it changes later: With and Literal return a unit of their own.
type Unit struct {
	Tree     *grammar.File // the statements, with includes and definitions expanded
	Config   *ir.Config    // the best reading even when there are errors: what makes no sense is left out
	Findings diag.List     // in the order of the file, without those that follow from others and those that comments silence
	All      diag.List     // all that was found, each where it was found

	opts Options
}

// Load reads the text of a file with what it includes, and judges what it means. What was plainly misspelt is understood.
func Load(src *source.Source, opts Options) Unit {
	tree, found := grammar.LoadText(src, opts.Text)
	cfg, more := understand(tree, opts)
	return Unit{Tree: tree, Config: cfg, opts: opts}.With(slices.Concat(found, more))
}

// With returns the unit with more findings, as those of a comparison with other directors.
func (u Unit) With(found diag.List) Unit {
	u.All = slices.Concat(u.All, found)
	u.Findings = merge(u.Tree, u.All)
	return u
}

// understand returns what a file means and what is wrong with it, in the order of the file.
func understand(file *grammar.File, opts Options) (*ir.Config, diag.List) {
	cfg, found := schema.Decode(file, opts.Text.Version)
	resolve(cfg, file)
	opts.announce(cfg)
	cfg.NotEnforced = enforced.Judge(cfg)
	found = append(found, lint.Run(cfg, file, opts.Host, opts.Peers)...)
	unfixable(file, found)
	found.Sort()
	return cfg, found
}

// announce gives a configuration the announcements of the settings.
func (o Options) announce(cfg *ir.Config) {
	if o.Settings != nil {
		cfg.Announcements = o.Settings.Announcements
	}
}

// Literal returns what keepalived makes of the file, and what is wrong with it there, where Load says what was meant. For a file without
// errors both are the same, but for what is wrong on a machine or among directors alone. It reads the text again and gives it a tree of
// its own.
func (u Unit) Literal() Unit {
	tree, found := u.Tree.Literal(schema.Nesting())
	cfg, more := schema.DecodeLiteral(tree, u.opts.Text.Version)
	resolve(cfg, tree)
	u.opts.announce(cfg)
	judged := lint.Run(cfg, tree, nil, false)
	drop(cfg, judged)
	judged = append(judged, bare(cfg)...)
	cfg.NotEnforced = enforced.Judge(cfg)
	all := slices.Concat(found, more, judged)
	found = silence(tree, all)
	lint.Losses(found)
	found.Sort()
	return Unit{Tree: tree, Config: cfg, Findings: found, All: all, opts: u.opts}
}

// OnHost returns what is wrong with the configuration on a machine, and not by itself.
func (u Unit) OnHost(host lint.Host) diag.List {
	found := silence(u.Tree, lint.OnHost(u.Config, u.Tree, host))
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return !d.Host })
}

// merge returns findings in the order of the file, without those that follow from others and those that comments silence.
func merge(file *grammar.File, found diag.List) diag.List {
	all := slices.Clone(found).Collect().Causes()
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
