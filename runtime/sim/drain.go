package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
)

// parseDrain reads what an operator drains on a node, or puts back: an announcement, or a real server.
func parseDrain(drains bool) func(*parser) (act, error) {
	return func(p *parser) (act, error) {
		nodes, err := p.nodes()
		if err != nil {
			return act{}, err
		}
		word := p.next()
		verb := map[bool]string{true: " drains ", false: " enables "}[drains]
		one := func(do func(*world, *node)) func(*Cluster, int) act {
			return func(c *Cluster, i int) act { return ofNode(c, i, verb+word, do) }
		}
		if is, ok := serverNamed(word); ok {
			zero := new(int)
			if !drains {
				zero = nil
			}
			for _, i := range nodes {
				if len(places(p.cluster.nodes[i].Config, is)) == 0 {
					return act{}, fmt.Errorf("%s has no real server %s", p.cluster.nodes[i].Name, word)
				}
			}
			return several(p.cluster, nodes, one(func(w *world, n *node) {
				w.deliver(n, balance.Assign{Servers: places(n.cfg, is), Weight: zero})
			})), nil
		}
		for _, i := range nodes {
			if err := announces(p.cluster.nodes[i], word); err != nil {
				return act{}, err
			}
		}
		return several(p.cluster, nodes, one(func(w *world, n *node) { w.deliver(n, balance.Drain{Name: word, End: !drains}) })), nil
	}
}

// serverNamed returns which real servers a word names: all with an address, or the one with the port; false: neither.
func serverNamed(word string) (is func(netip.AddrPort) bool, ok bool) {
	if a, err := netip.ParseAddr(word); err == nil {
		return func(s netip.AddrPort) bool { return s.Addr() == a }, true
	}
	one, err := netip.ParseAddrPort(word)
	return func(s netip.AddrPort) bool { return s == one }, err == nil
}

// places returns the keys of real servers in the services of a configuration.
func places(cfg *ir.Config, is func(netip.AddrPort) bool) (list []state.DestinationKey) {
	for _, v := range cfg.VirtualServers {
		for _, r := range v.RealServers {
			if is(r.Addr) {
				list = append(list, state.DestinationKey{Service: v.Key, Server: r.Addr})
			}
		}
	}
	return list
}

// announces returns an error if the configuration of a node has no announcement with a name.
func announces(n Node, name string) error {
	var names []string
	for _, a := range n.Config.Announcements {
		names = append(names, a.Name.Text)
	}
	switch {
	case slices.Contains(names, name):
		return nil
	case name == "":
		return errors.New("the name of an announcement, or the address of a real server, is missing")
	case len(names) == 0:
		return fmt.Errorf("%s announces nothing", n.Name)
	}
	return fmt.Errorf("%s has no announcement %q; it has %s", n.Name, name, strings.Join(names, ", "))
}

// expectStage reads the stage that an announced address has on nodes.
func expectStage(p *parser, word string) (condition, error) {
	a, err := netip.ParseAddr(word)
	if err != nil {
		return condition{}, err
	}
	want := state.ParseStage(p.next())
	nodes := p.cluster.everybody()
	if p.takes("on") {
		if nodes, err = p.nodes(); err != nil {
			return condition{}, err
		}
	}
	return condition{met: func(w *world) (bool, string) {
		for _, i := range nodes {
			n, now := w.nodes[i], state.Announcement{Why: "the daemon does not run"}
			if n.brains != nil {
				now = n.brains.balance.Situation().Announced[a]
			}
			if now.Stage != want {
				return false, fmt.Sprintf("%s: %v is %v: %s", n.name, a, now.Stage, now.Why)
			}
		}
		return true, ""
	}}, nil
}

// isStage reports whether a condition is about the stage of an announced address.
func isStage(p *parser, word string) bool {
	return isAddress(p, word) && len(p.words) > 0 && state.IsStage(p.words[0])
}
