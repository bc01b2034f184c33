package reconcile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// Counters count what happened to the objects of a kind since the start.
type Counters struct {
	Writes   uint64 `json:"writes"`   // accepted by the kernel
	Repairs  uint64 `json:"repairs"`  // of these, those that undid somebody else's change
	Retries  uint64 `json:"retries"`  // attempts after a failure
	Failures uint64 `json:"failures"` // refused by the kernel
	Reads    uint64 `json:"reads"`    // full looks at the kernel
}

// A Kind is the state of the objects of one kind.
type Kind struct {
	Kind    string `json:"kind"`
	InPlace int    `json:"in_place"`
	Pending int    `json:"pending"`
	Failed  int    `json:"failed"`
	Unread  string `json:"unread,omitempty"` // why the kernel could not be read: what is in place is unknown then
	Counters
}

// An Object is an object that is not as wanted.
type Object struct {
	Kind   string    `json:"kind"`
	Name   string    `json:"name"`
	State  string    `json:"state"`            // pending or failed
	Remove bool      `json:"remove,omitempty"` // it is to be removed, and still exists
	Since  time.Time `json:"since"`
	Error  string    `json:"error,omitempty"`
	Tries  int       `json:"tries,omitempty"` // failed, in a row
}

// States of an Object.
const (
	Pending = "pending" // its turn has not come, or it waits for another object
	Failed  = "failed"  // the kernel refused it; it will be retried
)

// A Report is the state of all objects. It is immutable.
type Report struct {
	Kinds   []Kind   // in the order of state.Kinds
	Objects []Object // those that are not in place, by kind and name
}

// Report returns the state of the objects after the last round or, from Planned, during this one.
func (r *Reconciler) Report() Report {
	var m Report
	byKind := map[state.AnyKind]*Kind{}
	for _, kind := range r.kinds {
		k := Kind{Kind: kind.About().Name, InPlace: kind.Len(r.last), Pending: r.waiting[kind], Counters: *r.counts[kind]}
		k.InPlace -= k.Pending
		if err := r.unread[kind]; err != nil {
			k.Unread, k.InPlace, k.Pending = err.Error(), 0, kind.Len(r.last)
		}
		m.Kinds = append(m.Kinds, k)
	}
	for i, kind := range r.kinds {
		byKind[kind] = &m.Kinds[i]
	}
	for k, a := range r.apart {
		o := Object{Kind: a.kind.About().Name, Name: k.String(), State: Pending, Remove: a.want == nil, Since: a.since, Tries: a.failures}
		if a.err != nil {
			o.Error = a.err.Error()
		}
		count := byKind[a.kind]
		if a.failures > 0 || a.left {
			o.State = Failed
			count.Failed++
		} else {
			count.Pending++
		}
		if !o.Remove {
			count.InPlace = max(count.InPlace-1, 0)
		}
		m.Objects = append(m.Objects, o)
	}
	slices.SortFunc(m.Objects, func(a, b Object) int { return strings.Compare(a.Kind+" "+a.Name, b.Kind+" "+b.Name) })
	return m
}

// InPlace reports whether the kernel has an object as it is wanted.
func (r *Reconciler) InPlace(k state.Key) bool {
	kind := state.KindOf(k)
	_, wanted := kind.Get(r.last, k)
	return wanted && r.apart[k] == nil && r.unread[kind] == nil
}

// Lacking lists the wanted virtual servers that the kernel does not have: true if it refused one, false if it is still
// to come. all: it has no IPVS. Errors: the kernel could not be read, so that this is unknown.
func (r *Reconciler) Lacking() (keys map[ir.ServiceKey]bool, all bool, err error) {
	if err := r.unread[state.ServiceKind]; errors.Is(err, kernel.ErrNoIPVS) {
		return nil, true, nil
	} else if err != nil {
		return nil, false, err
	}
	keys = map[ir.ServiceKey]bool{}
	for k, a := range r.apart {
		if s, ok := k.(ir.ServiceKey); ok && a.want != nil && a.have == nil {
			keys[s] = a.failures > 0
		}
	}
	return keys, false, nil
}

// Made returns what the Reconciler considers its own, of the kinds whose objects are removed one by one.
func (r *Reconciler) Made() map[state.Key]struct{} { return maps.Clone(r.made) }

// maxProblems is the number of failures that are listed one by one.
const maxProblems = 5

// Problem joins the lasting problems: what could not be read, and what failed and is being retried; nil: none.
func (r *Reconciler) Problem() error {
	var errs []error
	if err := r.unread.Err(); err != nil {
		errs = append(errs, fmt.Errorf("read the kernel's state: %w", err))
	}
	var failed []state.Key
	for k, a := range r.apart {
		if a.failures > 0 {
			failed = append(failed, k)
		}
	}
	slices.SortFunc(failed, func(a, b state.Key) int { return strings.Compare(a.String(), b.String()) })
	for i, k := range failed {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("and %d more", len(failed)-i))
			break
		}
		errs = append(errs, fmt.Errorf("%s %s: %w", r.apart[k].verb(), k, r.apart[k].err))
	}
	return errors.Join(errs...)
}

func (a *apart) verb() string {
	switch {
	case a.want == nil:
		return "remove"
	case a.have == nil:
		return "add"
	}
	return "change"
}
