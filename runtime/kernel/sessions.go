package kernel

import "net/netip"

// A Port receives the UDP packets for a port of this host.
type Port interface {
	// Poll returns a packet that has arrived; false: there is none. It never blocks. Errors: io.EOF after Close; any
	// other means that the port no longer receives anything.
	Poll() (Packet, bool, error)
	Close() error
}

// A Caller sends UDP packets to one port of a neighbour, from a port of its own.
type Caller interface {
	// Send never blocks. An answer of the neighbour's host to a packet is not an error.
	Send(payload []byte) error
	Close() error
}

// A Call is where the packets of a Caller go.
type Call struct {
	Src, Dst    netip.Addr // zero Src: the kernel chooses
	DstPort     uint16
	First, Last uint16 // the local port is one of these
	TTL         uint8  // or hop limit
}

// Sessions open UDP sockets for BFD.
type Sessions interface {
	// OpenPort receives what is sent to a port, at all addresses of a family. The bell rings while a packet waits; nil:
	// nothing sleeps.
	OpenPort(port uint16, ipv6 bool, bell Bell) (Port, error)
	// OpenCaller opens a socket with a port that nothing else has. It fails if the address is not on this host or no
	// port is free.
	OpenCaller(c Call) (Caller, error)
}
