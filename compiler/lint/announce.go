package lint

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// announceRules are about the addresses of virtual servers: who holds them, and what brings them and takes them away.
func announceRules() []Rule {
	up := func(address, more string) string {
		return strings.Replace(serviceText("    alpha\n    omega\n    quorum_up \"/usr/bin/ip addr add "+address+"/32 dev lo\"\n"+more), "", "global_defs {\n    script_user root\n    enable_script_security\n}\n", 1)
	}
	const down = "    quorum_down \"/usr/bin/ip addr del 192.0.2.10/32 dev lo\"\n"
	return []Rule{
		{
			Name: "service-unheld", Severity: diag.Warning,
			Title: "Nothing here holds the address of a virtual server.",
			Text: "Packets reach a virtual server by an address of the director. A file that has instances or static addresses says which addresses " +
				"the director holds: a virtual server of another one receives no traffic, unless the address is there by other means.",
			Bad:  instanceText("") + strings.ReplaceAll(serviceText(""), "192.0.2.10", "203.0.113.50"),
			Good: instanceText("") + serviceText(""),
			Check: func(p *pass) {
				held := map[netip.Addr]bool{}
				for _, a := range p.StaticAddresses {
					held[a.Prefix.Addr()] = true
				}
				for _, v := range p.Instances {
					if len(v.Addresses) == 0 {
						return // which it should have, nobody knows
					}
					for _, a := range v.Addresses {
						held[a.Prefix.Addr()] = true
					}
				}
				if len(held) == 0 {
					return
				}
				for _, v := range p.blocks {
					addr := v.Key.Addr
					if !addr.IsValid() || v.Group != "" || held[addr] || p.host != nil && p.host.Holds(addr) || p.found.Full(diag.Warning) {
						continue
					}
					if added, ok := announced(v.QuorumUp); ok && added == addr {
						continue
					}
					p.report(v.Span(), fmt.Sprintf("no instance and no static address is %s", addr), "receives no traffic").Help = "add the address to an instance, or correct it"
				}
			},
		},
		{
			Name: "quorum-address", Severity: diag.Warning,
			Title: "quorum_up adds an address, and something about that is missing or wrong.",
			Text: "Directors behind a router announce the address of a service while its quorum is there. quorum_up then adds the address of the " +
				"service and no other; quorum_down takes it away; alpha holds it back until the servers are checked; and with omega quorum_down runs at " +
				"a stop, too. Without them the router goes on sending traffic to a director that serves nobody.",
			Bad:  up("192.0.2.11", strings.ReplaceAll(down, "192.0.2.10", "192.0.2.11")),
			Good: up("192.0.2.10", down),
			Service: func(p *pass, v service) {
				added, ok := announced(v.QuorumUp)
				if !ok || v.Group != "" || !v.Key.Addr.IsValid() {
					return
				}
				if added != v.Key.Addr {
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and the service is %s", added, v.Key.Addr), "not the address of the service")
				}
				switch {
				case v.QuorumDown == nil:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and no quorum_down takes it away", added), "stays when the quorum is lost")
				case !v.Omega:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and without omega a stop leaves it", added), "stays after a stop")
				case !v.Alpha:
					p.report(v.QuorumUp.Span(), fmt.Sprintf("quorum_up adds %s, and without alpha it does so before any check", added), "added before the servers are checked")
				}
			},
		},
	}
}

// announced is the address that a command adds with ip, also by a shell; false: none.
func announced(c *ir.Command) (addr netip.Addr, ok bool) {
	if c == nil {
		return addr, false
	}
	words := strings.Fields(strings.Join(c.Args, " "))
	at := slices.IndexFunc(words, func(w string) bool { return path.Base(strings.Trim(w, `"'`)) == "ip" })
	if at < 0 {
		return addr, false
	}
	words = slices.DeleteFunc(words[at+1:], func(w string) bool { return strings.HasPrefix(w, "-") })
	if len(words) < 3 || !strings.HasPrefix("address", words[0]) || words[1] != "add" && words[1] != "replace" && words[1] != "a" {
		return addr, false
	}
	text, _, _ := strings.Cut(strings.Trim(words[2], `"';`), "/")
	addr, err := netip.ParseAddr(text)
	return addr, err == nil
}
