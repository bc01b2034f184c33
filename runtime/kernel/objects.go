package kernel

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Objects is that part of the kernel's state that state.Kinds describes.
type Objects interface {
	// Read lists objects. What cannot be read stops nothing else: unread says why, by kind; nil: all is there. Errors: ErrNoIPVS,
	// ErrPermission.
	Read(Scope) (have state.State, unread Unread)
	// Apply makes the changes in their order, in as few system calls as it can, and yields the index and the outcome of each as soon as
	// it is known. One that fails does not stop the others; who leaves the loop ends it, and up to a few dozen changes whose outcome was
	// not told may have been made. No key may come twice, but for one that is deleted and set behind that.
	//
	// Set adds an object, or edits it in place where its kind can; connections stay. To delete what is not there is no error. An address
	// comes without duplicate address detection, a route before those of others with the same destination and metric; one of the same
	// key that has other settings is to be deleted first. A tunnel is brought up, and stays when it is deleted, but down.
	Apply([]Change) iter.Seq2[int, error]
}

// A Change sets or deletes one object.
type Change struct {
	Key    state.Key
	Object state.Object // nil: to delete it
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

// String tells the change in a message.
func (c Change) String() string { return c.Verb() + " " + c.Key.String() }

// A Scope says what to read.
type Scope struct {
	Kinds []state.AnyKind // the kind of parents before that of their parts
	// Keys lists the objects of a kind that it is about, so that the long lists of others need not be read; nil: it is about all.
	// There may be more in what is read.
	Keys func(state.AnyKind) iter.Seq[state.Key]
}

// concerns reports whether a kind has to be read; parts are read with what they are parts of.
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

// keysOf lists the keys of a kind that a scope is about; nil: all.
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

// Err joins the errors; nil where there are none. Kinds that lack the same thing lack it once.
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

// Set makes one object be as it says.
func Set(k Objects, key state.Key, o state.Object) error { return one(k, Change{key, o}) }

// Delete deletes one object.
func Delete(k Objects, key state.Key) error { return one(k, Change{Key: key}) }

func one(k Objects, c Change) error {
	for _, err := range k.Apply([]Change{c}) {
		return err
	}
	return fmt.Errorf("%s: the kernel gave no answer", c)
}

// errLasting: objects of a lasting kind cannot be deleted.
var errLasting = errors.New("the kernel has it always")

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
