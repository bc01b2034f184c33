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

// What becomes of a real server at the reload.
const (
	Kept      Verdict = "kept with its state"
	Rechecked Verdict = "re-checked"
	Drained   Verdict = "drained"
	Removed   Verdict = "removed"
	Added     Verdict = "added" // it was not there before
)

// A Server is what becomes of a real server of a service.
type Server struct {
	Key     state.DestinationKey
	Verdict Verdict
	Reason  string
	Origin  source.Span // in the new file; zero: it is gone
}

// servers judges every real server of both sides.
func servers(before, after *ir.Config, changes changed) (list []Server) {
	old, now := realServers(before), realServers(after)
	for _, x := range now.list {
		b := old.byKey[x.key]
		s := Server{Key: x.key, Origin: x.Span()}
		if b == nil {
			s.Verdict, s.Reason = Added, beginning(x)
		} else {
			s.Verdict, s.Reason = judgeServer(b, x, changes.byOwner[x.key])
		}
		list = append(list, s)
	}
	for _, x := range old.list {
		switch {
		case now.byKey[x.key] != nil:
		case now.services[x.key.Service]:
			list = append(list, Server{Key: x.key, Verdict: Removed, Reason: "no longer in the configuration"})
		default:
			list = append(list, Server{Key: x.key, Verdict: Removed, Reason: "its service goes"})
		}
	}
	return list
}

// A realServer is one with its place.
type realServer struct {
	*ir.RealServer
	service *ir.VirtualServer
	key     state.DestinationKey
}

type serverSet struct {
	list     []*realServer
	byKey    map[state.DestinationKey]*realServer
	services map[ir.ServiceKey]bool
}

func realServers(cfg *ir.Config) serverSet {
	set := serverSet{byKey: map[state.DestinationKey]*realServer{}, services: map[ir.ServiceKey]bool{}}
	for _, v := range cfg.VirtualServers {
		if set.services[v.Key] {
			continue // twice the same service: the first one counts
		}
		set.services[v.Key] = true
		for _, r := range v.RealServers {
			x := &realServer{r, v, state.DestinationKey{Service: v.Key, Server: r.Addr}}
			if set.byKey[x.key] == nil {
				set.byKey[x.key] = x
				set.list = append(set.list, x)
			}
		}
	}
	return set
}

// beginning says how a new real server begins.
func beginning(x *realServer) string {
	switch {
	case len(x.Checks) == 0:
		return "always up: it has no check"
	case !slices.ContainsFunc(x.Checks, enforced.Checked):
		return "up: not checked (" + names(x.Checks) + ")"
	case x.service.Alpha || x.Alpha || slices.ContainsFunc(x.Checks, func(c *ir.Check) bool { return c.Alpha && enforced.Checked(c) }):
		return "down until its first check succeeds: alpha"
	}
	return "up until its first check fails"
}

// names lists the keywords of checks, each once.
func names(checks []*ir.Check) string {
	var list []string
	for _, c := range checks {
		if !slices.Contains(list, c.Keyword()) {
			list = append(list, c.Keyword())
		}
	}
	return strings.Join(list, ", ")
}

func judgeServer(old, now *realServer, changes []Setting) (Verdict, string) {
	if old.Weight > 0 && now.Weight == 0 {
		return Drained, "no new connections; those that it has go on"
	}
	if gone, come := compareChecks(old.Checks, now.Checks); gone+come > 0 {
		return Rechecked, recheck(now, gone, come, changes)
	}
	if old.Weight == 0 && now.Weight > 0 {
		return Kept, fmt.Sprintf("weight 0 -> %d: it gets connections again", now.Weight)
	}
	if len(now.Checks) > 0 && !slices.ContainsFunc(now.Checks, enforced.Checked) {
		return Kept, "up: not checked (" + names(now.Checks) + ")"
	}
	return Kept, "its checks and their counters go on"
}

// maxReasons is how many of several reasons are told.
const maxReasons = 3

// recheck says why and how a server is checked anew.
func recheck(now *realServer, gone, come int, changes []Setting) string {
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
			what = append(what, "another "+c.Name) // which is a Setting of its own
		}
	}
	standing := "it keeps its standing until the new check has a result"
	if come == 0 {
		standing = "the others decide"
	}
	if n := len(what) - maxReasons; n > 0 {
		what = append(what[:maxReasons], fmt.Sprintf("%d more", n))
	}
	return strings.Join(append(what, standing), "; ")
}

// inCheck tells whether a keyword is a check, or stands in one.
func inCheck(path string) bool {
	words := strings.Split(path, ".")
	return len(words) > 3 || strings.HasSuffix(path, "_CHECK") || strings.HasSuffix(path, "_GET")
}

// compareChecks counts the checks that end and those that begin, by what a reload tells them apart by. Those that are not made do neither.
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
