package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A Condition is a state of the virtual router that differs from the intention, with another router as its cause: two
// masters, or a cause of two masters. It has a beginning, and is over when it is no longer seen.
type Condition struct {
	Kind  ConditionKind
	Peer  netip.Addr // for DuplicateAddress, whose holder has no other known address: that address
	First time.Time
	Last  time.Time
	Count uint64 // of the packets that showed it

	drop                 Drop  // of what is dropped
	theirs, ours         uint8 // priorities
	advertised, expected []netip.Addr
	mac                  MAC // of the other holder of an address
}

// A ConditionKind names a Condition.
type ConditionKind uint8

// The conditions. The most telling comes last: a foreign cluster also has a different password.
const (
	Dropped          ConditionKind = iota // advertisements of the peer are dropped for a reason other than those below
	WrongPassword                         // it has a different one, or a different authentication type
	OtherVersion                          // of the protocol
	OtherInterval                         // between advertisements
	OtherAddresses                        // than ours
	AddressTaken                          // it sends from our own address
	DuplicateAddress                      // a foreign MAC address claims one of ours
	DualMaster                            // it is MASTER beside us
	OneWay                                // and stays MASTER: it does not hear us
	ForeignCluster                        // it has our VRID, and none of our addresses
)

func (k ConditionKind) String() string {
	return [...]string{
		"dropped", "wrong password", "other version", "other interval", "other addresses", "address taken", "duplicate address", "dual master", "one-way", "foreign cluster",
	}[k]
}

// Cause says what the peer does, in words.
func (c Condition) Cause() string {
	switch c.Kind {
	case OtherAddresses:
		return "it advertises other addresses: " + compareAddresses(c.advertised, c.expected)
	case AddressTaken:
		return "it sends from our own address"
	case DuplicateAddress:
		return fmt.Sprintf("%v announces this address, too: clients may send to it instead of to us", c.mac)
	case DualMaster:
		return fmt.Sprintf("it is MASTER too, with priority %d; ours is %d", c.theirs, c.ours)
	case OneWay:
		return fmt.Sprintf("it stays MASTER with priority %d beside ours of %d: our advertisements do not reach it, or it drops them", c.theirs, c.ours)
	case ForeignCluster:
		return fmt.Sprintf("it has this VRID and none of our addresses: %v", c.advertised)
	}
	return c.drop.Error()
}

// kindOf returns the condition that a dropped advertisement shows.
func kindOf(d Defect) ConditionKind {
	switch d {
	case ErrAuth, ErrAuthType, ErrSignature, ErrUnsigned, ErrKey:
		return WrongPassword
	case ErrVersion, ErrVersionMismatch:
		return OtherVersion
	case ErrIntervalMismatch:
		return OtherInterval
	}
	return Dropped
}

// maxConditions is how many are remembered; the one that was not seen for the longest time is replaced.
const maxConditions = 8

// patience is how many intervals another master may take to hear us, before the condition is called one-way.
const patience = 3

// conditions are those shown by accepted advertisements. Those of dropped ones are kept as Unheard.
type conditions []Condition

// see records that an advertisement shows a condition, and returns it. fresh: it is new, or was over.
func (l *conditions) see(now time.Time, kind ConditionKind, peer netip.Addr, over time.Duration) (c *Condition, fresh bool) {
	i := slices.IndexFunc(*l, func(c Condition) bool {
		return c.Peer == peer && (c.Kind == kind || kind == DualMaster && c.Kind == OneWay)
	})
	switch {
	case i >= 0 && now.Sub((*l)[i].Last) <= over:
		c = &(*l)[i]
		c.Last = now
		c.Count++
		return c, false
	case i >= 0:
	case len(*l) < maxConditions:
		*l = append(*l, Condition{})
		i = len(*l) - 1
	default:
		i = 0
		for n := range *l {
			if (*l)[n].Last.Before((*l)[i].Last) {
				i = n
			}
		}
	}
	(*l)[i] = Condition{Kind: kind, Peer: peer, First: now, Last: now, Count: 1}
	return &(*l)[i], true
}

// beside records that a MASTER hears another one that should not be MASTER, and reports once if that one does not hear
// us.
func (m *Machine) beside(now time.Time, peer netip.Addr, priority uint8) {
	c, _ := m.odd.see(now, DualMaster, peer, m.over())
	c.theirs, c.ours = priority, m.priority
	if c.Kind == DualMaster && c.Count > patience && now.Sub(c.First) > patience*m.cfg.AdvertInterval {
		c.Kind = OneWay
		m.note(now, Note{kind: deafPeer, peer: peer, theirs: priority, ours: m.priority})
	}
}

// over is how long after its last sign a condition is over.
func (m *Machine) over() time.Duration { return 10 * m.cfg.AdvertInterval }

// oddAddresses records that an accepted advertisement has addresses that differ from ours.
func (m *Machine) oddAddresses(now time.Time, peer netip.Addr, advertised []netip.Addr) {
	expected := m.cfg.Advertised()
	kind := OtherAddresses
	if disjoint(advertised, expected) {
		kind = ForeignCluster
	}
	if c, fresh := m.odd.see(now, kind, peer, m.over()); fresh {
		c.advertised, c.expected = slices.Clone(advertised), expected
		if kind == ForeignCluster {
			m.note(now, Note{kind: foreignCluster, peer: peer, advertised: c.advertised})
		}
	}
}

// disjoint reports whether two lists both have addresses, but none in common.
func disjoint(a, b []netip.Addr) bool {
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(x netip.Addr) bool { return slices.Contains(b, x) })
}

// Conditions lists what differs from the intention, in order of their beginnings.
func (m *Machine) Conditions() []Condition {
	all := slices.Clone(m.odd)
	for _, u := range m.unheard {
		c := Condition{Kind: kindOf(u.Drop.Defect), Peer: u.Peer, First: u.First, Last: u.Last, Count: u.Count, drop: u.Drop, advertised: u.Foreign}
		if len(u.Foreign) > 0 {
			c.Kind = ForeignCluster
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b Condition) int { return a.First.Compare(b.First) })
	return all
}
