package kernel

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// A firewall is the kernel's nftables, in the network namespace of the thread that opened it.
type firewall struct {
	mu   sync.Mutex
	conn *nftables.Conn
	err  error // why it cannot be used
}

// open opens the socket. Without it the kernel has no firewall, and everything else works.
func (f *firewall) open() {
	f.conn, f.err = nftables.New(nftables.AsLasting())
}

func (f *firewall) close() {
	if f.conn != nil {
		_ = f.conn.CloseLasting() // nothing depends on it
	}
}

// firewallError explains what the kernel means by an errno.
func firewallError(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w (%w)", ErrNoFirewall, err)
	}
	return permission(err, netAdmin)
}

// A tableName identifies a table of nftables: its family and name.
type tableName struct {
	ipv6 bool
	name string
}

func (t tableName) String() string { return state.FirewallKey{IPv6: t.ipv6}.Family() + " " + t.name }

func tableOf(k state.FirewallKey) tableName { return tableName{k.IPv6, k.Table} }

// firewalls lists what the tables of the keys do; without keys, what all tables do that can be keepalived's.
func (l *Linux) firewalls(_ state.State, keys iter.Seq[state.FirewallKey]) (map[state.FirewallKey]state.Firewall, error) {
	l.firewall.mu.Lock()
	defer l.firewall.mu.Unlock()
	if l.firewall.err != nil {
		return nil, fmt.Errorf("list the firewall: %w", firewallError(l.firewall.err))
	}
	names := map[tableName]bool{}
	if keys == nil {
		names = nil
	} else {
		for k := range keys {
			names[tableOf(k)] = true
		}
	}
	all := map[state.FirewallKey]state.Firewall{}
	tables, err := l.tables(names)
	if err != nil {
		return nil, fmt.Errorf("list the firewall: %w", firewallError(err))
	}
	for _, t := range tables {
		if t.alien != "" {
			continue
		}
		for k, o := range t.entries {
			all[k] = o
		}
	}
	return all, nil
}

// setFirewalls makes changes, those of one table in one transaction: packets never see half of it.
func (l *Linux) setFirewalls(changes []Change) []error {
	l.firewall.mu.Lock()
	defer l.firewall.mu.Unlock()
	errs := make([]error, len(changes))
	of := map[tableName][]int{}
	for i, c := range changes {
		t := tableOf(c.Key.(state.FirewallKey))
		of[t] = append(of[t], i)
	}
	for name, list := range of {
		err := l.firewall.err
		if err == nil {
			err = l.changeTable(name, changes, list)
		}
		for _, i := range list {
			if err != nil {
				errs[i] = fmt.Errorf("%s: %w", changes[i], firewallError(err))
			}
		}
	}
	return errs
}

// changeTable makes the changes with the indexes in list, all of one table.
func (l *Linux) changeTable(name tableName, changes []Change, list []int) error {
	tables, err := l.tables(map[tableName]bool{name: true})
	if err != nil {
		return err
	}
	t := table{tableName: name}
	if len(tables) > 0 {
		t = tables[0]
	}
	entries := maps.Clone(t.entries)
	if entries == nil {
		entries = map[state.FirewallKey]state.Firewall{}
	}
	var settings *state.Firewall
	for _, i := range list {
		k := changes[i].Key.(state.FirewallKey)
		if o, ok := changes[i].Object.(state.Firewall); ok {
			entries[k], settings = o, &o
		} else {
			delete(entries, k)
		}
	}
	switch {
	case len(entries) == 0 && !t.exists:
		return nil
	case t.alien != "":
		if settings == nil {
			return nil // our table does not exist
		}
		return fmt.Errorf("the table %s is another program's: it has %s; name a table of its own with nftables", name, t.alien)
	}
	index := map[string]uint32{}
	for k, o := range entries {
		for _, dev := range []string{k.Dev, o.Base} {
			if dev == "" || index[dev] != 0 {
				continue
			}
			link, err := l.link(dev)
			if err == nil {
				index[dev] = uint32(link.Index)
				continue
			}
			if errors.Is(err, ErrNoInterface) && settings == nil {
				continue // deletion needs no interface
			}
			return err
		}
	}
	if settings != nil {
		for k, o := range entries {
			o.Priority, o.Counters = settings.Priority, settings.Counters
			entries[k] = o
		}
	}
	return l.firewall.rewrite(t, entries, index)
}

// rewrite makes a table hold the entries, with as few changes as possible: elements of its sets if its rules are
// right, otherwise the whole table.
func (f *firewall) rewrite(t table, entries map[state.FirewallKey]state.Firewall, index map[string]uint32) error {
	nt := &nftables.Table{Name: t.name, Family: nftFamily(t.ipv6)}
	if len(entries) == 0 {
		f.conn.DelTable(nt)
		return f.flush(t.tableName)
	}
	want := layoutOf(t.tableName, entries)
	elements := elementsOf(entries, index)
	if t.exists && t.layout.covers(want) && t.sound {
		for _, s := range t.layout.sets(nt) {
			have := t.elements[s.Name]
			gone := slices.DeleteFunc(slices.Clone(have), func(e nftables.SetElement) bool { return contains(elements[s.Name], e) })
			come := slices.DeleteFunc(slices.Clone(elements[s.Name]), func(e nftables.SetElement) bool { return contains(have, e) })
			if s.Constant {
				continue
			}
			if len(gone) > 0 {
				if err := f.conn.SetDeleteElements(s, gone); err != nil {
					return err
				}
			}
			if len(come) > 0 {
				if err := f.conn.SetAddElements(s, come); err != nil {
					return err
				}
			}
		}
		return f.flush(t.tableName)
	}
	f.conn.AddTable(nt)
	f.conn.DelTable(nt)
	f.conn.AddTable(nt)
	for _, s := range want.sets(nt) {
		if err := f.conn.AddSet(s, elements[s.Name]); err != nil {
			return err
		}
	}
	chains := want.chains(nt)
	for _, c := range chains {
		f.conn.AddChain(c.Chain)
	}
	for _, c := range chains {
		for _, r := range c.rules {
			f.conn.AddRule(&nftables.Rule{Table: nt, Chain: c.Chain, Exprs: r})
		}
	}
	return f.flush(t.tableName)
}

func (f *firewall) flush(t tableName) error {
	if err := f.conn.Flush(); err != nil {
		f.close() // answers to the rest of the transaction may still come
		f.open()
		return fmt.Errorf("write the table %s: %w", t, err)
	}
	return nil
}

func nftFamily(ipv6 bool) nftables.TableFamily {
	if ipv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}
