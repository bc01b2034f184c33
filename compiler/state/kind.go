package state

import (
	"encoding/json"
	"fmt"
	"iter"
)

// A Kind describes a kind of kernel object. Its values are in the one list that Kinds returns; all that handles objects loops over that
// list, so that nothing else has to know which kinds there are. The kernel's side of a kind is in package kernel.
type Kind[K interface {
	comparable
	Key
}, V Object] struct {
	Traits
	// Table is where a State holds the objects.
	Table func(*State) *map[K]V
	// Same reports whether a kernel that has the one object has what is wanted.
	Same func(have, want V) bool
	// Complete fills a wish up with what the kernel has where the wish leaves it as it is; nil: a wish is complete.
	Complete func(have, want V) V
	// Parent is the object that one of this kind is a part of: it comes after it, goes with it, and is ours when that one is wanted.
	// nil: the objects stand alone.
	Parent func(K) Key
	// Adopt reports whether an object that is in place as the configuration wants it is ours from then on, so that it goes when the
	// configuration no longer names it. nil: it is.
	Adopt func(K, V) bool
	// Marked reports whether an object carries the mark of keepalived and keepc: which of them made it, nobody can tell. nil: there is
	// no mark.
	Marked func(K) bool
	// Place is a comparable value that objects share which people take for the same; a foreign object of a kind that has places is
	// shown only where it shares one with an object of the file, or is marked. nil: all foreign objects are shown.
	Place func(K) any
	// Title is the name of an object beside its kind's and its parent's; nil: the key's text.
	Title func(K) string
	// Devices are the interfaces that an object needs; nil: none.
	Devices func(K, V) []string
}

// Traits are what a kind says without its types.
type Traits struct {
	Name string // in plans, facts, status and journals: "address"
	Part Part
	// InPlace: the kernel edits an object; it is not deleted and added again.
	InPlace bool
	// Differs says in a plan why an object is changed that has other settings.
	Differs string
	// Lasting: the kernel has the objects always. They are set, and never removed.
	Lasting bool
	// Whole: objects of another kind are parts of one; a plan shows them together.
	Whole bool
	// Common: hosts have many that are nobody's business here; those that are foreign are shown when asked for.
	Common bool
	// Remove and Add are the phases of a plan in which objects go, and come or change. The smallest is first.
	Remove, Add Phase
	// Bare are the fields whose values say by themselves what they are.
	Bare []string
	// Module is the module of Linux without which there are no such objects; empty: every kernel has them.
	Module string
}

// A Part of the kernel's state belongs to one of the workers of a director.
type Part string

const (
	OfRouter  Part = "network" // what instances and static lines want
	OfBalance Part = "ipvs"    // what virtual servers want
	OfServer  Part = "server"  // what a real server wants of its own host; a director does not touch it
)

// A Phase orders the changes of a plan: rules, routes and addresses leave first; services and destinations are there before the address
// that brings their traffic; routes need addresses, and rules lead to routes; services that are no longer wanted go last.
type Phase int

const (
	rulesGo Phase = iota
	routesGo
	addressesGo // before tunnels come, with their settings
	firewallsGo // what is dropped is dropped to the end
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

// AnyKind is a Kind whose types do not matter. Keys and objects that are passed to it are of the kind.
type AnyKind interface {
	About() Traits
	// Has reports whether a key is of the kind.
	Has(Key) bool
	Len(State) int
	Get(State, Key) (Object, bool)
	Put(State, Key, Object)
	Drop(State, Key)
	All(State) iter.Seq2[Key, Object]
	// Share makes to hold the table of from, not a copy of it.
	Share(to *State, from State)
	// Clone makes to hold a copy of the table of from.
	Clone(to *State, from State)
	// Compare calls differs for each object that is not the same in both: before is nil where the kernel lacks it, after where nobody
	// wants it. The order is arbitrary.
	Compare(have, want State, differs func(k Key, before, after Object))
	// CompareOne is Compare for one key.
	CompareOne(k Key, have, want Object) (before, after Object, differ bool)
	// ParentKind is the kind of what the objects are parts of; nil: they stand alone. ParentOf is that of one object.
	ParentKind() AnyKind
	ParentOf(Key) Key
	// Recorded reports whether a director has to remember which objects it made: they are removed one by one, and only its own.
	Recorded() bool
	Adopts(Key, Object) bool
	IsMarked(Key) bool
	HasPlaces() bool
	PlaceOf(Key) any
	TitleOf(Key) string
	DevicesOf(Key, Object) []string
	// Encode writes an object down with its key; Decode reads it.
	Encode(Key, Object) (json.RawMessage, error)
	Decode(json.RawMessage) (Key, Object, error)
}

// KindOf returns the kind of a key; nil for one of no kind.
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

// About implements AnyKind, as all that follow.
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
	v, _ := o.(V) // the zero object for one that goes
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
