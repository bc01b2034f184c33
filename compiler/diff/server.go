package diff

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// What happens to a real server at the reload.
const (
	Kept      Verdict = "kept with its state"
	Rechecked Verdict = "re-checked"
	Drained   Verdict = "drained"
	Removed   Verdict = "removed"
	Added     Verdict = "added" // it did not exist before
)

// A Server is what happens to a real server of a service.
type Server struct {
	Key     state.DestinationKey
	Verdict Verdict
	Reason  string
	Origin  source.Span // in the new file; zero: it is gone
}

// servers judges every real server of both sides.
func servers(before, after *ir.Config, changes changed) (list []Server) {
	old, now := realServers(before), realServers(after)
	list = make([]Server, 0, len(now.keys))
	for _, k := range now.keys {
		b, x := old.servers[k], now.servers[k]
		s := Server{Key: k, Origin: x.Span()}
		if b == nil {
			s.Verdict, s.Reason = Added, beginning(now.services[k.Service], x)
		} else {
			s.Verdict, s.Reason = judgeServer(b, x, changes.byOwner[k])
		}
		list = append(list, s)
	}
	for _, k := range old.keys {
		switch {
		case now.servers[k] != nil:
		case now.services[k.Service] != nil:
			list = append(list, Server{Key: k, Verdict: Removed, Reason: "no longer in the configuration"})
		default:
			list = append(list, Server{Key: k, Verdict: Removed, Reason: "its service goes"})
		}
	}
	return list
}

// A serverSet has the services and real servers of a file that count: the first of each key.
type serverSet struct {
	keys     []state.DestinationKey // in file order
	servers  map[state.DestinationKey]*ir.RealServer
	services map[ir.ServiceKey]*ir.VirtualServer
}

func realServers(cfg *ir.Config) serverSet {
	n := 0
	for _, v := range cfg.VirtualServers {
		n += len(v.RealServers)
	}
	set := serverSet{
		keys: make([]state.DestinationKey, 0, n), servers: make(map[state.DestinationKey]*ir.RealServer, n),
		services: make(map[ir.ServiceKey]*ir.VirtualServer, len(cfg.VirtualServers)),
	}
	for _, v := range cfg.VirtualServers {
		if set.services[v.Key] != nil {
			continue
		}
		set.services[v.Key] = v
		for _, r := range v.RealServers {
			k := state.DestinationKey{Service: v.Key, Server: r.Addr}
			if set.servers[k] == nil {
				set.servers[k] = r
				set.keys = append(set.keys, k)
			}
		}
	}
	return set
}

// beginning says how a new real server of a service starts.
func beginning(v *ir.VirtualServer, x *ir.RealServer) string {
	switch {
	case len(x.Checks) == 0:
		return "always up: it has no check"
	case !slices.ContainsFunc(x.Checks, enforced.Checked):
		return "up: not checked (" + names(x.Checks) + ")"
	case v.Alpha || x.Alpha || slices.ContainsFunc(x.Checks, func(c *ir.Check) bool { return c.Alpha && enforced.Checked(c) }):
		return "down until its first check succeeds: alpha"
	}
	return "up until its first check fails"
}

// names lists the keywords of checks, once each.
func names(checks []*ir.Check) string {
	var list []string
	for _, c := range checks {
		if !slices.Contains(list, c.Keyword()) {
			list = append(list, c.Keyword())
		}
	}
	return strings.Join(list, ", ")
}

func judgeServer(old, now *ir.RealServer, changes []*Setting) (Verdict, string) {
	if old.Weight > 0 && now.Weight == 0 {
		return Drained, "no new connections; those that it has go on"
	}
	if gone, come := compareChecks(old.Checks, now.Checks); gone+come > 0 {
		return Rechecked, recheck(old, now, gone, come, changes)
	}
	if old.Weight == 0 && now.Weight > 0 {
		return Kept, fmt.Sprintf("weight 0 -> %d: it gets connections again", now.Weight)
	}
	if len(now.Checks) > 0 && !slices.ContainsFunc(now.Checks, enforced.Checked) {
		return Kept, "up: not checked (" + names(now.Checks) + ")"
	}
	return Kept, "its checks and their counters go on"
}

// maxReasons is the number of reasons that are listed.
const maxReasons = 3

// recheck says why and how a server is checked again.
func recheck(old, now *ir.RealServer, gone, come int, changes []*Setting) string {
	if come == 0 && !slices.ContainsFunc(now.Checks, enforced.Checked) {
		return "no check is left: it counts as up"
	}
	var what []string
	for _, c := range changes {
		switch {
		case !inCheck(c.Path):
		case c.Inherited:
			what = append(what, c.String())
		default:
			what = append(what, "another "+c.Name) // which has its own Setting
		}
	}
	if !sameTrust(old.Checks, now.Checks) {
		what = append(what, "another verify_certificates in .keepc.conf")
	}
	standing := "it keeps its state until the new check has a result"
	if come == 0 {
		standing = "the others decide"
	}
	if n := len(what) - maxReasons; n > 0 {
		what = append(what[:maxReasons], fmt.Sprintf("%d more", n))
	}
	return strings.Join(append(what, standing), "; ")
}

// sameTrust reports whether the settings judge the certificates of a server as before. They are not in the file, so no Setting says it.
func sameTrust(old, now []*ir.Check) bool {
	a, b := trust(old), trust(now)
	return a == nil || b == nil || (*a).Same(*b)
}

// trust is how the first check by TLS judges certificates, as all of them do; nil: there is none.
func trust(checks []*ir.Check) **ir.Verification {
	for _, c := range checks {
		if h, ok := c.Checker.(*ir.HTTPCheck); ok && h.TLS {
			return &h.Verification
		}
	}
	return nil
}

// inCheck reports whether a keyword is a check, or is inside one.
func inCheck(path string) bool {
	words := strings.Split(path, ".")
	return len(words) > 3 || strings.HasSuffix(path, "_CHECK") || strings.HasSuffix(path, "_GET")
}

// compareChecks counts the checks that end and those that start, by what a reload identifies them by. Checks that
// keepc does not make are not counted.
func compareChecks(old, now []*ir.Check) (gone, come int) {
	has := func(list []*ir.Check, c *ir.Check) bool {
		return slices.ContainsFunc(list, c.Same)
	}
	for _, c := range old {
		if enforced.Checked(c) && !has(now, c) {
			gone++
		}
	}
	for _, c := range now {
		if enforced.Checked(c) && !has(old, c) {
			come++
		}
	}
	return gone, come
}
