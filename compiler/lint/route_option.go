package lint

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// routeOptionRules are about options of routes and routing rules that cannot be combined with others.
func routeOptionRules() []Rule {
	return []Rule{
		{
			Name: "inet-place", Severity: diag.Error, Loss: diag.DropsWord,
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

// familyOptions reports the options of routes and rules that are for the other family.
func (p *pass) familyOptions() {
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
}

// foreignOption reports the options of a line that are not for its family.
func (p *pass) foreignOption(o ir.Origin, what, family string, options []string) {
	for _, option := range options {
		if at, ok := lineWord(o, option); ok {
			p.report(at.Span, fmt.Sprintf("%s is of %s and has %s", what, family, option), "dropped").Former = "option-family"
		}
	}
}

// inetPlace reports a family that is not at the end of a line.
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

// routesIPv6 reports whether a route is IPv6, by its addresses or its family.
func routesIPv6(r ir.Route) bool {
	switch {
	case r.To.Bits() > 0 || r.To.Addr().Is6():
		return r.To.Addr().Is6()
	case r.Via.IsValid() || r.Src.IsValid():
		return r.Via.Is6() || r.Src.Is6()
	}
	return r.HasWord("inet6") || slices.ContainsFunc(r.Nexthops, func(n ir.Nexthop) bool { return n.Via.Is6() })
}

// preferred reports whether the line of a rule has a preference.
func preferred(r ir.Rule) bool {
	return slices.ContainsFunc([]string{"preference", "order", "priority"}, func(w string) bool { return r.Origin.HasWord(w) })
}
