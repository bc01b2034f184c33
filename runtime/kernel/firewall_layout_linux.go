package kernel

import (
	"bytes"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// The names that keepalived gives to chains and sets in its table.
const (
	chainIn       = "in"
	chainOut      = "out"
	chainLocalIn  = "in_link_local"
	chainLocalOut = "out_link_local"

	setAddresses = "vips"
	setLocal     = "vips_link_local"
	setNeighbour = "neighbor-discovery"
	setVirtual   = "vmac_set"
	mapVirtual   = "vmac_map"
)

// A layout says which sets, chains and rules a table has: those of keepalived 2.2.7, as `nft list ruleset` shows them.
type layout struct {
	tableName
	priority int
	counters bool
	virtual  bool // virtual interfaces are silent
	drops    bool // packets to and from addresses are dropped
	local    bool // including those of link-local addresses
}

func layoutOf(name tableName, entries map[state.FirewallKey]state.Firewall) layout {
	y := layout{tableName: name}
	for k, o := range entries {
		y.priority, y.counters = o.Priority, o.Counters
		if !k.Addr.IsValid() {
			y.virtual = true
			continue
		}
		y.drops, y.local = true, y.local || k.Dev != ""
	}
	return y
}

// covers reports whether a table with this layout can hold what another layout is for.
func (y layout) covers(o layout) bool {
	more := func(here, there bool) bool { return here || !there }
	return y.priority == o.priority && y.counters == o.counters && more(y.virtual, o.virtual) && more(y.drops, o.drops) && more(y.local, o.local)
}

func (y layout) sets(t *nftables.Table) (sets []*nftables.Set) {
	add := func(s nftables.Set) {
		s.Table = t
		// Lets nft(8) show elements correctly. For the values of a map google/nftables v0.3.0 has no such field: nft
		// shows their bytes reversed.
		s.KeyByteOrder = binaryutil.BigEndian
		if s.KeyType == nftables.TypeIFIndex {
			s.KeyByteOrder = binaryutil.NativeEndian
		}
		sets = append(sets, &s)
	}
	address := nftables.TypeIPAddr
	if y.ipv6 {
		address = nftables.TypeIP6Addr
	}
	if y.virtual {
		add(nftables.Set{Name: mapVirtual, IsMap: true, KeyType: nftables.TypeIFIndex, DataType: nftables.TypeIFIndex})
	}
	if y.virtual && y.ipv6 {
		add(nftables.Set{Name: setVirtual, KeyType: nftables.TypeIFIndex})
	}
	if y.drops {
		add(nftables.Set{Name: setAddresses, KeyType: address})
	}
	if y.drops && y.ipv6 {
		add(nftables.Set{Name: setNeighbour, KeyType: nftables.TypeICMP6Type, Constant: true})
	}
	if y.local {
		add(nftables.Set{Name: setLocal, KeyType: nftables.MustConcatSetType(nftables.TypeIP6Addr, nftables.TypeIFIndex), Concatenation: true})
	}
	return sets
}

// elementsOf returns the elements by set name.
func elementsOf(entries map[state.FirewallKey]state.Firewall, index map[string]uint32) map[string][]nftables.SetElement {
	all := map[string][]nftables.SetElement{
		setNeighbour: {{Key: []byte{neighbourSolicitation}}, {Key: []byte{neighbourAdvertisement}}},
	}
	add := func(set string, e nftables.SetElement) { all[set] = append(all[set], e) }
	for k, o := range entries {
		dev := binaryutil.NativeEndian.PutUint32(index[k.Dev])
		switch {
		case k.Dev != "" && index[k.Dev] == 0:
		case k.Addr.IsValid() && k.Dev != "":
			add(setLocal, nftables.SetElement{Key: append(k.Addr.AsSlice(), dev...)})
		case k.Addr.IsValid():
			add(setAddresses, nftables.SetElement{Key: k.Addr.AsSlice()})
		case index[o.Base] != 0:
			add(mapVirtual, nftables.SetElement{Key: dev, Val: binaryutil.NativeEndian.PutUint32(index[o.Base])})
			if k.IPv6 {
				add(setVirtual, nftables.SetElement{Key: dev})
			}
		}
	}
	return all
}

func contains(list []nftables.SetElement, e nftables.SetElement) bool {
	return slices.ContainsFunc(list, func(o nftables.SetElement) bool { return bytes.Equal(o.Key, e.Key) && bytes.Equal(o.Val, e.Val) })
}

// Types of ICMPv6 (RFC 4861 section 4, RFC 3810 section 5.2).
const (
	routerSolicitation     = 133
	neighbourSolicitation  = 135
	neighbourAdvertisement = 136
	multicastReport        = 143
)

// Offsets of addresses in the headers of IPv4 and IPv6.
const (
	source4, destination4 = 12, 16
	source6, destination6 = 8, 24
)

// A chain is a chain with the expressions of its rules.
type chain struct {
	*nftables.Chain
	rules [][]expr.Any
}

func (y layout) chains(t *nftables.Table) []chain {
	priority := nftables.ChainPriority(y.priority)
	base := func(name string, hook *nftables.ChainHook) chain {
		return chain{Chain: &nftables.Chain{Name: name, Table: t, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority}}
	}
	out, in := base(chainOut, nftables.ChainHookOutput), base(chainIn, nftables.ChainHookInput)
	localIn, localOut := chain{Chain: &nftables.Chain{Name: chainLocalIn, Table: t}}, chain{Chain: &nftables.Chain{Name: chainLocalOut, Table: t}}
	rule := func(c *chain, verdict expr.Verdict, matches ...[]expr.Any) {
		r := slices.Concat(matches...)
		if y.counters {
			r = append(r, &expr.Counter{})
		}
		c.rules = append(c.rules, append(r, &verdict))
	}
	drop := expr.Verdict{Kind: expr.VerdictDrop}
	source, destination := network(source4, 4), network(destination4, 4)
	if y.ipv6 {
		source, destination = network(source6, 16), network(destination6, 16)
	}
	switch {
	case y.virtual && y.ipv6:
		rule(&out, drop, icmp6(multicastReport), destination, byMacvlan(), throughBase())
		rule(&out, drop, icmp6(routerSolicitation), byMacvlan(), outDevice(), among(2, setVirtual))
	case y.virtual:
		rule(&out, drop, network(9, 1), equal(unix.IPPROTO_IGMP), destination, byMacvlan(), throughBase())
	}
	if y.drops && y.ipv6 {
		discovery := slices.Concat(network(6, 1), equal(unix.IPPROTO_ICMPV6), transport(), among(1, setNeighbour))
		linkLocal := []expr.Any{
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 16, Mask: leading(0xff, 0xc0), Xor: leading(0, 0)},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: leading(0xfe, 0x80)},
		}
		rule(&in, expr.Verdict{Kind: expr.VerdictAccept}, discovery)
		rule(&out, expr.Verdict{Kind: expr.VerdictAccept}, discovery)
		rule(&in, expr.Verdict{Kind: expr.VerdictGoto, Chain: chainLocalIn}, destination, linkLocal)
		rule(&out, expr.Verdict{Kind: expr.VerdictGoto, Chain: chainLocalOut}, source, linkLocal)
	}
	if y.drops {
		rule(&in, drop, destination, among(1, setAddresses))
		rule(&out, drop, source, among(1, setAddresses))
	}
	if y.local {
		rule(&localIn, drop, destination, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIF, Register: 2}}, among(1, setLocal))
		rule(&localOut, drop, source, outDevice(), among(1, setLocal))
	}
	chains := []chain{out}
	if y.drops {
		chains = append(chains, in)
	}
	if y.drops && y.ipv6 {
		chains = append(chains, localIn, localOut)
	}
	return chains
}

// metaOutKind is the kind of the interface that a packet is sent on: NFT_META_OIFKIND of linux/netfilter/nf_tables.h.
const metaOutKind expr.MetaKey = 27

func outDevice() []expr.Any { return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIF, Register: 2}} }

// byMacvlan matches what is sent on a macvlan interface.
func byMacvlan() []expr.Any {
	return []expr.Any{&expr.Meta{Key: metaOutKind, Register: 2}, &expr.Cmp{Op: expr.CmpOpEq, Register: 2, Data: append([]byte("macvlan"), make([]byte, 9)...)}}
}

// throughBase sends a copy on the interface below.
func throughBase() []expr.Any {
	return append(outDevice(),
		&expr.Lookup{SourceRegister: 2, DestRegister: 2, IsDestRegSet: true, SetName: mapVirtual}, &expr.Dup{RegAddr: 1, RegDev: 2, IsRegDevSet: true})
}

// transport loads the first byte after the network header.
func transport() []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Len: 1}}
}

func network(offset, length uint32) []expr.Any {
	return []expr.Any{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length}}
}

func equal(b byte) []expr.Any {
	return []expr.Any{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{b}}}
}

func among(register uint32, set string) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: register, SetName: set}}
}

func icmp6(kind byte) []expr.Any {
	return slices.Concat([]expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}}, equal(unix.IPPROTO_ICMPV6), transport(), equal(kind))
}

// leading is an IPv6 address that begins with two bytes.
func leading(a, b byte) []byte { return append([]byte{a, b}, make([]byte, 14)...) }
