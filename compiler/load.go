// Package compiler turns a parsed file into its meaning: it decodes by the table, fills in what depends on other
// lines, links names, and judges. It does no I/O except reading what a file includes.
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
	Text  grammar.Options // how its text is read: by which director, which version of keepalived, and with which includes
	Host  lint.Host       // facts of this machine; nil: findings that depend on the machine are left out
	Peers bool            // the file will be compared with those of the other directors: see lint.Compare
	// Settings is what the .keepc.conf for the file tells directors; nil: nothing.
	Settings *ir.Settings
}

// A Unit is a file as one director reads it. It does not change later: With and Literal return new units.
type Unit struct {
	Tree     *grammar.File // the statements, with includes and definitions expanded, as they were understood
	Config   *ir.Config    // the best reading even of a file with errors: what makes no sense is left out
	Findings diag.List     // in file order, without those that follow from others and those that comments silence
	All      diag.List     // everything that was found, by reader

	opts Options
}

// Load reads the text of a file with what it includes, and judges what it means. Plain misspellings are read as what
// was meant.
func Load(src *source.Source, opts Options) Unit {
	tree, found := grammar.LoadText(src, opts.Text)
	tree, cfg, more := understand(tree, opts)
	if seed := cfg.Global.RandomSeed; seed != nil && tree.Random && opts.Text.Seed == nil && tree.Room > grammar.Room/2 {
		opts.Text.Seed = seed // a second tree has room: numbers before this line depend on it, too
		return Load(src, opts)
	}
	return Unit{Tree: tree, Config: cfg, opts: opts}.With(slices.Concat(found, more))
}

// With returns the unit with more findings, such as those of a comparison with other directors.
func (u Unit) With(found diag.List) Unit {
	u.All = slices.Concat(u.All, found)
	u.Findings = merge(u.Tree, u.All)
	return u
}

// understand returns what a file means and what is wrong with it, in file order.
func understand(file *grammar.File, opts Options) (*grammar.File, *ir.Config, diag.List) {
	file, cfg, found := schema.Decode(file, opts.Text.Version)
	resolve(cfg, file)
	opts.apply(cfg)
	cfg.NotEnforced = enforced.Judge(cfg)
	found = append(found, lint.Run(cfg, file, opts.Host, opts.Peers)...)
	lint.Emptied(cfg, found)
	join(cfg) // the rules look at each block
	unfixable(file, found)
	found.Sort()
	return file, cfg, found
}

// apply adds what the settings say about a director to its configuration.
func (o Options) apply(cfg *ir.Config) {
	if o.Settings == nil {
		return
	}
	cfg.Announcements = o.Settings.Announcements
	if o.Settings.Verification == nil {
		return
	}
	for _, vs := range cfg.VirtualServers {
		for _, rs := range vs.RealServers {
			for _, c := range rs.Checks {
				if h, ok := c.Checker.(*ir.HTTPCheck); ok && h.TLS {
					h.Verification = o.Settings.Verification
				}
			}
		}
	}
}

// Literal returns keepalived's reading of the file and what is wrong with it, while Load returns what was meant. For a
// file without errors both are the same, except for what is wrong on a machine or only among directors. It reads the
// text again into a separate tree.
func (u Unit) Literal() Unit {
	tree, found := u.Tree.Literal(schema.Nesting())
	tree, cfg, more := schema.DecodeLiteral(tree, u.opts.Text.Version)
	resolve(cfg, tree)
	u.opts.apply(cfg)
	judged := lint.Run(cfg, tree, nil, false)
	told := slices.Concat(more, judged)
	lint.Emptied(cfg, told)
	drop(cfg, tree, judged)
	cfg.NotEnforced = enforced.Judge(cfg)
	all := slices.Concat(found, told, bare(cfg))
	lint.Losses(all)
	found = silence(tree, all)
	found.Sort()
	return Unit{Tree: tree, Config: cfg, Findings: found, All: all, opts: u.opts}
}

// OnHost returns what is wrong with the configuration on a machine, though not by itself.
func (u Unit) OnHost(host lint.Host) diag.List {
	found := silence(u.Tree, lint.OnHost(u.Config, u.Tree, host))
	return slices.DeleteFunc(found, func(d diag.Diagnostic) bool { return !d.Host })
}

// merge returns findings in file order, without those that follow from others and those that comments silence.
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
