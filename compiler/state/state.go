// Package state holds what should exist in a kernel, or what does exist.
package state

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// A Key identifies a kernel object; its type gives the kind. Keys are comparable.
type Key interface{ String() string }

// An Object is the settings of a kernel object.
type Object interface {
	// Fields lists the settings in reading order.
	Fields() []Field
	// From returns the line that asks for the object, and why.
	From() Provenance
}

// A Field is one setting as a person writes it. An empty value means "not set".
type Field struct{ Name, Value string }

// Provenance is the line of the file that asks for an object, and why it should exist now. Comparisons ignore it.
type Provenance struct {
	Origin source.Span
	Why    string
	Loose  bool // if somebody else removes the object, it stays away until it is wanted again
}

// From returns the provenance; every object has it by embedding.
func (p Provenance) From() Provenance { return p }

// AddressKey is what the kernel identifies addresses by.
type AddressKey struct {
	Dev    string
	Prefix netip.Prefix
}

func (k AddressKey) String() string { return k.Prefix.String() + " dev " + k.Dev }

// An Address is an address on an interface. The JSON form is part of the facts of a host.
type Address struct {
	Label      string       `json:"label,omitempty"` // empty: the name of the interface
	Scope      uint8        `json:"scope,omitempty"` // 0 global, 253 link, 254 host
	Broadcast  netip.Addr   `json:"broadcast,omitzero"`
	Peer       netip.Prefix `json:"peer,omitzero"`
	NoDAD      bool         `json:"nodad,omitempty"` // requested at creation; the kernel does not report it
	Flags      AddressFlags `json:"flags,omitempty"`
	Lifetime   Lifetime     `json:"-"` // requested at creation; what is left of it changes all the time
	AsFound    bool         `json:"-"` // accepted as it is if it exists already; then it is not ours
	Astray     string       `json:"-"` // the current name of its interface, if that differs from the key's
	Provenance `json:"-"`
}

// Fields implements Object.
func (a Address) Fields() []Field {
	f := []Field{{"label", a.Label}, {"scope", scopeName(a.Scope)}, {"brd", ""}, {"peer", ""}, {"flags", a.Flags.String()}}
	if a.Broadcast.IsValid() {
		f[2].Value = a.Broadcast.String()
	}
	if a.Peer.IsValid() {
		f[3].Value = a.Peer.String()
	}
	if a.Astray != "" {
		f = append(f, Field{"interface", a.Astray})
	}
	return f
}

// AddressFlags are settings of an address, by their bits in the kernel (linux/if_addr.h).
type AddressFlags uint32

const (
	HomeAddress   AddressFlags = 1 << 4
	ManageTemp    AddressFlags = 1 << 8
	NoPrefixRoute AddressFlags = 1 << 9
	AutoJoin      AddressFlags = 1 << 10
)

// KnownFlags are the flags that a file can ask for.
const KnownFlags = HomeAddress | ManageTemp | NoPrefixRoute | AutoJoin

// String lists the words of ip-address(8).
func (f AddressFlags) String() string {
	var words []string
	for _, w := range []struct {
		flag AddressFlags
		word string
	}{{HomeAddress, "home"}, {ManageTemp, "mngtmpaddr"}, {NoPrefixRoute, "noprefixroute"}, {AutoJoin, "autojoin"}} {
		if f&w.flag != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, " ")
}

// A Lifetime is how long an IPv6 address is preferred as the source of connections. The zero Lifetime has no end.
type Lifetime struct {
	Limited bool
	Seconds uint32 // 0: it is deprecated from the start
}

func scopeName(s uint8) string {
	switch s {
	case 0:
		return ""
	case 253:
		return "link"
	case 254:
		return "host"
	}
	return strconv.Itoa(int(s))
}

// A Service is a virtual server as IPVS holds it.
type Service struct {
	Scheduler   string
	Persistence time.Duration // whole seconds; 0: not persistent
	Mask        ir.ClientMask
	Engine      string // persistence engine
	Flags       uint32 // without the persistent and hashed bits
	Provenance  `json:"-"`
}

// Granularity is the client group of a persistent service in the words of the file: a netmask, or a prefix length of
// IPv6; empty if each client counts by itself.
func (s Service) Granularity() string {
	if s.Persistence == 0 || s.Mask.Alone() {
		return ""
	}
	return s.Mask.String()
}

// Fields implements Object.
func (s Service) Fields() []Field {
	f := []Field{{"scheduler", s.Scheduler}, {"persistent", ""}, {"granularity", ""}, {"engine", s.Engine}, {"flags", ""}}
	if s.Persistence > 0 {
		f[1].Value = strconv.Itoa(int(s.Persistence / time.Second))
		if n, leads := s.Mask.Length(); leads && !s.Mask.Alone() {
			f[2].Value = "/" + strconv.Itoa(n)
		} else if !leads {
			f[2].Value = s.Mask.String()
		}
	}
	if s.Flags != 0 {
		f[4].Value = fmt.Sprintf("%#x", s.Flags)
	}
	return f
}

// DestinationKey is a real server of a service.
type DestinationKey struct {
	Service ir.ServiceKey
	Server  netip.AddrPort
}

func (k DestinationKey) String() string { return k.Server.String() + " of " + k.Service.String() }

// A Destination is a real server as IPVS holds it.
type Destination struct {
	Weight         int
	Forwarding     ir.Forwarding
	UpperThreshold uint32
	LowerThreshold uint32
	Tunnel         ir.Tunnel // of TUN
	Provenance     `json:"-"`
}

// Fields implements Object.
func (d Destination) Fields() []Field {
	f := []Field{{"weight", strconv.Itoa(d.Weight)}, {"forwarding", d.Forwarding.String()}, {"u-threshold", ""}, {"l-threshold", ""}, {"tunnel", ""}}
	if d.UpperThreshold != 0 {
		f[2].Value = strconv.FormatUint(uint64(d.UpperThreshold), 10)
	}
	if d.LowerThreshold != 0 {
		f[3].Value = strconv.FormatUint(uint64(d.LowerThreshold), 10)
	}
	if d.Tunnel != (ir.Tunnel{}) {
		f[4].Value = d.Tunnel.String()
	}
	return f
}

// TimeoutsKey is the key of the timeouts of IPVS: a kernel always has exactly one set.
type TimeoutsKey struct{}

func (TimeoutsKey) String() string { return "timeouts of ipvs" }

// Timeouts are how long IPVS remembers idle connections, in whole seconds. A wish of 0 leaves a timeout unchanged.
type Timeouts struct {
	ir.Timeouts
	Provenance `json:"-"`
}

// Fields implements Object.
func (t Timeouts) Fields() []Field {
	f := []Field{{"tcp", ""}, {"tcpfin", ""}, {"udp", ""}}
	for i, d := range []time.Duration{t.TCP, t.TCPFin, t.UDP} {
		if d > 0 {
			f[i].Value = strconv.Itoa(int(d / time.Second))
		}
	}
	return f
}
