// Package bfd is Bidirectional Forwarding Detection (RFC 5880, RFC 5881) without its sockets: the packets, the machine
// of one session, and that of all sessions of a director. Nothing here knows a clock or a socket. Authentication, echo
// packets and demand mode of our own are not part of it: keepalived has none of them.
package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Port is the UDP port of control packets of single-hop sessions: RFC 5881 section 4.
const Port = 3784

// The source ports that RFC 5881 section 4 allows.
const (
	FirstSourcePort = 49152
	LastSourcePort  = 65535
)

// A State is bfd.SessionState: RFC 5880 section 4.1. The numbers are those of packets.
type State uint8

const (
	AdminDown State = iota
	Down
	Init
	Up
)

func (s State) String() string { return [...]string{"AdminDown", "Down", "Init", "Up"}[s&3] }

// A Diagnostic says why a session last changed its state: RFC 5880 section 4.1. The numbers are those of packets.
type Diagnostic uint8

const (
	NoDiagnostic         Diagnostic = 0
	DetectionTimeExpired Diagnostic = 1
	NeighborDown         Diagnostic = 3
	AdministrativelyDown Diagnostic = 7
)

func (d Diagnostic) String() string {
	names := [...]string{
		"No Diagnostic", "Control Detection Time Expired", "Echo Function Failed", "Neighbor Signaled Session Down", "Forwarding Plane Reset",
		"Path Down", "Concatenated Path Down", "Administratively Down", "Reverse Concatenated Path Down",
	}
	if int(d) < len(names) {
		return names[d]
	}
	return fmt.Sprintf("Diagnostic %d", uint8(d))
}

// A Packet is a control packet: RFC 5880 section 4.1. Times are whole microseconds, at most 2^32-1 of them.
type Packet struct {
	Diagnostic                Diagnostic
	State                     State
	Poll, Final               bool
	ControlPlaneIndependent   bool
	Demand                    bool
	DetectMult                uint8
	MyDiscriminator           uint32
	YourDiscriminator         uint32
	DesiredMinTxInterval      time.Duration
	RequiredMinRxInterval     time.Duration
	RequiredMinEchoRxInterval time.Duration
}

const (
	version       = 1
	packetLen     = 24 // bytes, without authentication
	minAuthLength = 2  // bytes of an authentication section

	flagPoll        = 0x20
	flagFinal       = 0x10
	flagIndependent = 0x08
	flagAuth        = 0x04
	flagDemand      = 0x02
	flagMultipoint  = 0x01
)

// The errors of Unmarshal, in the order in which RFC 5880 section 6.8.6 checks a packet.
var (
	ErrVersion           = errors.New("its version is not 1")
	ErrLength            = errors.New("its length is wrong")
	ErrDetectMult        = errors.New("its Detect Mult is 0")
	ErrMultipoint        = errors.New("it is multipoint")
	ErrMyDiscriminator   = errors.New("its My Discriminator is 0")
	ErrYourDiscriminator = errors.New("its Your Discriminator is 0 in state Init or Up")
	ErrAuthentication    = errors.New("it is authenticated, and no authentication is in use")
)

// Unmarshal reads a UDP payload. It returns one of the errors above, for the first rule that the packet breaks. Bytes
// after the length field's value are ignored.
func Unmarshal(b []byte) (Packet, error) {
	if len(b) == 0 || b[0]>>5 != version {
		return Packet{}, ErrVersion
	}
	if len(b) < packetLen {
		return Packet{}, ErrLength
	}
	flags, length, least := b[1], int(b[3]), packetLen
	if flags&flagAuth != 0 {
		least += minAuthLength
	}
	p := Packet{
		Diagnostic: Diagnostic(b[0] & 0x1f), State: State(flags >> 6),
		Poll: flags&flagPoll != 0, Final: flags&flagFinal != 0, ControlPlaneIndependent: flags&flagIndependent != 0, Demand: flags&flagDemand != 0,
		DetectMult: b[2], MyDiscriminator: binary.BigEndian.Uint32(b[4:]), YourDiscriminator: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTxInterval: microseconds(b[12:]), RequiredMinRxInterval: microseconds(b[16:]), RequiredMinEchoRxInterval: microseconds(b[20:]),
	}
	switch {
	case length < least, length > len(b):
		return Packet{}, ErrLength
	case p.DetectMult == 0:
		return Packet{}, ErrDetectMult
	case flags&flagMultipoint != 0:
		return Packet{}, ErrMultipoint
	case p.MyDiscriminator == 0:
		return Packet{}, ErrMyDiscriminator
	case p.YourDiscriminator == 0 && p.State != Down && p.State != AdminDown:
		return Packet{}, ErrYourDiscriminator
	case flags&flagAuth != 0:
		return Packet{}, ErrAuthentication
	}
	return p, nil
}

// Marshal returns the UDP payload. It does not validate: a packet with both P and F is the caller's mistake.
func (p Packet) Marshal() []byte {
	b := make([]byte, packetLen)
	b[0] = version<<5 | uint8(p.Diagnostic)&0x1f
	b[1] = uint8(p.State)<<6 | flag(p.Poll, flagPoll) | flag(p.Final, flagFinal) | flag(p.ControlPlaneIndependent, flagIndependent) | flag(p.Demand, flagDemand)
	b[2], b[3] = p.DetectMult, packetLen
	binary.BigEndian.PutUint32(b[4:], p.MyDiscriminator)
	binary.BigEndian.PutUint32(b[8:], p.YourDiscriminator)
	binary.BigEndian.PutUint32(b[12:], uint32(p.DesiredMinTxInterval/time.Microsecond))
	binary.BigEndian.PutUint32(b[16:], uint32(p.RequiredMinRxInterval/time.Microsecond))
	binary.BigEndian.PutUint32(b[20:], uint32(p.RequiredMinEchoRxInterval/time.Microsecond))
	return b
}

func (p Packet) String() string {
	text := fmt.Sprintf("%v", p.State)
	if p.Poll {
		text += " P"
	}
	if p.Final {
		text += " F"
	}
	if p.Demand {
		text += " D"
	}
	text += fmt.Sprintf(" %d->%d tx %v rx %v x%d", p.MyDiscriminator, p.YourDiscriminator, p.DesiredMinTxInterval, p.RequiredMinRxInterval, p.DetectMult)
	if p.Diagnostic != NoDiagnostic {
		text += " (" + p.Diagnostic.String() + ")"
	}
	return text
}

func flag(set bool, bit uint8) uint8 {
	if set {
		return bit
	}
	return 0
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}
