package kernel

import (
	"errors"
	"fmt"
	"slices"

	"keepc/compiler/state"
)

// Observe reads everything that a director may change; of the firewall, what it may read. ipvs is why the virtual
// servers are missing, ErrNoIPVS or ErrPermission: VRRP works without them, and addresses can be read without
// privileges. err is any other failure.
func Observe(k Objects) (have state.State, ipvs, err error) {
	have, unread := k.Read(Scope{Kinds: slices.Concat(state.KindsOf(state.OfRouter), state.KindsOf(state.OfBalance))})
	for kind, why := range unread {
		module := kind.About().Module
		if module == "" || !errors.Is(why, ErrNoIPVS) && !errors.Is(why, ErrNoFirewall) && !errors.Is(why, ErrPermission) {
			continue
		}
		if module == "ip_vs" {
			ipvs = why
		}
		delete(unread, kind)
	}
	return have, ipvs, unread.Err()
}

// List lists the objects of one kind, which must have no parents.
func List[K interface {
	comparable
	state.Key
}, V state.Object](k Objects, kind *state.Kind[K, V]) (map[K]V, error) {
	have, unread := k.Read(Scope{Kinds: []state.AnyKind{kind}})
	if err := unread[kind]; err != nil {
		return nil, fmt.Errorf("list %s: %w", kind.Name, err)
	}
	return *kind.Table(&have), nil
}
