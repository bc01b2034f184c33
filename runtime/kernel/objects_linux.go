package kernel

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// sides lists the kernel's side of each kind.
func sides() []anySide {
	return []anySide{
		&ipvsSide[state.TimeoutsKey, state.Timeouts]{state.TimeoutsKind, (*Linux).timeouts, timeoutsCommand, nil},
		&ipvsSide[ir.ServiceKey, state.Service]{state.ServiceKind, (*Linux).services, serviceCommand, explainService},
		&ipvsSide[state.DestinationKey, state.Destination]{state.DestinationKind, (*Linux).destinations, destinationCommand, explainDestination},
		&ipvsSide[state.SyncDaemonKey, state.SyncDaemon]{state.SyncDaemonKind, (*Linux).syncDaemons, syncDaemonCommand, explainSyncDaemon},
		&side[state.LinkKey, state.Link]{state.LinkKind, (*Linux).virtualLinks, (*Linux).setLink, (*Linux).deleteLink},
		&batchSide[state.FirewallKey, state.Firewall]{state.FirewallKind, (*Linux).firewalls, (*Linux).setFirewalls},
		&side[state.AddressKey, state.Address]{state.AddressKind, (*Linux).addresses, (*Linux).setAddress, (*Linux).deleteAddress},
		&side[state.RouteKey, state.Route]{state.RouteKind, (*Linux).routesOf, (*Linux).setRoute, (*Linux).deleteRoute},
		&side[state.RuleKey, state.Rule]{state.RuleKind, (*Linux).rulesOf, (*Linux).setRule, (*Linux).deleteRule},
		&side[state.SysctlKey, state.Sysctl]{state.SysctlKind, (*Linux).sysctls, (*Linux).setSysctl, nil},
		&side[state.TunnelKey, state.Tunnel]{state.TunnelKind, (*Linux).tunnels, (*Linux).setTunnel, (*Linux).deleteTunnel},
	}
}

// A side is the kernel's side of a kind that is written object by object.
type side[K interface {
	comparable
	state.Key
}, V state.Object] struct {
	kind *state.Kind[K, V]
	// list reads the objects; keys are the relevant ones, nil: all. have holds what was read before: the parents of
	// parts.
	list   func(l *Linux, have state.State, keys iter.Seq[K]) (map[K]V, error)
	set    func(*Linux, K, V) error
	delete func(*Linux, K) error // nil: the kernel always has the objects
}

// An ipvsSide is the side of a kind that is written with IPVS commands, many in one message.
type ipvsSide[K interface {
	comparable
	state.Key
}, V state.Object] struct {
	kind *state.Kind[K, V]
	list func(l *Linux, have state.State, keys iter.Seq[K]) (map[K]V, error)
	// command returns the command that adds, edits or, without an object, deletes. The kernel answers EEXIST when it
	// has the object to be added.
	command func(k K, o *V, add bool) command
	// explain turns an errno into what the kernel means by it; if it returns nil, that is not an error; a nil explain
	// changes nothing.
	explain func(o *V, err error) error
}

// A batchSide is the side of a kind whose objects are written many at once.
type batchSide[K interface {
	comparable
	state.Key
}, V state.Object] struct {
	kind *state.Kind[K, V]
	list func(l *Linux, have state.State, keys iter.Seq[K]) (map[K]V, error)
	set  func(*Linux, []Change) []error // one result for each change
}

// An anySide is a side without its types.
type anySide interface {
	of() state.AnyKind
	read(l *Linux, s Scope, have *state.State) error
}

func (s *side[K, V]) of() state.AnyKind { return s.kind }

func (s *side[K, V]) read(l *Linux, scope Scope, have *state.State) (err error) {
	*s.kind.Table(have), err = s.list(l, *have, keysOf[K](scope, s.kind))
	return err
}

func (s *side[K, V]) write(l *Linux, c Change) error {
	k := c.Key.(K)
	if o, ok := c.Object.(V); ok {
		return s.set(l, k, o)
	}
	if s.delete == nil {
		return errLasting
	}
	return s.delete(l, k)
}

func (s *batchSide[K, V]) of() state.AnyKind { return s.kind }

func (s *batchSide[K, V]) read(l *Linux, scope Scope, have *state.State) (err error) {
	*s.kind.Table(have), err = s.list(l, *have, keysOf[K](scope, s.kind))
	return err
}

func (s *batchSide[K, V]) writeAll(l *Linux, changes []Change) []error { return s.set(l, changes) }

func (s *ipvsSide[K, V]) of() state.AnyKind { return s.kind }

func (s *ipvsSide[K, V]) read(l *Linux, scope Scope, have *state.State) (err error) {
	*s.kind.Table(have), err = s.list(l, *have, keysOf[K](scope, s.kind))
	return err
}

func (s *ipvsSide[K, V]) commandOf(c Change, add bool) command {
	if o, ok := c.Object.(V); ok {
		return s.command(c.Key.(K), &o, add)
	}
	return s.command(c.Key.(K), nil, add)
}

func (s *ipvsSide[K, V]) explained(c Change, err error) error {
	if err == nil {
		return nil
	}
	if s.explain != nil {
		if o, ok := c.Object.(V); ok {
			err = s.explain(&o, err)
		} else {
			err = s.explain(nil, err)
		}
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", c, permission(err, netAdmin))
}

// A writer is a side that writes one object, a batcher one that writes many; a commander is one that has a command for
// it.
type (
	batcher interface {
		writeAll(*Linux, []Change) []error
	}
	writer interface {
		write(*Linux, Change) error
	}
	commander interface {
		commandOf(c Change, add bool) command
		explained(Change, error) error
	}
)

func (l *Linux) side(k state.Key) anySide {
	for _, s := range l.sides {
		if s.of().Has(k) {
			return s
		}
	}
	return nil
}

// Read implements Objects.
func (l *Linux) Read(s Scope) (state.State, Unread) {
	return read(s, func(kind state.AnyKind, have *state.State) error {
		for _, side := range l.sides {
			if side.of() == kind {
				return side.read(l, s, have)
			}
		}
		return fmt.Errorf("list %s: the kernel has no such objects", kind.About().Name)
	})
}

// Apply implements Objects.
func (l *Linux) Apply(changes []Change) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := 0; i < len(changes); {
			switch s := l.side(changes[i].Key).(type) {
			case writer:
				if !yield(i, s.write(l, changes[i])) {
					return
				}
				i++
			case batcher:
				n := 1
				for i+n < len(changes) && l.side(changes[i+n].Key).of().Has(changes[i].Key) {
					n++
				}
				for j, err := range s.writeAll(l, changes[i:i+n]) {
					if !yield(i+j, err) {
						return
					}
				}
				i += n
			case commander:
				n := 1
				for ; n < ipvsBatch && i+n < len(changes); n++ {
					if _, more := l.side(changes[i+n].Key).(commander); !more {
						break
					}
				}
				for j, err := range l.command(changes[i : i+n]) {
					if !yield(i+j, err) {
						return
					}
				}
				i += n
			default:
				if !yield(i, fmt.Errorf("%s: the kernel has no such objects", changes[i])) {
					return
				}
				i++
			}
		}
	}
}

// Commands and attributes of the sync daemons (linux/ip_vs.h).
const (
	cmdNewDaemon = 9
	cmdDelDaemon = 10
	cmdGetDaemon = 11

	attrDaemon = 3

	daemonRole      = 1
	daemonInterface = 2
	daemonID        = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// syncRoles are the roles of the sync daemons by the kernel's numbers.
func syncRoles() []string { return []string{1: "master", 2: "backup"} }

func (l *Linux) syncDaemons(state.State, iter.Seq[state.SyncDaemonKey]) (map[state.SyncDaemonKey]state.SyncDaemon, error) {
	all := map[state.SyncDaemonKey]state.SyncDaemon{}
	return all, l.look(func(*ipvs.Handle) error {
		err := l.table.dump(cmdGetDaemon, nil, attrDaemon, func(a attributes) {
			if len(a[daemonRole]) < 4 || len(a[daemonID]) < 4 {
				return
			}
			role := int(native(a[daemonRole]))
			if role < 1 || role >= len(syncRoles()) {
				return
			}
			d := state.SyncDaemon{
				Interface: unix.ByteSliceToString(a[daemonInterface]), ID: uint8(native(a[daemonID])), MaxLen: a.uint16(daemonMaxLen), Port: a.uint16(daemonPort),
			}
			if ttl := a[daemonTTL]; len(ttl) > 0 {
				d.TTL = ttl[0]
			}
			d.Group, _ = netip.AddrFromSlice(slices.Concat(a[daemonGroup], a[daemonGroup6])) // there is only one of them
			all[state.SyncDaemonKey{Role: syncRoles()[role]}] = d
		})
		if err != nil {
			return fmt.Errorf("list the sync daemons of ipvs: %w", err)
		}
		return nil
	})
}

func syncDaemonCommand(k state.SyncDaemonKey, d *state.SyncDaemon, _ bool) command {
	b, start := openAttr(nil, attrDaemon)
	b = append32(b, daemonRole, uint32(max(slices.Index(syncRoles(), k.Role), 0)))
	if d == nil {
		return command{cmdDelDaemon, closeAttr(b, start)}
	}
	b = appendString(b, daemonInterface, d.Interface)
	b = append32(b, daemonID, uint32(d.ID))
	if d.MaxLen != 0 {
		b = append16(b, daemonMaxLen, d.MaxLen)
	}
	if d.Port != 0 {
		b = append16(b, daemonPort, d.Port)
	}
	if d.TTL != 0 {
		b = append8(b, daemonTTL, d.TTL)
	}
	switch {
	case d.Group.Is4():
		b = appendAddr(b, daemonGroup, d.Group)
	case d.Group.Is6():
		b = appendAddr(b, daemonGroup6, d.Group)
	}
	return command{cmdNewDaemon, closeAttr(b, start)}
}

func explainSyncDaemon(d *state.SyncDaemon, err error) error {
	switch {
	case d == nil && errors.Is(err, unix.ESRCH): // it does not run
		return nil
	case d != nil && errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: %s", ErrNoInterface, d.Interface)
	}
	return err
}
