package kernel

import "net/netip"

// A Port hears the UDP packets that come to a port of this host.
type Port interface {
	// Poll takes a packet that has arrived; false: there is none. It never blocks. Errors: io.EOF after Close; any other means that the
	// port no longer hears anything.
	Poll() (Packet, bool, error)
	Close() error
}

// A Caller sends UDP packets to one port of a neighbour, from a port of its own.
type Caller interface {
	// Send never blocks. What the neighbour's host answers to a packet is no error.
	Send(payload []byte) error
	Close() error
}

// A Call is where the packets of a Caller go.
type Call struct {
	Src, Dst    netip.Addr // zero Src: the kernel chooses
	DstPort     uint16
	First, Last uint16 // the port of its own is one of these
	TTL         uint8  // or hop limit
}

// Sessions open UDP sockets for BFD.
type Sessions interface {
	// OpenPort hears what comes to a port, at all addresses of a family. The bell rings while a packet waits; nil: nobody sleeps.
	OpenPort(port uint16, ipv6 bool, bell Bell) (Port, error)
	// OpenCaller opens a socket of a port that nobody else has. Errors: the address is not here, no port is free.
	OpenCaller(c Call) (Caller, error)
}
