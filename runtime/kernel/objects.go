package kernel

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Objects is the part of the kernel's state that state.Kinds describes.
type Objects interface {
	// Read lists objects. What cannot be read does not stop the rest: unread says why, by kind; nil: everything was
	// read. Errors: ErrNoIPVS, ErrPermission.
	Read(Scope) (have state.State, unread Unread)
	// Apply makes the changes in order, in as few system calls as possible, and yields the index and the result of
	// each as soon as it is known. A failure does not stop the others. Breaking out of the loop stops it; up to a few
	// dozen changes without a yielded result may then have been made. No key may occur twice, except for one that is
	// deleted and then set.
	//
	// Set adds an object, or edits it in place if its kind can; connections stay. Deleting what does not exist is not
	// an error. An address is added without duplicate address detection, a route before foreign ones with the same
	// destination and metric; one with the same key and different settings must be deleted first. A tunnel is brought
	// up; deleting it only brings it down.
	Apply([]Change) iter.Seq2[int, error]
}

// A Change sets or deletes one object.
type Change struct {
	Key    state.Key
	Object state.Object // nil: delete it
}

// Verb is "set" or "delete" with the name of the kind: "set address".
func (c Change) Verb() string {
	name := "object"
	if kind := state.KindOf(c.Key); kind != nil {
		name = kind.About().Name
	}
	if c.Object == nil {
		return "delete " + name
	}
	return "set " + name
}

// String describes the change in a message.
func (c Change) String() string { return c.Verb() + " " + c.Key.String() }

// A Scope says what to read.
type Scope struct {
	Kinds []state.AnyKind // the kind of parents before that of their parts
	// Keys lists the relevant objects of a kind, so that long lists of foreign ones need not be read; nil: all are
	// relevant. The result may contain more.
	Keys func(state.AnyKind) iter.Seq[state.Key]
}

// concerns reports whether a kind must be read; parts are read with their parents.
func (s Scope) concerns(kind state.AnyKind) bool {
	if s.Keys == nil {
		return true
	}
	if parent := kind.ParentKind(); parent != nil {
		return s.concerns(parent)
	}
	for range s.Keys(kind) {
		return true
	}
	return false
}

// keysOf lists the relevant keys of a kind; nil: all.
func keysOf[K state.Key](s Scope, kind state.AnyKind) iter.Seq[K] {
	if s.Keys == nil {
		return nil
	}
	return func(yield func(K) bool) {
		for k := range s.Keys(kind) {
			if !yield(k.(K)) {
				return
			}
		}
	}
}

// Unread says for each kind why it could not be read.
type Unread map[state.AnyKind]error

// Err joins the errors; nil if there are none. Kinds that lack the same thing report it once.
func (u Unread) Err() error {
	var errs []error
	said := map[string]bool{}
	for _, kind := range state.Kinds() {
		if err := u[kind]; err != nil && !said[err.Error()] {
			said[err.Error()] = true
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// read reads kind by kind. Parts whose parents cannot be read are not read either.
func read(s Scope, list func(kind state.AnyKind, have *state.State) error) (have state.State, unread Unread) {
	have = state.New()
	for _, kind := range s.Kinds {
		if parent := kind.ParentKind(); parent != nil {
			if err := unread[parent]; err != nil {
				unread[kind] = err
				continue
			}
		}
		if !s.concerns(kind) {
			continue
		}
		if err := list(kind, &have); err != nil {
			if unread == nil {
				unread = Unread{}
			}
			unread[kind] = err
		}
	}
	return have, unread
}

// Set sets one object.
func Set(k Objects, key state.Key, o state.Object) error { return one(k, Change{key, o}) }

// Delete deletes one object.
func Delete(k Objects, key state.Key) error { return one(k, Change{Key: key}) }

func one(k Objects, c Change) error {
	for _, err := range k.Apply([]Change{c}) {
		return err
	}
	return fmt.Errorf("%s: the kernel did not answer", c)
}

// errLasting: objects of a lasting kind cannot be deleted.
var errLasting = errors.New("the kernel always has it")

// marks are the protocols of the keys, and keepalived's.
func marks(keys iter.Seq[state.RouteKey]) []uint8 {
	list := []uint8{ir.KeepalivedProtocol}
	for k := range keys {
		if !slices.Contains(list, k.Protocol) {
			list = append(list, k.Protocol)
		}
	}
	return list
}
