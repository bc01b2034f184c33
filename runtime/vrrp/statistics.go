package vrrp

import "time"

// Statistics are the counters of a virtual router since its machine was made. Those of RFC 8347 have its names; the others are keepc's.
type Statistics struct {
	MasterTransitions    uint64 `json:"master-transitions"`
	AdvertisementRcvd    uint64 `json:"advertisement-rcvd"` // accepted
	AdvertisementSent    uint64 `json:"advertisement-sent"`
	IntervalErrors       uint64 `json:"interval-errors"`
	PriorityZeroPktsRcvd uint64 `json:"priority-zero-pkts-rcvd"`
	PriorityZeroPktsSent uint64 `json:"priority-zero-pkts-sent"`
	InvalidTypePktsRcvd  uint64 `json:"invalid-type-pkts-rcvd"`
	AddressListErrors    uint64 `json:"address-list-errors"` // accepted, but with addresses that differ from ours
	PacketLengthErrors   uint64 `json:"packet-length-errors"`
	// RFC 8347 counts these for all routers of a host together.
	ChecksumErrors uint64 `json:"checksum-errors"`
	VersionErrors  uint64 `json:"version-errors"`
	IPTTLErrors    uint64 `json:"ip-ttl-errors"`

	Transitions             uint64 `json:"transitions"`               // of all kinds
	AdvertisementLate       uint64 `json:"advertisement-late"`        // sent more than 10 ms after it was due
	AuthTypeMismatches      uint64 `json:"auth-type-mismatches"`      // version 2
	AuthFailures            uint64 `json:"auth-failures"`             // wrong passwords and signatures
	Replays                 uint64 `json:"replays"`                   // AH and auth_hmac: old sequence numbers and stamps
	DestinationAddrErrors   uint64 `json:"destination-addr-errors"`   // not sent to the group
	AddressFamilyMismatches uint64 `json:"address-family-mismatches"` // version 2 over IPv6
}

// late is how long after its due time an advertisement counts as late.
const late = 10 * time.Millisecond

// drop counts a packet that was not accepted.
func (s *Statistics) drop(d Defect) {
	switch d {
	case ErrTruncated:
		s.PacketLengthErrors++
	case ErrVersion, ErrVersionMismatch:
		s.VersionErrors++
	case ErrType:
		s.InvalidTypePktsRcvd++
	case ErrChecksum:
		s.ChecksumErrors++
	case ErrFamily:
		s.AddressFamilyMismatches++
	case ErrTTL:
		s.IPTTLErrors++
	case ErrUnicast, ErrPeer:
		s.DestinationAddrErrors++
	case ErrAuthType:
		s.AuthTypeMismatches++
	case ErrAuth, ErrSignature, ErrUnsigned, ErrKey, ErrClock:
		s.AuthFailures++
	case ErrReplay, ErrStale:
		s.Replays++
	case ErrIntervalMismatch:
		s.IntervalErrors++
	}
}

// Drops yields the reasons for dropped advertisements, in fixed words, with their number.
func (s *Statistics) Drops(yield func(reason string, n uint64) bool) {
	for _, d := range []struct {
		reason string
		n      uint64
	}{
		{"address_family", s.AddressFamilyMismatches},
		{"auth_type", s.AuthTypeMismatches},
		{"authentication", s.AuthFailures},
		{"checksum", s.ChecksumErrors},
		{"destination", s.DestinationAddrErrors},
		{"interval", s.IntervalErrors},
		{"length", s.PacketLengthErrors},
		{"replay", s.Replays},
		{"ttl", s.IPTTLErrors},
		{"type", s.InvalidTypePktsRcvd},
		{"version", s.VersionErrors},
	} {
		if !yield(d.reason, d.n) {
			return
		}
	}
}
