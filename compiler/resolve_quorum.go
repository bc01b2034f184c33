package compiler

import (
	"net/netip"
	"path"
	"strings"

	"keepc/compiler/ir"
)

// quorumAddress returns the address that the scripts of a quorum add and remove; nil: they do something else, or only
// one of the two.
func quorumAddress(up, down *ir.Command) *ir.Address {
	added, ok := addressCommand(up, "add", "replace")
	if !ok {
		return nil
	}
	gone, ok := addressCommand(down, "delete")
	if !ok || gone.Prefix != added.Prefix || gone.Dev != added.Dev {
		return nil
	}
	return &added
}

// addressCommand reads a command that is only "ip addr VERB ADDRESS dev NAME", with words abbreviated as ip allows.
func addressCommand(c *ir.Command, verbs ...string) (a ir.Address, ok bool) {
	if c == nil {
		return a, false
	}
	words := strings.Fields(strings.Join(c.Args, " "))
	if len(words) == 0 || path.Base(words[0]) != "ip" {
		return a, false
	}
	words = words[1:]
	family := ""
	for len(words) > 0 && (words[0] == "-4" || words[0] == "-6") {
		family, words = words[0], words[1:]
	}
	if len(words) < 3 || !strings.HasPrefix("address", words[0]) {
		return a, false
	}
	known := false
	for _, verb := range verbs {
		known = known || strings.HasPrefix(verb, words[1])
	}
	if !known {
		return a, false
	}
	a.Origin = c.Origin
	for words = words[2:]; len(words) > 0; {
		word := words[0]
		words = words[1:]
		switch word {
		case "dev", "label", "scope", "brd", "broadcast":
			if len(words) == 0 || !addressOption(&a, word, words[0]) {
				return a, false
			}
			words = words[1:]
		case "nodad":
			a.NoDAD = true
		default:
			if a.Prefix.IsValid() {
				return a, false
			}
			if a.Prefix, ok = hostPrefix(word); !ok {
				return a, false
			}
		}
	}
	six := a.Prefix.Addr().Is6()
	return a, a.Prefix.IsValid() && a.Dev != "" && (family == "" || six == (family == "-6"))
}

// addressOption reads an option of ip addr; false: it does not mean the same on the line of an address.
func addressOption(a *ir.Address, word, value string) (ok bool) {
	switch word {
	case "dev":
		a.Dev, ok = value, a.Dev == ""
		return ok
	case "label":
		a.Label = value
		return true
	case "scope":
		for _, s := range []ir.Scope{ir.ScopeGlobal, ir.ScopeSite, ir.ScopeLink, ir.ScopeHost} {
			if s.String() == value {
				a.Scope = s
				return true
			}
		}
		return false
	}
	var err error
	a.Broadcast, err = netip.ParseAddr(value)
	return err == nil
}

// hostPrefix reads an address with the prefix length of its network, or a bare one.
func hostPrefix(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}
