package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"keepc/compiler/facts"
	"keepc/compiler/ir"
)

// A factsRun is one run of the verb facts.
type factsRun struct{ *App }

func (a *App) facts() *cobra.Command {
	run := &factsRun{App: a}
	return &cobra.Command{
		Use:   "facts [files...]",
		Short: "Record what check and plan need to know about this host",
		Long: "Write a JSON document about this host: interfaces, addresses, routes, rules, virtual servers, users, settings, and the modes of\n" +
			"the files that the configuration names; with net_namespace in its first file, about that namespace. check --facts and plan --facts\n" +
			"use it on any other machine. It holds no secrets. Reading virtual servers needs CAP_NET_ADMIN; without it they are left out.",
		Example: `  keepc facts > lb01.json
  keepc facts keepalived.conf > lb01.json
  ssh root@lb01 keepc facts | keepc plan --facts - keepalived.conf`,
		Annotations: onHost(formats("json")),
		RunE:        func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
}

func (r *factsRun) main(names []string) error {
	cfg := r.config(names)
	came, err := r.enterFor(cfg, nil)
	if err != nil {
		return failed(err)
	}
	k, err := opens(cfg, came)()
	if err != nil {
		return failed(err)
	}
	defer k.Close()
	host, err := observe(k)
	if err != nil {
		return failed(err)
	}
	if host.IPVS == facts.Denied {
		fmt.Fprintln(r.Stderr, "keepc: the facts have no virtual servers: reading them needs CAP_NET_ADMIN")
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

// config is the configuration of the first file, which names the network namespace that the facts are of; nil: there is none that can be read
// twice, or it is the default one and not there.
func (r *factsRun) config(names []string) *ir.Config {
	name := r.defaultFile()
	if len(names) > 0 {
		name = names[0]
	}
	if name == "-" {
		return nil
	}
	f := r.file(job{name: name, ids: r.ids, about: thisHost{r.App}})
	if f.err != nil || len(f.readings) == 0 {
		return nil // ask tells why
	}
	return f.readings[0].Config
}

// ask adds what the rules ask about this host when they judge its files. The default file is optional.
func (r *factsRun) ask(host *facts.Host, names []string) error {
	judge := func(name string) error {
		return r.file(job{name: name, ids: r.ids, about: noting{thisHost{r.App}, host}, settings: r.settingsFor(name)}).err
	}
	if len(names) == 0 {
		if err := judge(r.defaultFile()); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range names {
		if err := judge(name); err != nil {
			return err
		}
	}
	return nil
}
