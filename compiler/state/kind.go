package state

import (
	"encoding/json"
	"fmt"
	"iter"
)

// A Kind describes a kind of kernel object. Its values are in the one list that Kinds returns; everything that handles
// objects loops over that list, so that nothing else needs to know which kinds there are. The kernel's side of a kind
// is in package kernel.
type Kind[K interface {
	comparable
	Key
}, V Object] struct {
	Traits
	// Table returns the table of a State with the objects.
	Table func(*State) *map[K]V
	// Same reports whether a kernel that has one object has what is wanted.
	Same func(have, want V) bool
	// Complete fills in a wish from what the kernel has, where the wish leaves it as it is; nil: wishes are complete.
	Complete func(have, want V) V
	// Parent returns the object that an object of this kind is part of: it is added after its parent, is removed with
	// it, and is ours if the parent is wanted. nil: the objects have no parents.
	Parent func(K) Key
	// Adopt reports whether an object that is in place as the configuration wants it becomes ours, so that it is
	// removed when the configuration no longer names it. nil: it does.
	Adopt func(K, V) bool
	// Marked reports whether an object carries the mark of keepalived and keepc, which does not tell which of them
	// made it. nil: there is no mark.
	Marked func(K) bool
	// Place returns a comparable value that objects share if people take them for the same. A foreign object of a kind
	// with places is shown only if it shares its place with an object of the file, or is marked. nil: all foreign
	// objects are shown.
	Place func(K) any
	// Title returns the name of an object after those of its kind and parent; nil: the text of the key.
	Title func(K) string
	// Devices returns the interfaces that an object needs; nil: none.
	Devices func(K, V) []string
}

// Traits are the properties of a kind that do not depend on its types.
type Traits struct {
	Name string // in plans, facts, status and journals: "address"
	Part Part
	// InPlace says that the kernel edits an object, instead of deleting and adding it again.
	InPlace bool
	// Differs is the reason that a plan gives for changing an object with different settings.
	Differs string
	// Lasting says that the kernel always has the objects. They are set, and never removed.
	Lasting bool
	// Whole says that objects of another kind are parts of one; a plan shows them together.
	Whole bool
	// Common says that hosts have many that do not matter here; foreign ones are shown on request.
	Common bool
	// Remove and Add are the phases of a plan in which objects are removed, and added or changed. The smallest comes
	// first.
	Remove, Add Phase
	// Bare are the fields whose values need no name to be understood.
	Bare []string
	// Module is the Linux module without which there are no such objects; empty: every kernel has them.
	Module string
}

// A Part of the kernel's state belongs to one of the workers of a director.
type Part string

const (
	OfRouter  Part = "network" // what instances and static lines want
	OfBalance Part = "ipvs"    // what virtual servers want
	OfServer  Part = "server"  // what a real server wants of its own host; a director does not use it
)

// A Phase orders the changes of a plan: rules, routes and addresses are removed first; services and destinations exist
// before the address that brings their traffic; routes need addresses, and rules lead to routes; services that are no
// longer wanted are removed last.
type Phase int

const (
	rulesGo Phase = iota
	routesGo
	addressesGo // before tunnels are added, with their settings
	firewallsGo // packets are dropped until the end
	linksGo
	linksCome
	firewallsCome
	tunnelsCome
	servicesCome // a host is silent about an address before it has it
	destinationsCome
	addressesCome
	routesCome
	rulesCome
	destinationsGo
	servicesGo
	ForeignPhase // what is seen and left alone
)

// AnyKind is a Kind without its types. Keys and objects that are passed to it must be of the kind.
type AnyKind interface {
	About() Traits
	// Has reports whether a key is of the kind.
	Has(Key) bool
	Len(State) int
	Get(State, Key) (Object, bool)
	Put(State, Key, Object)
	Drop(State, Key)
	All(State) iter.Seq2[Key, Object]
	// Share makes to hold the table of from itself, not a copy.
	Share(to *State, from State)
	// Clone makes to hold a copy of the table of from.
	Clone(to *State, from State)
	// Compare calls differs for each object that is not the same in both: before is nil if the kernel lacks it, after
	// if it is not wanted. The order is arbitrary.
	Compare(have, want State, differs func(k Key, before, after Object))
	// CompareOne is Compare for one key.
	CompareOne(k Key, have, want Object) (before, after Object, differ bool)
	// ParentKind is the kind of the objects' parents; nil: they have none. ParentOf returns the parent of one object.
	ParentKind() AnyKind
	ParentOf(Key) Key
	// Recorded reports whether a director must record which objects it made, because they are removed one by one, and
	// only its own.
	Recorded() bool
	Adopts(Key, Object) bool
	IsMarked(Key) bool
	HasPlaces() bool
	PlaceOf(Key) any
	TitleOf(Key) string
	DevicesOf(Key, Object) []string
	// Encode serializes an object with its key; Decode reads it.
	Encode(Key, Object) (json.RawMessage, error)
	Decode(json.RawMessage) (Key, Object, error)
}

// KindOf returns the kind of a key; nil if it has none.
func KindOf(k Key) AnyKind {
	for _, kind := range Kinds() {
		if kind.Has(k) {
			return kind
		}
	}
	return nil
}

// KindsOf lists the kinds of a part.
func KindsOf(p Part) (kinds []AnyKind) {
	for _, k := range Kinds() {
		if k.About().Part == p {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Only returns the tables of some kinds, shared with s, and what is absent.
func (s State) Only(kinds []AnyKind) State {
	only := State{Absent: s.Absent, Flush: s.Flush}
	for _, k := range kinds {
		k.Share(&only, s)
	}
	return only
}

// New returns an empty State.
func New() State {
	s := State{Absent: map[Key]string{}}
	for _, k := range Kinds() {
		k.Clone(&s, State{})
	}
	return s
}

// About implements AnyKind, as do the methods below.
func (d *Kind[K, V]) About() Traits { return d.Traits }

func (d *Kind[K, V]) Has(k Key) bool { _, ok := k.(K); return ok }

func (d *Kind[K, V]) Len(s State) int { return len(*d.Table(&s)) }

func (d *Kind[K, V]) Get(s State, k Key) (Object, bool) {
	if key, ok := k.(K); ok {
		if o, ok := (*d.Table(&s))[key]; ok {
			return o, true
		}
	}
	return nil, false
}

func (d *Kind[K, V]) Put(s State, k Key, o Object) { (*d.Table(&s))[k.(K)] = o.(V) }

func (d *Kind[K, V]) Drop(s State, k Key) { delete(*d.Table(&s), k.(K)) }

func (d *Kind[K, V]) All(s State) iter.Seq2[Key, Object] {
	return func(yield func(Key, Object) bool) {
		for k, o := range *d.Table(&s) {
			if !yield(k, o) {
				return
			}
		}
	}
}

func (d *Kind[K, V]) Share(to *State, from State) { *d.Table(to) = *d.Table(&from) }

func (d *Kind[K, V]) Clone(to *State, from State) {
	table := make(map[K]V, len(*d.Table(&from)))
	for k, o := range *d.Table(&from) {
		table[k] = o
	}
	*d.Table(to) = table
}

func (d *Kind[K, V]) Compare(have, want State, differs func(k Key, before, after Object)) {
	has, wants := *d.Table(&have), *d.Table(&want)
	for k, w := range wants {
		h, ok := has[k]
		if !ok {
			differs(k, nil, w)
			continue
		}
		if d.Complete != nil {
			w = d.Complete(h, w)
		}
		if !d.Same(h, w) {
			differs(k, h, w)
		}
	}
	for k, h := range has {
		if _, ok := wants[k]; !ok {
			differs(k, h, nil)
		}
	}
}

func (d *Kind[K, V]) CompareOne(k Key, have, want Object) (before, after Object, differ bool) {
	h, has := have.(V)
	w, wants := want.(V)
	switch {
	case !has && !wants:
		return nil, nil, false
	case !has:
		return nil, w, true
	case !wants:
		return h, nil, true
	}
	if d.Complete != nil {
		w = d.Complete(h, w)
	}
	return h, w, !d.Same(h, w)
}

func (d *Kind[K, V]) ParentOf(k Key) Key {
	if d.Parent == nil {
		return nil
	}
	return d.Parent(k.(K))
}

func (d *Kind[K, V]) ParentKind() AnyKind {
	if d.Parent == nil {
		return nil
	}
	var none K
	return KindOf(d.Parent(none))
}

func (d *Kind[K, V]) Recorded() bool { return d.Parent == nil && !d.Lasting }

func (d *Kind[K, V]) Adopts(k Key, want Object) bool {
	return d.Recorded() && (d.Adopt == nil || d.Adopt(k.(K), want.(V)))
}

func (d *Kind[K, V]) IsMarked(k Key) bool { return d.Marked != nil && d.Marked(k.(K)) }

func (d *Kind[K, V]) HasPlaces() bool { return d.Place != nil }

func (d *Kind[K, V]) PlaceOf(k Key) any {
	if d.Place == nil {
		return nil
	}
	return d.Place(k.(K))
}

func (d *Kind[K, V]) TitleOf(k Key) string {
	if d.Title == nil {
		return k.String()
	}
	return d.Title(k.(K))
}

func (d *Kind[K, V]) DevicesOf(k Key, o Object) []string {
	v, _ := o.(V) // the zero object for one that is removed
	if d.Devices == nil {
		return nil
	}
	return d.Devices(k.(K), v)
}

// encoded is the JSON form of an object with its key.
type encoded[K, V any] struct {
	Key    K `json:"key"`
	Object V `json:"object"`
}

func (d *Kind[K, V]) Encode(k Key, o Object) (json.RawMessage, error) {
	text, err := json.Marshal(encoded[K, V]{k.(K), o.(V)})
	if err != nil {
		return nil, fmt.Errorf("write %s %s down: %w", d.Name, k, err)
	}
	return text, nil
}

func (d *Kind[K, V]) Decode(text json.RawMessage) (Key, Object, error) {
	var e encoded[K, V]
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, nil, fmt.Errorf("read a key of %s: %w", d.Name, err)
	}
	return e.Key, e.Object, nil
}
