// Package plan compares what a kernel has with what it should have.
package plan

import (
	"cmp"
	"slices"

	"keepc/compiler/state"
	"keepc/grammar/source"
)

// Action is what happens to an object; its value is the mark on the screen.
type Action string

// Replace deletes and adds again, for what the kernel cannot change in place. Foreign objects are seen and left alone.
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
	Kind          state.AnyKind
	Key           state.Key
	Before, After state.Object // nil if the object does not exist; After is nil if it is left alone
	Why           string
	Origin        source.Span // the line that asks for it; zero for Remove and Foreign

	phase state.Phase
	text  string // of the key
}

// A Difference is one setting that an Edit or a Replace changes.
type Difference struct{ Name, Before, After string }

// Differences lists the settings that differ, and how many do not. Settings that neither side has do not count.
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

// Owned reports whether this director made an object, and may therefore remove it when it is no longer wanted. What
// the configuration names is ours in any case.
type Owned func(state.Key) bool

// Diff returns the changes in a safe order, see state.Phase. owned may be nil.
func Diff(have, want state.State, owned Owned) Plan {
	var p Plan
	for _, kind := range state.Kinds() {
		places := placesOf(kind, want)
		kind.Compare(have, want, func(k state.Key, before, after state.Object) {
			if after == nil && places != nil && !kind.IsMarked(k) && !places[kind.PlaceOf(k)] && (owned == nil || !owned(k)) {
				return // one of the many objects of others
			}
			if c, some := Decide(kind, k, before, after, want, owned); some {
				p = append(p, c)
			}
		})
	}
	p = p.Reorder(want)
	p.Sort()
	return p
}

// Decide returns the change for one object that is not as wanted, if any. before is nil if the kernel lacks it, after
// if it is not wanted.
func Decide(kind state.AnyKind, k state.Key, before, after state.Object, want state.State, owned Owned) (c Change, some bool) {
	about := kind.About()
	c = Change{Kind: kind, Key: k, Before: before, After: after, phase: about.Add, text: k.String()}
	switch {
	case before == nil:
		c.Action, c.Why, c.Origin = Add, after.From().Why, after.From().Origin
		return c, true
	case after != nil:
		c.Action, c.Why, c.Origin = Replace, about.Differs, after.From().Origin
		if about.InPlace {
			c.Action = Edit
		}
		return c, true
	case about.Lasting:
		return c, false
	}
	ours := owned != nil && owned(k)
	if parent := kind.ParentOf(k); parent != nil {
		// Parts of an object that is removed go with it; parts of a foreign object are foreign.
		if _, ours = state.KindOf(parent).Get(want, parent); !ours {
			return c, false
		}
	}
	c.Action, c.phase = Remove, about.Remove
	why, known := want.Absent[k]
	switch {
	case known:
		c.Why = why
	case ours && want.Flush.Takes(kind) != "":
		c.Why = want.Flush.Takes(kind)
	case ours:
		c.Why = "no longer in the configuration"
	case kind.IsMarked(k):
		c.Action, c.phase, c.Why = Foreign, state.ForeignPhase, "marked keepalived, not ours; left alone"
	default:
		c.Action, c.phase, c.Why = Foreign, state.ForeignPhase, "not ours; left alone"
	}
	return c, true
}

// placesOf lists the places of the objects of a kind that the configuration names; nil: the kind has no places. The
// mark alone does not make an object ours: a keepalived beside us uses it, and people may. Of the objects without the
// mark, which may be a million, only those that share a place with the file are shown.
func placesOf(kind state.AnyKind, want state.State) map[any]bool {
	var places map[any]bool
	note := func(k state.Key) {
		if p := kind.PlaceOf(k); p != nil {
			places[p] = true
		}
	}
	if !kind.HasPlaces() {
		return nil
	}
	places = map[any]bool{}
	for k := range kind.All(want) {
		note(k)
	}
	for k := range want.Absent {
		if kind.Has(k) {
			note(k)
		}
	}
	return places
}

// Sort sorts the changes.
func (p Plan) Sort() {
	slices.SortFunc(p, func(a, b Change) int {
		if c := cmp.Or(cmp.Compare(a.phase, b.phase), compareOrigin(a.Origin, b.Origin)); c != 0 {
			return c
		}
		return cmp.Compare(a.text, b.text)
	})
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
