package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"keepc/compiler"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/source"
)

// A fmtRun is one run of the verb fmt.
type fmtRun struct {
	*App
	write, diff, check bool
}

func (a *App) fmt() *cobra.Command {
	run := &fmtRun{App: a}
	c := &cobra.Command{
		Use:   "fmt [files...]",
		Short: "Format files in the canonical layout",
		Long:  "Format files in the canonical layout: a tab for each open block, one statement per line. Words and comments stay as they are.\n\n" + bounded,
		Example: `  keepc fmt keepalived.conf
  keepc fmt -w lb01.conf lb02.conf
  keepc fmt --check *.conf`,
		RunE: func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVarP(&run.write, "write", "w", false, "write the files instead of standard output")
	f.BoolVarP(&run.diff, "diff", "d", false, "show what would change as a patch, and exit with 1 if anything would")
	f.BoolVar(&run.check, "check", false, "list the files with a different layout, and exit with 1 if there are any")
	c.MarkFlagsMutuallyExclusive("write", "diff", "check")
	return c
}

func (r *fmtRun) main(names []string) error {
	if len(names) == 0 {
		names = []string{r.defaultFile()}
	}
	var unread, other bool
	for _, name := range names {
		if name == "-" && r.write {
			return errors.New("--write cannot write to standard input")
		}
		text, err := r.read(name)
		if err != nil {
			r.complain("keepc: %v", err)
			unread = true
			continue
		}
		better := grammar.Format(text)
		same := bytes.Equal(text, better)
		other = other || !same
		if err := r.show(name, change{text, better}, same); err != nil {
			return failed(err)
		}
	}
	switch {
	case unread:
		return exit{code: exitFailed}
	case other && (r.diff || r.check):
		return exit{code: exitFindings}
	}
	return nil
}

// show does with a file what the flags ask for.
func (r *fmtRun) show(name string, c change, same bool) error {
	var err error
	switch {
	case r.write && !same:
		if err = replaceFile(r.abs(name), c.after); err != nil {
			return fileError(name, err)
		}
	case r.write:
	case r.diff && !same:
		err = r.showPatch(r.shown(name), c, append(r.secrets(name, c.before), r.secrets(name, c.after)...), "keepc fmt -w")
	case r.check && !same:
		_, err = fmt.Fprintln(r.Stdout, report.Printable(r.shown(name)))
	case r.diff, r.check:
	default:
		_, err = r.Stdout.Write(c.after)
	}
	return err
}

// secrets returns where secrets are in a text of a file.
func (r *fmtRun) secrets(name string, text []byte) (places []source.Span) {
	for _, id := range append(r.ids, r.id()) {
		u := compiler.Load(source.New(r.shown(name), text), compiler.Options{Text: r.loading(r.files(), id, nil, r.forVersion)})
		places = append(places, u.Config.Secrets...)
	}
	return places
}
