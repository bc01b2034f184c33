// Package plan compares what a kernel has with what it should have.
package plan

import (
	"cmp"
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

// Diff returns the changes in the order in which they are safe: addresses leave first; services and destinations stand before
// the address that brings their traffic arrives; what is not wanted any more goes last. owned may be nil.
func Diff(have, want state.State, owned Owned) Plan {
	d := differ{want: want, owned: owned}
	compare(&d, have.Timeouts, filled(have.Timeouts, want.Timeouts), timeouts, Edit, "the kernel has others")
	compare(&d, have.Services, want.Services, service, Edit, "exists with other settings")
	compare(&d, have.Destinations, want.Destinations, destination, Edit, "exists with other settings")
	compare(&d, have.Addresses, want.Addresses, address, Replace, "the kernel cannot change it in place")
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
	d.sort()
	return d.plan
}

type differ struct {
	want  state.State
	owned Owned
	plan  Plan
}

// compare adds what is wanted of one kind and is not there, or is there with other settings. bare leaves of an object what is to
// be compared.
func compare[K interface {
	comparable
	state.Key
}, V interface {
	comparable
	state.Object
}](d *differ, have, want map[K]V, bare func(V) V, change Action, why string) {
	for k, w := range want {
		h, ok := have[k]
		switch {
		case !ok:
			d.plan = append(d.plan, Change{Add, k, nil, w, w.From().Why, w.From().Origin})
		case bare(h) != bare(w):
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
		d.plan = append(d.plan, Change{Foreign, k, h, nil, "not ours; left alone", source.Span{}})
		return
	}
	d.plan = append(d.plan, Change{Remove, k, h, nil, why, source.Span{}})
}

// The functions below leave of an object what is to be compared. NoDAD is an order for the moment of creation, and no setting.
func address(a state.Address) state.Address {
	a.NoDAD, a.Provenance = false, state.Provenance{}
	return a
}

func service(s state.Service) state.Service {
	s.Provenance = state.Provenance{}
	if s.Persistence == 0 {
		s.Mask = 0
	}
	return s
}

func destination(d state.Destination) state.Destination {
	d.Provenance = state.Provenance{}
	return d
}

func timeouts(t state.Timeouts) state.Timeouts {
	t.Provenance = state.Provenance{}
	return t
}

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

// phase orders the kinds of change; a service stands before its destinations.
func phase(c Change) int {
	switch c.Key.(type) {
	case state.AddressKey:
		switch c.Action {
		case Remove:
			return 0
		case Foreign:
			return 7
		}
		return 3
	case state.TimeoutsKey:
		return 1
	case ir.ServiceKey:
		switch c.Action {
		case Remove:
			return 5
		case Foreign:
			return 7
		}
		return 1
	default:
		if c.Action == Remove {
			return 4
		}
		return 2
	}
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
