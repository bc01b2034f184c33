package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// A Reason is why a router changed its role. It is a value; String returns its text.
type Reason struct {
	kind         reasonKind
	peer         netip.Addr
	theirs, ours uint8 // priorities
	wait         time.Duration
	told         string // what begins, or why, in the words of the event's sender
}

// Because returns a Reason with its own words.
func Because(words string) Reason { return Reason{told: words} }

type reasonKind uint8

const (
	told       reasonKind = iota
	owns                  // it is the owner of its addresses
	listens               // it listens first
	silence               // it heard no advertisement
	resigned              // the master resigned
	preempts              // the master has a lower priority
	outranked             // another one has a higher priority
	outnumbers            // another one has the higher address
	here                  // its addresses are here
	overslept             // its own timer came too late
	courteous             // another router is MASTER, and may stay MASTER
)

func (r Reason) String() string {
	switch r.kind {
	case owns:
		return r.told + " as owner of its addresses: priority 255"
	case listens:
		return fmt.Sprintf("%s; master down after %v", r.told, round(r.wait))
	case silence:
		return fmt.Sprintf("no advert for %v", round(r.wait))
	case resigned:
		return fmt.Sprintf("%v gave up: priority 0", r.peer)
	case preempts:
		return fmt.Sprintf("preempts %v: %d > %d", r.peer, r.ours, r.theirs)
	case outranked:
		return fmt.Sprintf("%v has a higher priority: %d > %d", r.peer, r.theirs, r.ours)
	case outnumbers:
		return fmt.Sprintf("%v has the same priority %d and the higher address", r.peer, r.theirs)
	case here:
		return "its addresses are here already"
	case overslept:
		return fmt.Sprintf("sent nothing for %v: another router may be MASTER by now (timer_expired_backup)", round(r.wait))
	case courteous:
		return fmt.Sprintf("%v is MASTER already and may stay MASTER: priority %d, ours is %d", r.peer, r.theirs, r.ours)
	}
	return r.told
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// A Note reports an oddity, for people. The same oddity is reported once a minute, and again in a new role. It is a
// value; String returns its text.
type Note struct {
	kind         noteKind
	peer         netip.Addr
	drop         Drop
	theirs, ours uint8 // priorities
	// Addresses that they advertise, and our own.
	advertised, expected []netip.Addr
	err                  error
	mac                  MAC // of the other holder of an address
}

type noteKind uint8

const (
	dropped      noteKind = iota // one kind for each Defect
	addressesOdd          = noteKind(defects) + iota
	addressTaken
	duplicate
	contested
	deafPeer
	foreignCluster
	unsent

	noteKinds
)

func (n Note) String() string {
	switch n.kind {
	case addressesOdd:
		return fmt.Sprintf("%v advertises other addresses: %s", n.peer, compareAddresses(n.advertised, n.expected))
	case addressTaken:
		return fmt.Sprintf("another router uses our address %v and priority %d", n.peer, n.theirs)
	case duplicate:
		return fmt.Sprintf("duplicate address %v: %v claims it, too; clients may send to that host", n.peer, n.mac)
	case contested:
		return fmt.Sprintf("%v is MASTER too, with priority %d; ours is %d", n.peer, n.theirs, n.ours)
	case deafPeer:
		return fmt.Sprintf("%v stays MASTER with priority %d beside ours of %d: our advertisements do not reach it, or it drops them", n.peer, n.theirs, n.ours)
	case foreignCluster:
		return fmt.Sprintf("%v belongs to a different cluster with this VRID: it advertises %v and none of our addresses", n.peer, n.advertised)
	case unsent:
		return fmt.Sprintf("advert not sent: %v", n.err)
	}
	return fmt.Sprintf("advert from %v dropped: %v", n.peer, n.drop)
}

// String shows the advertisement without its password.
func (s *Send) String() string {
	p, err := Unmarshal(Advert(s.Payload, s.AH), s.Src, s.Dst)
	if err != nil {
		return err.Error()
	}
	return p.String()
}
