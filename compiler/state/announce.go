package state

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// A Stage is how far the announcement of an address has come. It decides which routes exist.
type Stage uint8

// An address enters drain_table before it leaves table, and vice versa, so that the engine always has one of the
// routes.
const (
	Withdrawn Stage = iota // has no route
	Announced              // has a route in table
	Moving                 // has a route in each table
	Draining               // has a route in drain_table
)

func (s Stage) String() string { return stageNames()[s] }

func stageNames() []string { return []string{"withdrawn", "announced", "moving", "draining"} }

// IsStage reports whether a text is the String of a stage.
func IsStage(text string) bool { return slices.Contains(stageNames(), text) }

// ParseStage returns the stage with a String; for anything else, Withdrawn.
func ParseStage(text string) Stage { return Stage(max(slices.Index(stageNames(), text), 0)) }

// An Announcement is the stage of an address, and the reason.
type Announcement struct {
	Stage Stage
	Why   string
}

// blackhole is RTN_BLACKHOLE: a routing engine exports the route, but it leads nowhere and attracts no packet of this
// host.
const blackhole = 6

// announcements adds the routes of what is announced. An address without a stage is withdrawn.
func (w *State) announcements(cfg *ir.Config, s Situation) {
	all := cfg.Announced()
	if len(all) == 0 {
		return
	}
	served := cfg.Served()
	for _, a := range all {
		if served[a.Addr] { // an address that no service here uses remains foreign
			w.local(a, s)
		}
		now := s.Announced[a.Addr]
		if s.Stopping {
			now = Announcement{Withdrawn, "stopping"}
		}
		if now.Why == "" {
			now.Why = "not announced yet"
		}
		why := a.Name.Text + " is " + now.Stage.String() + ": " + now.Why
		for _, t := range []struct {
			table  uint32
			wanted bool
		}{
			{a.Table, now.Stage == Announced || now.Stage == Moving},
			{a.DrainTable, now.Stage == Draining || now.Stage == Moving},
		} {
			k := announcedRoute(t.table, a.Addr)
			switch {
			case t.table == 0:
			case t.wanted:
				w.Routes[k] = Route{Type: blackhole, Provenance: Provenance{Origin: a.Span(), Why: why}}
			default:
				w.Absent[k] = why
			}
		}
	}
}

// local adds the route that makes an announced address local to this host. It is in the main table: the table local
// belongs to the kernel.
func (w *State) local(a ir.AnnouncedAddress, s Situation) {
	k := announcedRoute(ir.MainTable, a.Addr)
	if a.Addr.Is6() {
		k.Metric = 1 // preferred to what an engine may add there
	}
	switch {
	case !a.Local:
	case s.Stopping:
		w.Absent[k] = "stopping"
	default:
		r := Route{Type: 2, Scope: 254, Hops: []Hop{{Dev: "lo"}}, Provenance: Provenance{Origin: a.Span(), Why: a.Name.Text + " is local"}}
		if a.Addr.Is6() {
			r.Scope = 0
		}
		w.Routes[k] = r
	}
}

// announcedRoute is the key of the route of an address in a table.
func announcedRoute(table uint32, addr netip.Addr) RouteKey {
	k := RouteKey{Table: table, Dst: netip.PrefixFrom(addr, addr.BitLen()), Protocol: ir.KeepalivedProtocol}
	if addr.Is6() {
		k.Metric = 1024 // the kernel's default
	}
	return k
}

// AllAnnounced is the situation of addresses for which all is well.
func AllAnnounced(cfg *ir.Config, why string) map[netip.Addr]Announcement {
	all, served := map[netip.Addr]Announcement{}, cfg.Served()
	for _, a := range cfg.Announced() {
		all[a.Addr] = Announcement{Announced, why}
		if !served[a.Addr] {
			all[a.Addr] = Announcement{Withdrawn, "no virtual server has this address"}
		}
	}
	return all
}

// Unannounced returns the routes that a configuration wants regardless of its announcements.
func Unannounced(cfg *ir.Config) map[RouteKey]Route {
	rest := *cfg
	rest.Announcements = nil
	return Router(&rest, AllMaster(&rest)).Routes
}

// IsAnnounced reports whether an object of ours is a route of the kind that announcements make: for one address,
// leading nowhere, in a separate table.
func IsAnnounced(k Key, o Object) bool {
	key, ok := k.(RouteKey)
	route, _ := o.(Route)
	return ok && key.Protocol == ir.KeepalivedProtocol && key.Dst.IsSingleIP() && key.Table != ir.MainTable && route.Type == blackhole
}
