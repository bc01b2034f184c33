// Package plan compares what a kernel has with what it should have.
package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// Action is what happens to an object; its value is the mark on the screen.
type Action string

// Replace deletes and adds again, where the kernel cannot change in place. Foreign objects are seen and left alone.
const (
	Add     Action = "+"
	Edit    Action = "~"
	Replace Action = "-/+"
	Remove  Action = "-"
	Foreign Action = "."
)

// A Change is one step of a plan.
type Change struct {
	Action        Action
	Key           state.Key
	Before, After state.Object // nil where the object does not exist; After is nil where it is left alone
	Why           string
	Origin        source.Span // the line that asks for it; zero for Remove and Foreign
}

// A Difference is one setting that an Edit or a Replace changes.
type Difference struct{ Name, Before, After string }

// Differences lists the settings that differ, and how many do not. Settings that are not set on either side do not count.
func (c Change) Differences() (differ []Difference, same int) {
	if c.Before == nil || c.After == nil {
		return nil, 0
	}
	after := c.After.Fields()
	for i, f := range c.Before.Fields() {
		switch {
		case f.Value != after[i].Value:
			differ = append(differ, Difference{f.Name, f.Value, after[i].Value})
		case f.Value != "":
			same++
		}
	}
	return differ, same
}

// A Plan is the ordered list of changes that lead from have to want.
type Plan []Change

// Owned tells whether an object was made by this director, so that it may be removed when nobody wants it any more. What the
// configuration names is ours in any case.
type Owned func(state.Key) bool

// Diff returns the changes in the order in which they are safe: rules, routes and addresses leave first; services and destinations
// stand before the address that brings their traffic arrives; routes need addresses, and rules lead to routes; services that are not
// wanted any more go last. owned may be nil.
func Diff(have, want state.State, owned Owned) Plan {
	d := differ{want: want, owned: owned}
	compare(&d, have.Timeouts, filled(have.Timeouts, want.Timeouts), sameTimeouts, Edit, "the kernel has others")
	compare(&d, have.Sysctls, want.Sysctls, sameSysctl, Edit, "it has another value")
	compare(&d, have.Tunnels, want.Tunnels, sameTunnel, Replace, "it is of another kind")
	compare(&d, have.Services, want.Services, sameService, Edit, "exists with other settings")
	compare(&d, have.Destinations, want.Destinations, sameDestination, Edit, "exists with other settings")
	compare(&d, have.Addresses, want.Addresses, sameAddress, Replace, "the kernel cannot change it in place")
	compare(&d, have.Routes, want.Routes, state.Route.Serves, Replace, "the kernel cannot change it in place")
	compare(&d, have.Rules, want.Rules, func(_, _ state.Rule) bool { return true }, Replace, "")
	for k, h := range have.Services {
		if _, ok := want.Services[k]; !ok {
			d.strange(k, h, false)
		}
	}
	for k, h := range have.Destinations {
		// The destinations of a service that goes, go with it; those of a stranger are his.
		if _, ok := want.Services[k.Service]; ok {
			if _, ok := want.Destinations[k]; !ok {
				d.strange(k, h, true)
			}
		}
	}
	for k, h := range have.Addresses {
		if _, ok := want.Addresses[k]; !ok {
			d.strange(k, h, false)
		}
	}
	for k, h := range have.Tunnels {
		if _, ok := want.Tunnels[k]; !ok {
			d.strange(k, h, false)
		}
	}
	d.strangeRoutes(have)
	d.sort()
	return d.plan
}

type differ struct {
	want  state.State
	owned Owned
	plan  Plan
}

// compare adds what is wanted of one kind and is not there, or is there with other settings.
func compare[K interface {
	comparable
	state.Key
}, V state.Object](d *differ, have, want map[K]V, same func(have, want V) bool, change Action, why string) {
	for k, w := range want {
		h, ok := have[k]
		switch {
		case !ok:
			d.plan = append(d.plan, Change{Add, k, nil, w, w.From().Why, w.From().Origin})
		case !same(h, w):
			d.plan = append(d.plan, Change{change, k, h, w, why, w.From().Origin})
		}
	}
}

// strange decides on an object that exists and is not wanted.
func (d *differ) strange(k state.Key, h state.Object, ours bool) {
	why, known := d.want.Absent[k]
	switch {
	case known:
	case ours || d.owned != nil && d.owned(k):
		why = "not in the configuration any more"
	default:
		d.plan = append(d.plan, Change{Foreign, k, h, nil, foreign(k), source.Span{}})
		return
	}
	d.plan = append(d.plan, Change{Remove, k, h, nil, why, source.Span{}})
}

// foreign says why an object is left alone.
func foreign(k state.Key) string {
	if marked(k) {
		return "marked keepalived, not ours; left alone"
	}
	return "not ours; left alone"
}

// marked tells whether a route or a rule carries the mark of keepalived and keepc: which of them made it, nobody can tell.
func marked(k state.Key) bool {
	switch k := k.(type) {
	case state.RouteKey:
		return k.Protocol == ir.KeepalivedProtocol
	case state.RuleKey:
		return k.Protocol == ir.KeepalivedProtocol
	}
	return false
}

// strangeRoutes decides on the routes and rules that exist and are not wanted. The mark alone does not make them ours: a keepalived
// beside us has it, and so may people. Of those without it, which may be a million, those count that share their destination or their
// priority with one of the file.
func (d *differ) strangeRoutes(have state.State) {
	type place struct {
		table uint32
		dst   netip.Prefix
	}
	type rank struct {
		ipv6     bool
		priority uint32
	}
	places, ranks := map[place]bool{}, map[rank]bool{}
	known := func(k state.Key) {
		switch k := k.(type) {
		case state.RouteKey:
			places[place{k.Table, k.Dst}] = true
		case state.RuleKey:
			ranks[rank{k.IPv6, k.Priority}] = true
		}
	}
	for k := range d.want.Routes {
		known(k)
	}
	for k := range d.want.Rules {
		known(k)
	}
	for k := range d.want.Absent {
		known(k)
	}
	for k, h := range have.Routes {
		_, wanted := d.want.Routes[k]
		if !wanted && (marked(k) || places[place{k.Table, k.Dst}] || d.owned != nil && d.owned(k)) {
			d.strange(k, h, false)
		}
	}
	for k, h := range have.Rules {
		_, wanted := d.want.Rules[k]
		if !wanted && (marked(k) || ranks[rank{k.IPv6, k.Priority}] || d.owned != nil && d.owned(k)) {
			d.strange(k, h, false)
		}
	}
}

// The functions below compare what is a setting. NoDAD is an order for the moment of creation, and no setting.
func sameAddress(have, want state.Address) bool {
	have.NoDAD, want.NoDAD = false, false
	have.Provenance, want.Provenance = state.Provenance{}, state.Provenance{}
	return want.AsFound || have == want
}

func sameService(have, want state.Service) bool {
	if have.Persistence == 0 {
		have.Mask = 0
	}
	if want.Persistence == 0 {
		want.Mask = 0
	}
	have.Provenance, want.Provenance = state.Provenance{}, state.Provenance{}
	return have == want
}

func sameDestination(have, want state.Destination) bool {
	have.Provenance, want.Provenance = state.Provenance{}, state.Provenance{}
	return have == want
}

func sameSysctl(have, want state.Sysctl) bool { return have.Value == want.Value }

func sameTunnel(have, want state.Tunnel) bool { return have.Kind == want.Kind }

func sameTimeouts(have, want state.Timeouts) bool { return have.Timeouts == want.Timeouts }

// filled is what is wanted, with what the kernel has where nothing is.
func filled(have, want map[state.TimeoutsKey]state.Timeouts) map[state.TimeoutsKey]state.Timeouts {
	all := map[state.TimeoutsKey]state.Timeouts{}
	for k, w := range want {
		h := have[k]
		w.Timeouts = ir.Timeouts{TCP: cmp.Or(w.TCP, h.TCP), TCPFin: cmp.Or(w.TCPFin, h.TCPFin), UDP: cmp.Or(w.UDP, h.UDP)}
		all[k] = w
	}
	return all
}

func (d *differ) sort() {
	slices.SortFunc(d.plan, func(a, b Change) int {
		if c := cmp.Or(cmp.Compare(phase(a), phase(b)), compareOrigin(a.Origin, b.Origin)); c != 0 {
			return c
		}
		return cmp.Compare(a.Key.String(), b.Key.String())
	})
}

// phase orders the kinds of change: what is removed, and what is added or changed.
func phase(c Change) int {
	remove, add := 8, 4 // of destinations, which stand only with their service
	switch c.Key.(type) {
	case state.RuleKey:
		remove, add = 0, 7
	case state.RouteKey:
		remove, add = 1, 6
	case state.AddressKey:
		remove, add = 2, 5
	case state.TunnelKey: // its settings come with it
		remove, add = 9, 2
	case ir.ServiceKey, state.TimeoutsKey, state.SysctlKey: // a host is silent about an address before it has it
		remove, add = 9, 3
	}
	switch c.Action {
	case Remove:
		return remove
	case Foreign:
		return 10
	}
	return add
}

func compareOrigin(a, b source.Span) int {
	switch {
	case a.Before(b):
		return -1
	case b.Before(a):
		return 1
	}
	return 0
}
