package ir

import (
	"net/netip"
	"time"
)

// A BFD is a bfd_instance: a session of RFC 5880 with a neighbour.
type BFD struct {
	Origin
	Name       string
	Neighbor   netip.Addr    `json:"neighbor_ip"`
	Source     netip.Addr    `json:"source_ip"` // zero: any
	MinRX      time.Duration // the shortest time between packets that can be received
	MinTX      time.Duration // the shortest time between packets that are sent
	IdleTX     time.Duration // the time between packets while the session is down
	Multiplier int           // packets that must be missed in a row before the session is down
	Passive    bool          // waits for the other end to begin
	TTL        int           // of packets
	MaxHops    int           // number of routers that packets may cross; -1: any number
	Multihop   bool          // the port of multihop sessions
	Weight     Weight        `json:",inline"` // added to the priority of instances that track the session
	VRRP       bool          // instances are told
	Checker    bool          // checkers are told
}
