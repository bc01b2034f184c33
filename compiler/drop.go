package compiler

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// drop removes from a configuration what keepalived drops because of other lines: lines of lists, groups and instances
// that a finding of a rule is about. What cannot be read by itself is not in the configuration to begin with.
func drop(cfg *ir.Config, file *grammar.File, found diag.List) {
	var lost, weightless dropped
	for _, d := range found {
		if d.Rule == "sync-weight" && d.Loss == diag.GoesOnWith {
			weightless = append(weightless, d.Span)
		}
		if d.DropsLine() {
			lost = append(lost, d.Span)
			lost = append(lost, d.More...)
		}
	}
	cfg.StaticAddresses = without(lost, cfg.StaticAddresses, func(a ir.Address) ir.Origin { return a.Origin })
	cfg.StaticRoutes = without(lost, cfg.StaticRoutes, func(r ir.Route) ir.Origin { return r.Origin })
	cfg.StaticRules = without(lost, cfg.StaticRules, func(r ir.Rule) ir.Origin { return r.Origin })
	for _, g := range cfg.SyncGroups {
		g.Members = slices.DeleteFunc(g.Members, func(n ir.Name) bool { return slices.Contains(lost, n.Span) })
	}
	cfg.SyncGroups = without(lost, cfg.SyncGroups, func(g *ir.SyncGroup) ir.Origin { return g.Origin })
	cfg.SyncGroups = slices.DeleteFunc(cfg.SyncGroups, func(g *ir.SyncGroup) bool { return len(g.Members) == 0 })
	for _, d := range found {
		if d.Loss == diag.DropsInstance && d.Severity == diag.Error {
			at := dropped{d.Span}
			cfg.Instances = slices.DeleteFunc(cfg.Instances, func(v *ir.VRRPInstance) bool { return at.inBlock(v.Origin) })
		}
	}
	linkGroups(cfg)
	linkTrackGroups(cfg, file)
	gone := map[string]bool{} // tracked blocks without a setting of their own
	unsaid := func(name string, empty bool) bool {
		gone[name] = gone[name] || empty
		return empty
	}
	cfg.Scripts = slices.DeleteFunc(cfg.Scripts, func(s *ir.Script) bool { return unsaid(s.Name, len(s.Command.Args) == 0) })
	cfg.TrackFiles = slices.DeleteFunc(cfg.TrackFiles, func(f *ir.TrackFile) bool { return unsaid(f.Name, f.File == "") })
	cfg.TrackProcesses = slices.DeleteFunc(cfg.TrackProcesses, func(p *ir.TrackProcess) bool { return unsaid(p.Name, len(p.Process) == 0) })
	for _, tracks := range trackers(cfg) {
		*tracks = slices.DeleteFunc(*tracks, func(t ir.Track) bool { return gone[t.Name] })
		*tracks = without(lost, *tracks, func(t ir.Track) ir.Origin { return t.Origin })
		for i := range *tracks {
			if t := &(*tracks)[i]; weightless.line(t.Origin) {
				t.Weight = &ir.Weight{}
			}
		}
	}
	for _, v := range cfg.Instances {
		v.Addresses = without(lost, v.Addresses, func(a ir.Address) ir.Origin { return a.Origin })
		v.Routes = without(lost, v.Routes, func(r ir.Route) ir.Origin { return r.Origin })
		v.Rules = without(lost, v.Rules, func(r ir.Rule) ir.Origin { return r.Origin })
		v.Unicast = without(lost, v.Unicast, func(p ir.UnicastPeer) ir.Origin { return p.Origin })
	}
	for _, v := range cfg.Instances {
		if v.Version == 3 {
			v.AdvertInterval = min(v.AdvertInterval, maxInterval)
		}
	}
	for _, v := range cfg.VirtualServers {
		v.RealServers = without(lost, v.RealServers, func(r *ir.RealServer) ir.Origin { return r.Origin })
		if slices.Contains(lost, v.At("sorry_server")) { // the line, not a word of it
			v.SorryServer = nil
		}
	}
	cfg.VirtualServers = slices.DeleteFunc(cfg.VirtualServers, func(v *ir.VirtualServer) bool { return len(v.RealServers) == 0 })
	cfg.VirtualServers = without(lost, cfg.VirtualServers, func(v *ir.VirtualServer) ir.Origin { return v.Origin })
	join(cfg)
}

// join makes one service of the virtual servers that the kernel cannot tell apart. The kernel merges what keepalived
// adds for them: the settings of the first block stay, and of a real server in several blocks the first one counts.
// keepalived still has a quorum and a sorry server for each; here those of the first are for all.
func join(cfg *ir.Config) {
	first := make(map[ir.ServiceKey]*ir.VirtualServer, len(cfg.VirtualServers))
	known := map[*ir.VirtualServer]map[netip.AddrPort]bool{} // the servers of those that others join
	cfg.VirtualServers = slices.DeleteFunc(cfg.VirtualServers, func(v *ir.VirtualServer) bool {
		one := first[v.Key]
		if one == nil {
			first[v.Key] = v
			return false
		}
		if known[one] == nil {
			known[one] = map[netip.AddrPort]bool{}
			for _, r := range one.RealServers {
				known[one][r.Addr] = true
			}
		}
		for _, r := range v.RealServers {
			if !known[one][r.Addr] {
				known[one][r.Addr] = true
				one.RealServers = append(one.RealServers, r)
			}
		}
		return true
	})
}

// trackers are the lists of what instances and groups track.
func trackers(cfg *ir.Config) (all []*[]ir.Track) {
	for _, v := range cfg.Instances {
		all = append(all, &v.TrackScripts, &v.TrackFiles, &v.TrackProcesses, &v.TrackInterfaces, &v.TrackBFDs)
	}
	for _, g := range cfg.SyncGroups {
		all = append(all, &g.TrackScripts, &g.TrackFiles, &g.TrackProcesses, &g.TrackInterfaces, &g.TrackBFDs)
	}
	return all
}

// bare finds the instances without an address because nothing in virtual_ipaddress can be read: keepalived does not
// run with one of version 3 or in strict mode.
func bare(cfg *ir.Config) (found diag.List) {
	for _, v := range cfg.Instances {
		if (v.Version == 3 || v.Strict) && !v.NoVirtualAddress && !slices.ContainsFunc(v.Addresses, func(a ir.Address) bool { return !a.Excluded }) {
			found.Add(diag.Diagnostic{
				Rule: "missing-addresses", Severity: diag.Error, Loss: diag.Ends,
				Message: "nothing in virtual_ipaddress of " + v.Name + " is an address", Span: v.At("virtual_ipaddress"),
			})
		}
	}
	return found
}

// maxInterval is the longest interval that an advertisement of version 3 can carry.
const maxInterval = 40950 * time.Millisecond

// dropped are the places that keepalived drops.
type dropped []source.Span

// without returns the items of a list whose lines are not dropped.
func without[T any](lost dropped, list []T, origin func(T) ir.Origin) []T {
	return slices.DeleteFunc(list, func(item T) bool { return lost.line(origin(item)) })
}

// line reports whether the line of a value, or the head of its block, is dropped.
func (l dropped) line(o ir.Origin) bool {
	if o.Stmt == nil {
		return false
	}
	at := o.Stmt.Span()
	return slices.ContainsFunc(l, func(s source.Span) bool { return s.Source == at.Source && at.Start <= s.Start && s.Start <= at.End })
}

// inBlock reports whether anything in the block of a value is dropped.
func (l dropped) inBlock(o ir.Origin) bool {
	if o.Stmt == nil {
		return false
	}
	at := o.Stmt.Span()
	if b := o.Stmt.Block; b != nil && !b.Close.IsZero() {
		at = at.To(b.Close)
	}
	return slices.ContainsFunc(l, func(s source.Span) bool { return s.Source == at.Source && at.Start <= s.Start && s.Start <= at.End })
}
