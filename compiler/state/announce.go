package state

import (
	"net/netip"
	"slices"

	"keepc/compiler/ir"
)

// A Stage is where an announced address is on its way. Its routes follow from it.
type Stage uint8

// An address goes into drain_table before it leaves table, and the other way back, so that the engine always has one of the routes.
const (
	Withdrawn Stage = iota // no route
	Announced              // a route in table
	Moving                 // one in each
	Draining               // one in drain_table
)

func (s Stage) String() string { return stageNames()[s] }

func stageNames() []string { return []string{"withdrawn", "announced", "moving", "draining"} }

// IsStage reports whether a text is one that String writes.
func IsStage(text string) bool { return slices.Contains(stageNames(), text) }

// ParseStage reads what String writes; anything else is Withdrawn.
func ParseStage(text string) Stage { return Stage(max(slices.Index(stageNames(), text), 0)) }

// An Announcement is the stage of an address, and why.
type Announcement struct {
	Stage Stage
	Why   string
}

// blackhole is RTN_BLACKHOLE: a routing engine exports the route, and it leads nowhere, so that it attracts no packet of this host.
const blackhole = 6

// announcements takes in the routes of what is announced. What nobody has told of is withdrawn.
func (w *State) announcements(cfg *ir.Config, s Situation) {
	all := cfg.Announced()
	if len(all) == 0 {
		return
	}
	served := cfg.Served()
	for _, a := range all {
		if served[a.Addr] { // what nobody serves here stays an address of others
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

// local takes in the route that makes an announced address one of this host. It is in the main table: that of local addresses is the kernel's.
func (w *State) local(a ir.AnnouncedAddress, s Situation) {
	k := announcedRoute(ir.MainTable, a.Addr)
	if a.Addr.Is6() {
		k.Metric = 1 // before what an engine may put there
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
		k.Metric = 1024 // which the kernel has where nobody says
	}
	return k
}

// AllAnnounced is the situation of addresses of which all is well.
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

// Unannounced are the routes that a configuration wants of itself, whatever its announcements do.
func Unannounced(cfg *ir.Config) map[RouteKey]Route {
	rest := *cfg
	rest.Announcements = nil
	return Router(&rest, AllMaster(&rest)).Routes
}

// IsAnnounced reports whether an object of ours is a route as announcements make them: of one address, leading nowhere, in a table of its own.
func IsAnnounced(k Key, o Object) bool {
	key, ok := k.(RouteKey)
	route, _ := o.(Route)
	return ok && key.Protocol == ir.KeepalivedProtocol && key.Dst.IsSingleIP() && key.Table != ir.MainTable && route.Type == blackhole
}
