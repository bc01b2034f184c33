package enforced

import (
	"errors"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/pcre"
)

// checks is the block of the checkers.
const checks = "virtual_server.real_server"

// Checked reports whether keepc makes a check. A check that is not made never fails: the server is judged by its other
// checks, or counts as up.
func Checked(c *ir.Check) bool {
	v, _ := always(checks + "." + c.Keyword())
	return v.Answer == Enforced
}

// strangeRegexes are the regular expressions that keepc does not search for.
func strangeRegexes(cfg *ir.Config) (all []within) {
	for _, v := range cfg.VirtualServers {
		for _, r := range v.RealServers {
			for _, c := range r.Checks {
				h, ok := c.Checker.(*ir.HTTPCheck)
				if !ok {
					continue
				}
				for _, u := range h.URLs {
					if u.Regex.Pattern == "" {
						continue
					}
					if _, err := pcre.Compile(u.Regex); err != nil {
						all = append(all, within{path: checks + "." + c.Keyword() + ".url.regex", at: u.At("regex")})
					}
				}
			}
		}
	}
	return all
}

// placelessInstances are unicast instances without an interface, as keepalived 2.2.8 and later allow. The rules report
// any other instance without an interface.
func placelessInstances(cfg *ir.Config) (all []within) {
	for _, v := range cfg.Instances {
		if v.Interface == "" && (v.Has("vrf") || len(v.Unicast) > 0 && v.Has("unicast_src_ip")) {
			all = append(all, within{path: "vrrp_instance", at: v.Span()})
		}
	}
	return all
}

func unverifiedServers(cfg *ir.Config) []within {
	return distrusted(cfg, func(v *ir.Verification) bool { return v == nil })
}

func trustedOtherwise(cfg *ir.Config) []within {
	return distrusted(cfg, func(v *ir.Verification) bool { return v != nil && v.CA != "" })
}

// distrusted is ca of the block SSL, if a check by TLS is verified in a way for which it does not count.
func distrusted(cfg *ir.Config, is func(*ir.Verification) bool) (all []within) {
	if cfg.TLS == nil || cfg.TLS.CA == "" {
		return nil
	}
	for _, v := range cfg.VirtualServers {
		for _, r := range v.RealServers {
			for _, c := range r.Checks {
				if h, ok := c.Checker.(*ir.HTTPCheck); ok && h.TLS && is(h.Verification) {
					return []within{{path: "SSL.ca", at: cfg.TLS.At("ca")}}
				}
			}
		}
	}
	return nil
}

func keylessInstances(cfg *ir.Config) []within {
	return signing(cfg, func(h *ir.AuthHMAC) bool { return len(h.Keys) == 0 })
}

func inactiveKeys(cfg *ir.Config) []within {
	return signing(cfg, func(h *ir.AuthHMAC) bool { _, signs := h.Active(); return len(h.Keys) > 0 && !signs })
}

func oddKeys(cfg *ir.Config) []within {
	return signing(cfg, func(h *ir.AuthHMAC) bool {
		return slices.ContainsFunc(h.Keys, func(k ir.HMACKey) bool {
			_, err := k.Bytes()
			return err != nil && !errors.Is(err, ir.ErrKeyInFile)
		})
	})
}

func keysInFiles(cfg *ir.Config) []within {
	return signing(cfg, func(h *ir.AuthHMAC) bool {
		return slices.ContainsFunc(h.Keys, func(k ir.HMACKey) bool { _, err := k.Bytes(); return errors.Is(err, ir.ErrKeyInFile) })
	})
}

func signing(cfg *ir.Config, which func(*ir.AuthHMAC) bool) (all []within) {
	for _, v := range cfg.Instances {
		if v.AuthHMAC != nil && which(v.AuthHMAC) {
			all = append(all, within{path: "vrrp_instance.auth_hmac", at: v.At("auth_hmac")})
		}
	}
	return all
}

// What keepc does about an ipvlan interface depends on where its instance sends, and from which address.
func spokenByBase(cfg *ir.Config) []within {
	return ipvlans(cfg, func(v *ir.VRRPInstance) bool { return v.Group().IsValid() && !speechlessOn(v) })
}

func speechlessIPVLAN(cfg *ir.Config) []within { return ipvlans(cfg, speechlessOn) }

func unicastIPVLAN(cfg *ir.Config) []within {
	return ipvlans(cfg, func(v *ir.VRRPInstance) bool { return !v.Group().IsValid() && !speechlessOn(v) })
}

func speechlessOn(v *ir.VRRPInstance) bool {
	_, ok := v.IPVLAN.Source()
	return !ok && !v.IPv6()
}

func ipvlans(cfg *ir.Config, which func(*ir.VRRPInstance) bool) (all []within) {
	for _, v := range cfg.Instances {
		if v.IPVLAN != nil && which(v) {
			all = append(all, within{path: "vrrp_instance.use_ipvlan", at: v.At("use_ipvlan")})
		}
	}
	return all
}

func staticLines(cfg *ir.Config) []within {
	return append(routeLines("static_routes", cfg.StaticRoutes), ruleLines("static_rules", cfg.StaticRules)...)
}

func virtualLines(cfg *ir.Config) (all []within) {
	for _, v := range cfg.Instances {
		all = append(all, routeLines("vrrp_instance.virtual_routes", v.Routes)...)
		all = append(all, ruleLines("vrrp_instance.virtual_rules", v.Rules)...)
	}
	return all
}

func routeLines(block string, lines []ir.Route) (all []within) {
	for _, r := range lines {
		if what, word := route(r); what != "" && !word {
			all = append(all, within{path: block, value: "with " + what, at: r.Span()})
		}
	}
	return all
}

func ruleLines(block string, lines []ir.Rule) (all []within) {
	for _, r := range lines {
		if what, word := rule(r); what != "" && !word {
			all = append(all, within{path: block, value: "with " + what, at: r.Span()})
		}
	}
	return all
}

// Route reports whether keepc makes a route. It leaves out a line with a word without which the route would be a
// different one.
func Route(r ir.Route) bool { what, _ := route(r); return what == "" }

// Rule reports whether keepc makes a rule.
func Rule(r ir.Rule) bool { what, _ := rule(r); return what == "" }

// route names what a line asks for that is not enforced, and reports whether that word has its own entry in the list;
// empty: nothing.
func route(r ir.Route) (what string, word bool) {
	switch {
	case !lightweight(r.Encap):
		return "encap " + strings.Fields(r.Encap)[0] + " or its flags", false
	case r.As.IsValid():
		return "as", true
	case r.VRF != "":
		return "vrf", true
	case r.IPv6 && r.Via.Is4():
		return "via of the other family", false
	}
	for _, n := range []ir.Number{r.Table, r.TOS, r.Protocol} {
		if n.Name != "" {
			return "the name " + n.Name, false
		}
	}
	if _, ok := ir.ParseRealms(r.Realms); !ok {
		return "realms by name", false
	}
	for _, n := range r.Nexthops {
		if _, ok := ir.ParseRealms(n.Realms); !ok {
			return "realms by name", false
		}
		if !lightweight(n.Encap) {
			return "encap " + strings.Fields(n.Encap)[0] + " or its flags", false
		}
	}
	return "", false
}

// lightweight reports whether keepc makes the lightweight tunnel of a route.
func lightweight(encap string) bool {
	words := strings.Fields(encap)
	return len(words) == 0 || (words[0] == "ip" || words[0] == "ip6") && !slices.Contains(words, "flags")
}

// rule does for rules what route does for routes.
func rule(r ir.Rule) (what string, word bool) {
	numbers := []ir.Number{r.Table, r.TOS, r.Protocol, r.IPProto}
	if r.SuppressGroup != nil {
		numbers = append(numbers, *r.SuppressGroup)
	}
	for _, n := range numbers {
		if n.Name != "" {
			return "the name " + n.Name, false
		}
	}
	switch _, ok := ir.ParseRealms(r.Realms); {
	case !ok:
		return "realms by name", false
	case r.Action == ir.Lookup && r.Table == ir.Number{} && !r.L3MDev: // the kernel would choose a different free table each time
		return "table 0", false
	}
	return "", false
}
