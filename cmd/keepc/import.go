package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/draft"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/source"
	"keepc/runtime/kernel"
)

// An importRun is one run of the verb import.
type importRun struct {
	*App
	check string
	vrid  uint8
}

func (a *App) importing() *cobra.Command {
	run := &importRun{App: a}
	c := &cobra.Command{
		Use:   "import [files...]",
		Short: "Write a configuration from what was set by hand",
		Long: "Write virtual_server and vrrp_instance blocks for what was set by hand. Files and standard input (\"-\") hold what ipvsadm -Sn,\n" +
			"ipvsadm -Ln --timeout, ip addr and ip -j addr print, or the commands themselves, in any order. Without files it is what this\n" +
			"host's kernel has, which needs CAP_NET_ADMIN.\n\n" +
			"An address moves with a vrrp_instance when it is secondary, has a label, was set by a command, or is that of a virtual server.\n" +
			"Its virtual_router_id, priority and state are guesses: review them.",
		Example: `  keepc import > keepalived.conf
  (ipvsadm -Sn; ip addr) | keepc import - > keepalived.conf
  keepc import --check ping --vrid 62 setup.sh`,
		RunE: func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&run.check, "check", "connect", "how real servers are checked: "+strings.Join(draft.Checks(), ", "))
	f.Uint8Var(&run.vrid, "vrid", 0, "the `NUMBER` of the first instance (virtual_router_id); 0: the last byte of its first address")
	return c
}

func (r *importRun) main(names []string) error {
	if !slices.Contains(draft.Checks(), r.check) {
		return fmt.Errorf("--check %s: expected one of %s", r.check, strings.Join(draft.Checks(), ", "))
	}
	host, found, err := r.host(names)
	if err != nil {
		return failed(err)
	}
	text := host.Config(draft.Options{Check: r.check, VRID: r.vrid})
	if len(text) == 0 && !found {
		return failed(errors.New("there is no virtual server and no virtual address"))
	}
	if _, err := r.Stdout.Write(text); err != nil {
		return failed(fmt.Errorf("write the configuration: %w", err))
	}
	if found {
		return exit{code: exitFindings}
	}
	return nil
}

// host returns what the files contain, or what the kernel has if there are none. found: lines that were not understood
// have been reported.
func (r *importRun) host(names []string) (h draft.Host, found bool, err error) {
	if len(names) == 0 {
		h, err = live()
		return h, false, err
	}
	for _, name := range names {
		text, err := r.readAny(name)
		if err != nil {
			return h, false, err
		}
		if isConfig(text) {
			return h, false, fmt.Errorf("%s is a keepalived.conf: expected what ipvsadm or ip addr print, or their commands", r.shown(name))
		}
		odd := h.Read(text)
		for i, f := range odd {
			if i == maxTold {
				fmt.Fprintf(r.Stderr, "%s: %d more lines like these\n", r.shown(name), len(odd)-i)
				break
			}
			fmt.Fprintf(r.Stderr, "%s:%s\n", r.shown(name), f)
		}
		found = found || len(odd) > 0
	}
	return h, found, nil
}

// maxTold is the number of lines per file that are reported as not understood.
const maxTold = 10

// isConfig reports whether a text begins with a keyword of keepalived.conf.
func isConfig(text []byte) bool {
	file, _ := grammar.Parse(source.New("", text))
	if len(file.Stmts) == 0 {
		return false
	}
	word := file.Stmts[0].Keyword()
	return slices.ContainsFunc(schema.Find(word), func(path []*schema.Keyword) bool { return len(path) == 1 })
}

// live returns what this host has.
func live() (h draft.Host, err error) {
	k, err := kernel.Open()
	if err != nil {
		return h, err
	}
	defer k.Close()
	var noIPVS error
	if h.State, noIPVS, err = kernel.Observe(k); err != nil {
		return h, err
	}
	if noIPVS != nil && !errors.Is(noIPVS, kernel.ErrNoIPVS) {
		return h, fmt.Errorf("read the virtual servers: %w", noIPVS)
	}
	if h.State.Timeouts[state.TimeoutsKey{}] == kernel.DefaultTimeouts() {
		delete(h.State.Timeouts, state.TimeoutsKey{})
	}
	links, err := k.Links()
	if err != nil {
		return h, fmt.Errorf("list the interfaces: %w", err)
	}
	for _, l := range links {
		for _, a := range l.Addrs { // in kernel order
			for key, address := range h.State.Addresses {
				if key.Dev == l.Name && key.Prefix.Addr() == a {
					h.Addresses = append(h.Addresses, draft.Address{AddressKey: key, Address: address})
				}
			}
		}
	}
	draft.Secondary(h.Addresses)
	return h, nil
}
