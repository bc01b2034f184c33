package kernel

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"reflect"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"

	"keepc/compiler/state"
)

// A table is a table of nftables as found. The zero table does not exist.
type table struct {
	tableName
	exists   bool
	alien    string // something in it that neither keepalived nor keepc makes; empty: it is ours to write
	layout   layout // by the sets that it has
	sound    bool   // its chains and rules are those of the layout
	elements map[string][]nftables.SetElement
	entries  map[state.FirewallKey]state.Firewall
}

// tables reads the tables with the names; nil: all that have one of our sets.
func (l *Linux) tables(names map[tableName]bool) (list []table, err error) {
	conn := l.firewall.conn
	all, err := conn.ListTables()
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var devices map[uint32]string
	for _, nt := range all {
		t := table{tableName: tableName{nt.Family == nftables.TableFamilyIPv6, nt.Name}, exists: true}
		if nt.Family != nftFamily(t.ipv6) || names != nil && !names[t.tableName] {
			continue
		}
		sets, err := conn.GetSets(nt)
		if err != nil {
			return nil, fmt.Errorf("list the sets of %s: %w", t, err)
		}
		if names == nil && !slices.ContainsFunc(sets, func(s *nftables.Set) bool { return s.Name == setAddresses || s.Name == mapVirtual }) {
			continue
		}
		if devices == nil {
			if devices, err = l.deviceNames(); err != nil {
				return nil, err
			}
		}
		if err := l.readTable(&t, nt, sets, devices); err != nil {
			return nil, fmt.Errorf("read the table %s: %w", t, err)
		}
		list = append(list, t)
	}
	return list, nil
}

func (l *Linux) deviceNames() (map[uint32]string, error) {
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[uint32]string{}
	for _, k := range links {
		names[uint32(k.Attrs().Index)] = k.Attrs().Name
	}
	return names, nil
}

func (l *Linux) readTable(t *table, nt *nftables.Table, sets []*nftables.Set, devices map[uint32]string) error {
	conn := l.firewall.conn
	chains, err := conn.ListChainsOfTableFamily(nt.Family)
	if err != nil {
		return fmt.Errorf("list chains: %w", err)
	}
	chains = slices.DeleteFunc(chains, func(c *nftables.Chain) bool { return c.Table.Name != nt.Name })
	have := map[string]chain{}
	for _, c := range chains {
		rules, err := conn.GetRules(nt, c)
		if err != nil {
			return fmt.Errorf("list the rules of %s: %w", c.Name, err)
		}
		h := chain{Chain: c}
		for _, r := range rules {
			h.rules = append(h.rules, r.Exprs)
		}
		have[c.Name] = h
	}
	t.layout = found(t.tableName, sets, have)
	if t.alien = t.stranger(nt, sets, have); t.alien != "" {
		return nil
	}
	t.elements = map[string][]nftables.SetElement{}
	for _, s := range sets {
		if t.elements[s.Name], err = conn.GetSetElements(s); err != nil {
			return fmt.Errorf("list the elements of %s: %w", s.Name, err)
		}
	}
	t.sound = t.layout.same(nt, sets, have)
	t.entries = t.means(devices)
	return nil
}

// found returns the layout of a table with these sets.
func found(name tableName, sets []*nftables.Set, chains map[string]chain) layout {
	y := layout{tableName: name}
	for _, s := range sets {
		switch s.Name {
		case mapVirtual:
			y.virtual = true
		case setAddresses:
			y.drops = true
		case setLocal:
			y.local = true
		}
	}
	out := chains[chainOut]
	if out.Chain != nil && out.Priority != nil {
		y.priority = int(*out.Priority)
	}
	if len(out.rules) > 0 {
		y.counters = slices.ContainsFunc(out.rules[0], func(e expr.Any) bool { _, is := e.(*expr.Counter); return is })
	}
	return y
}

// stranger names something in the table that neither keepalived nor keepc makes.
func (t *table) stranger(nt *nftables.Table, sets []*nftables.Set, chains map[string]chain) string {
	ours := layout{tableName: t.tableName, virtual: true, drops: true, local: t.ipv6}
	known := map[string]bool{}
	for _, s := range ours.sets(nt) {
		known[s.Name] = true
	}
	for _, s := range sets {
		if !known[s.Name] {
			return "the set " + s.Name
		}
	}
	for name := range chains {
		if !slices.ContainsFunc(ours.chains(nt), func(c chain) bool { return c.Name == name }) {
			return "the chain " + name
		}
	}
	// google/nftables v0.3.0 reads the number in the wrong byte order.
	if use := min(nt.Use, bits.ReverseBytes32(nt.Use)); int(use) > len(sets)+len(chains) {
		return "objects"
	}
	return ""
}

// same reports whether the sets, chains and rules are those of the layout.
func (y layout) same(nt *nftables.Table, sets []*nftables.Set, chains map[string]chain) bool {
	wantSets, wantChains := y.sets(nt), y.chains(nt)
	if len(wantSets) != len(sets) || len(wantChains) != len(chains) {
		return false
	}
	for _, w := range wantSets {
		if !slices.ContainsFunc(sets, func(h *nftables.Set) bool {
			return h.Name == w.Name && h.IsMap == w.IsMap && h.KeyType.Bytes == w.KeyType.Bytes && !h.Interval
		}) {
			return false
		}
	}
	for _, w := range wantChains {
		h := chains[w.Name]
		if h.Chain == nil || h.Type != w.Type || !reflect.DeepEqual(h.Hooknum, w.Hooknum) || !reflect.DeepEqual(h.Priority, w.Priority) ||
			h.Policy != nil && *h.Policy != nftables.ChainPolicyAccept || len(h.rules) != len(w.rules) {
			return false
		}
		for i := range w.rules {
			// google/nftables v0.3.0 cannot read a dup.
			want := slices.DeleteFunc(slices.Clone(w.rules[i]), func(e expr.Any) bool { _, is := e.(*expr.Dup); return is })
			if !slices.EqualFunc(h.rules[i], want, func(a, b expr.Any) bool { return reflect.DeepEqual(uncounted(a), uncounted(b)) }) {
				return false
			}
		}
	}
	return true
}

// uncounted returns an expression without the fields that the kernel counts or numbers.
func uncounted(e expr.Any) expr.Any {
	switch e := e.(type) {
	case *expr.Counter:
		return &expr.Counter{}
	case *expr.Lookup:
		o := *e
		o.SetID = 0
		return &o
	}
	return e
}

// means returns what the table does, by its elements.
func (t *table) means(devices map[uint32]string) map[state.FirewallKey]state.Firewall {
	all := map[state.FirewallKey]state.Firewall{}
	o := state.Firewall{Priority: t.layout.priority, Counters: t.layout.counters}
	if !t.sound {
		o.Trouble = "the rules of the table are not in place"
	}
	index := func(b []byte) string {
		if len(b) != 4 {
			return ""
		}
		return devices[binaryutil.NativeEndian.Uint32(b)]
	}
	key := func(b []byte, dev string) {
		if addr, ok := netip.AddrFromSlice(b); ok {
			all[state.FirewallKey{Table: t.name, IPv6: t.ipv6, Addr: addr, Dev: dev}] = o
		}
	}
	for _, e := range t.elements[setAddresses] {
		key(e.Key, "")
	}
	for _, e := range t.elements[setLocal] {
		if len(e.Key) == 20 && index(e.Key[16:]) != "" {
			key(e.Key[:16], index(e.Key[16:]))
		}
	}
	for _, e := range t.elements[mapVirtual] {
		dev := index(e.Key)
		if dev == "" {
			continue
		}
		v := o
		v.Base = index(e.Val)
		if t.ipv6 && !slices.ContainsFunc(t.elements[setVirtual], func(s nftables.SetElement) bool { return index(s.Key) == dev }) {
			v.Trouble = cmp.Or(v.Trouble, "it asks for routers")
		}
		all[state.FirewallKey{Table: t.name, IPv6: t.ipv6, Dev: dev}] = v
	}
	return all
}
