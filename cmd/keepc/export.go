package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"keepc/compiler/engine"
	"keepc/compiler/ipvsadm"
	"keepc/compiler/state"
)

// An exportRun is one run of the verb export.
type exportRun struct {
	*App
	ipvsadm   bool
	frr, bird bool
	asn       uint32
}

func (a *App) export() *cobra.Command {
	run := &exportRun{App: a}
	c := &cobra.Command{
		Use:   "export [file]",
		Short: "Write virtual servers or announcements for another program",
		Long: "Write the virtual servers of a file, with every real server up and no sorry server, in the format of another program:\n" +
			"as the rules that ipvsadm -R restores, lvs_timeouts as --set.\n\n" +
			"With --frr or --bird, write the configuration with which that routing engine exports what the .keepc.conf of the file announces.\n\n" + bounded,
		Example: `  keepc export lb01.conf
  keepc export lb01.conf | ipvsadm -R
  keepc export --frr --asn 64512 lb01.conf | vtysh -f /dev/stdin
  keepc export --bird lb01.conf > /etc/bird/keepc.conf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return run.main(run.oneFile(args)) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.ipvsadm, "ipvsadm", true, "rules for ipvsadm")
	f.BoolVar(&run.frr, "frr", false, "the lines for frr.conf (FRR)")
	f.BoolVar(&run.bird, "bird", false, "the lines for bird.conf (BIRD 2)")
	f.Uint32Var(&run.asn, "asn", 0, "the autonomous system of the \"router bgp\" of FRR; 0: its lines are comments")
	c.MarkFlagsMutuallyExclusive("ipvsadm", "frr", "bird")
	return c
}

func (r *exportRun) main(name string) error {
	routing := r.frr || r.bird
	if !r.ipvsadm && !routing {
		return errors.New("expected --ipvsadm, --frr or --bird: the format to write")
	}
	l := r.load(name)
	if l.Config == nil {
		return r.refuse(l.code, l.Refused)
	}
	r.tell(l)
	switch {
	case routing && len(l.Config.Announced()) == 0:
		return exit{exitFailed, fmt.Errorf("%s announces nothing: no %s for it has an announce block", l.name, settingsName)}
	case r.frr:
		return failed(engine.FRR(r.Stdout, l.Config, r.asn))
	case r.bird:
		return failed(engine.BIRD(r.Stdout, l.Config))
	}
	return failed(ipvsadm.Write(r.Stdout, state.Desired(l.Config, state.Situation{})))
}
