package main

import (
	"errors"

	"github.com/spf13/cobra"

	"keepc/compiler"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func (a *App) show() *cobra.Command {
	var expand, tree, asJSON bool
	c := &cobra.Command{
		Use:   "show [file]",
		Short: "Show what a file means",
		Long: "Show what a file means: the configuration with its defaults, as JSON. Durations are in seconds. Numbers are always shown; what is\n" +
			"off, empty or absent is left out. Mistakes are left out or read as they were meant: see check. Passwords and keys are hidden;\n" +
			"in commands and URLs only what follows -p, --password, password=, token=, key= and the like.\n\n" + bounded,
		Example: `  keepc show keepalived.conf | jq '.vrrp_instance[] | {name, priority}'
  keepc show --expand --id lb1 keepalived.conf
  keepc show --tree keepalived.conf`,
		Args:        cobra.MaximumNArgs(1),
		Annotations: formats("json"),
		RunE: func(c *cobra.Command, args []string) error {
			if (expand || tree) && c.Flag("format").Changed {
				return errors.New("--format json is for the configuration: --expand and --tree write text")
			}
			name := a.oneFile(args)
			text, err := a.read(name)
			if err != nil {
				return failed(err)
			}
			src, opts := source.New(a.shown(name), text), a.loading(a.files(), a.id(), nil, a.forVersion)
			var found diag.List
			if expand || tree { // the meaning of the file is not needed for these
				var file *grammar.File
				file, found = grammar.LoadText(src, opts)
				write := report.Expanded
				if tree {
					write = report.Tree
				}
				err = write(a.Stdout, file)
			} else {
				u := compiler.Load(src, compiler.Options{Text: opts, Settings: a.announcing(name, a.settingsFor(name))})
				found, err = u.Findings, report.Config(a.Stdout, src.Name, u.Config)
			}
			if n := found.Count(diag.Error); err == nil && n > 0 && !a.quiet {
				a.complain("keepc: %s in %s; see keepc check", report.Count(n, "error"), src.Name)
			}
			return failed(err)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&asJSON, "json", false, "the configuration (the default)")
	f.BoolVar(&expand, "expand", false, "the text after includes, definitions and ids, one statement per line")
	f.BoolVar(&tree, "tree", false, "the statements with their positions")
	c.MarkFlagsMutuallyExclusive("json", "expand", "tree")
	return c
}
