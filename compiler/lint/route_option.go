package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// routeOptionRules are about options of routes and routing rules that do not go with others.
func routeOptionRules() []Rule {
	return []Rule{
		{
			Name: "option-family", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "An option of a route or rule is not for its family.",
			Text:  "from, pref and expires are for routes of IPv6, realms for routes and rules of IPv4. keepalived reports the line and drops it.",
			Bad:   instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0 pref high\n    }\n"),
			Good:  instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0\n    }\n"),
			Check: func(p *pass) {
				for v, r := range p.routes {
					options, family := []string{"from", "pref", "expires"}, "IPv4"
					if routesIPv6(r) {
						options, family = []string{"realms"}, "IPv6"
					}
					p.foreignOption(r.Origin, "a route of "+owner(v, "static_routes"), family, options)
				}
				for of, r := range p.rules {
					if r.From.Addr().Is6() || r.To.Addr().Is6() || r.HasWord("inet6") {
						p.foreignOption(r.Origin, "a rule of "+of, "IPv6", []string{"realms"})
					}
				}
			},
		},
		{
			Name: "inet-place", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "inet or inet6 does not stand at the end of a route or rule.",
			Text: "keepalived 2.2.7 skips the word behind it: \"inet table 100\" loses the word table, and the line is dropped. Before the address of " +
				"a gateway it stands right.",
			Bad:  instanceText("    virtual_rules {\n        inet6 table 100 preference 100\n    }\n"),
			Good: instanceText("    virtual_rules {\n        table 100 preference 100 inet6\n    }\n"),
			Check: func(p *pass) {
				for _, r := range p.routes {
					p.inetPlace(r.Origin)
				}
				for _, r := range p.rules {
					p.inetPlace(r.Origin)
				}
			},
		},
		{
			Name: "goto-order", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A routing rule jumps backwards, or says not from where.",
			Text:  "goto leads to a rule with a larger preference, and the rule itself has one. keepalived reports the line and drops it.",
			Bad:   instanceText("    virtual_rules {\n        from 198.51.100.0/24 goto 50 preference 100\n    }\n"),
			Good:  instanceText("    virtual_rules {\n        from 198.51.100.0/24 goto 150 preference 100\n    }\n"),
			Check: func(p *pass) {
				for of, r := range p.rules {
					switch {
					case r.Action != ir.Goto:
					case !preferred(r):
						p.report(r.Span(), fmt.Sprintf("a rule of %s goes to %d and has no preference", of, r.Target), "dropped")
					case r.Priority != nil && *r.Priority >= r.Target:
						p.report(r.Span(), fmt.Sprintf("a rule of %s goes from %d to %d", of, *r.Priority, r.Target), "dropped: expected a larger one")
					}
				}
			},
		},
		{
			Name: "virtual-follows-group", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A route or rule of an instance names a track_group.",
			Text:  "track_group is for static routes and rules: those of an instance come and go with it. keepalived does not know the word there.",
			Bad:   "track_group G {\n    group {\n        VI_1\n    }\n}\n" + instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0 track_group G\n    }\n"),
			Good:  "track_group G {\n    group {\n        VI_1\n    }\n}\n" + instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0\n    }\n"),
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, r := range v.Routes {
						if r.TrackGroup != "" {
							p.report(r.Span(), "a route of "+named(v)+" names a track_group", "unknown here: only static routes follow one")
						}
					}
					for _, r := range v.Rules {
						if r.TrackGroup != "" {
							p.report(r.Span(), "a rule of "+named(v)+" names a track_group", "unknown here: only static rules follow one")
						}
					}
				}
			},
		},
	}
}

// foreignOption reports the options of a line that are not for its family.
func (p *pass) foreignOption(o ir.Origin, what, family string, options []string) {
	for _, option := range options {
		if at, ok := lineWord(o, option); ok {
			p.report(at.Span, fmt.Sprintf("%s is of %s and has %s", what, family, option), "dropped")
		}
	}
}

// inetPlace reports a family that does not stand at the end of a line.
func (p *pass) inetPlace(o ir.Origin) {
	if o.Stmt == nil {
		return
	}
	words := o.Stmt.Words
	for i, w := range words[:len(words)-1] {
		gateway := i > 0 && slices.Contains([]string{"via", "gw", "or"}, words[i-1].Text)
		if (w.Text == "inet" || w.Text == "inet6") && !gateway {
			d := p.report(w.Span, fmt.Sprintf("keepalived skips %s behind %s", words[i+1].Text, w.Text), "expected it at the end of the line")
			d.Notes = note(words[i+1].Span, "skipped")
		}
	}
}

// lineWord returns a word of the line that made a part of the configuration.
func lineWord(o ir.Origin, word string) (grammar.Word, bool) {
	if o.Stmt == nil {
		return grammar.Word{}, false
	}
	i := slices.IndexFunc(o.Stmt.Words, func(w grammar.Word) bool { return w.Text == word })
	if i < 0 {
		return grammar.Word{}, false
	}
	return o.Stmt.Words[i], true
}

// routesIPv6 tells whether a route is one of IPv6, by its addresses or its family.
func routesIPv6(r ir.Route) bool {
	switch {
	case r.To.Bits() > 0 || r.To.Addr().Is6():
		return r.To.Addr().Is6()
	case r.Via.IsValid() || r.Src.IsValid():
		return r.Via.Is6() || r.Src.Is6()
	}
	return r.HasWord("inet6") || slices.ContainsFunc(r.Nexthops, func(n ir.Nexthop) bool { return n.Via.Is6() })
}

// preferred tells whether the line of a rule says its preference.
func preferred(r ir.Rule) bool {
	return slices.ContainsFunc([]string{"preference", "order", "priority"}, func(w string) bool { return r.Origin.HasWord(w) })
}
