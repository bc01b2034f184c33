package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"keepc/compiler/facts"
	"keepc/runtime/kernel"
)

// A factsRun is one run of the verb facts.
type factsRun struct{ *App }

func (a *App) facts() *cobra.Command {
	run := &factsRun{App: a}
	return &cobra.Command{
		Use:   "facts [files...]",
		Short: "Write down what check and plan want to know of this host",
		Long: "Write a JSON document of this host: interfaces, addresses, routes, rules, virtual servers, users, settings, and the modes of\n" +
			"the files that the configuration names. check --facts and plan --facts judge by it on any other machine.\n" +
			"It holds no secrets. Virtual servers want CAP_NET_ADMIN; without it they are left out.",
		Example: `  keepc facts > lb01.json
  keepc facts keepalived.conf > lb01.json
  ssh root@lb01 keepc facts | keepc plan --facts - keepalived.conf`,
		Annotations: onHost(nil),
		RunE:        func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
}

func (r *factsRun) main(names []string) error {
	k, err := kernel.Open()
	if err != nil {
		return failed(err)
	}
	defer k.Close()
	host, err := observe(k)
	if err != nil {
		return failed(err)
	}
	if host.IPVS == facts.Denied {
		fmt.Fprintln(r.Stderr, "keepc: the virtual servers are not among the facts: reading them needs CAP_NET_ADMIN")
	}
	r.describe(host)
	if err := r.ask(host, names); err != nil {
		return failed(err)
	}
	if err := host.Write(r.Stdout); err != nil {
		return failed(fmt.Errorf("write the facts: %w", err))
	}
	return nil
}

// ask adds what the rules ask about this host when they judge its files. The default file need not be there.
func (r *factsRun) ask(host *facts.Host, names []string) error {
	about := noting{thisHost{r.App}, host}
	if len(names) == 0 {
		if err := r.file(job{name: r.defaultFile(), ids: r.ids, about: about}).err; !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range names {
		if err := r.file(job{name: name, ids: r.ids, about: about}).err; err != nil {
			return err
		}
	}
	return nil
}
