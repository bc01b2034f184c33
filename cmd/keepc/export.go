package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"keepc/compiler/ipvsadm"
	"keepc/compiler/state"
)

// An exportRun is one run of the verb export.
type exportRun struct {
	*App
	ipvsadm bool
}

func (a *App) export() *cobra.Command {
	run := &exportRun{App: a}
	c := &cobra.Command{
		Use:   "export [file]",
		Short: "Write the virtual servers for another program",
		Long: "Write the virtual servers of a file, with every real server up and no sorry server, in the words of another program:\n" +
			"as the rules that ipvsadm -R restores, lvs_timeouts as --set.\n\n" + bounded,
		Example: `  keepc export lb01.conf
  keepc export lb01.conf | ipvsadm -R`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return run.main(run.oneFile(args)) },
	}
	c.Flags().BoolVar(&run.ipvsadm, "ipvsadm", true, "rules for ipvsadm")
	return c
}

func (r *exportRun) main(name string) error {
	if !r.ipvsadm {
		return errors.New("expected --ipvsadm: the form to write")
	}
	l := r.load(name)
	if l.Config == nil {
		fmt.Fprintln(r.Stderr, l.Refused)
		return exit{code: l.code}
	}
	r.tell(l)
	return failed(ipvsadm.Write(r.Stdout, state.Desired(l.Config, state.Situation{})))
}
