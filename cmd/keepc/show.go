package main

import (
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
		Long: "Show what a file means: the configuration with its defaults, as JSON. Durations are seconds; numbers stand always, what is\n" +
			"off, empty or not there is left out. Mistakes are left out or understood as they were meant: see check. Hidden are passwords and\n" +
			"keys, in commands and URLs only what follows -p, --password, password=, token=, key= and the like.\n\n" + bounded,
		Example: `  keepc show keepalived.conf | jq '.vrrp_instance[] | {name, priority}'
  keepc show --expand --id lb1 keepalived.conf
  keepc show --tree keepalived.conf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file, found, err := a.parse(a.oneFile(args))
			if err != nil {
				return failed(err)
			}
			switch {
			case expand:
				err = report.Expanded(a.Stdout, file)
			case tree:
				err = report.Tree(a.Stdout, file)
			default:
				cfg, more := compiler.Compile(file, compiler.Options{Version: a.forVersion, Settings: a.announcing(a.oneFile(args), a.settingsFor(a.oneFile(args)))})
				found = compiler.Merge(file, found, more)
				err = report.Config(a.Stdout, file.Source.Name, cfg)
			}
			if n := found.Count(diag.Error); err == nil && n > 0 && !a.quiet {
				a.complain("keepc: %s in %s; see keepc check", report.Count(n, "error"), file.Source.Name)
			}
			return failed(err)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&asJSON, "json", false, "the configuration, which is the default")
	f.BoolVar(&expand, "expand", false, "the text behind includes, definitions and ids, one statement a line")
	f.BoolVar(&tree, "tree", false, "the statements, each with its place")
	c.MarkFlagsMutuallyExclusive("json", "expand", "tree")
	return c
}

// parse reads a file with its includes; "-" is standard input.
func (a *App) parse(name string) (*grammar.File, diag.List, error) {
	text, err := a.read(name)
	if err != nil {
		return nil, nil, err
	}
	file, found := grammar.LoadText(source.New(a.shown(name), text), a.loading(a.files(), a.id(), nil, a.forVersion))
	return file, found, nil
}
