package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// WatchClaims implements Neighbours. It needs the watch of links, which knows the interfaces and their MAC addresses.
func (l *Linux) WatchClaims(ctx context.Context, told func(Claim)) (about func([]netip.Addr), err error) {
	var wanted atomic.Pointer[map[netip.Addr]bool]
	heard := func(c Claim, index int) {
		if all := wanted.Load(); all == nil || !(*all)[c.Addr] {
			return
		}
		name, foreign := l.neighbours.foreign(index, c.MAC)
		if foreign {
			c.Interface = name
			told(c)
		}
	}
	var ears [2]*claimEar
	for i, open := range []func() (*claimEar, error){openARP, openNA} {
		ear, err := open()
		if errors.Is(err, unix.EAFNOSUPPORT) { // a host without IPv6
			continue
		}
		if err != nil {
			for _, e := range ears[:i] {
				e.close()
			}
			return nil, fmt.Errorf("listen for claims of other hosts: %w", permission(err, netRaw))
		}
		ears[i] = ear
		ended := context.AfterFunc(ctx, ear.close)
		go func() { // ends with the socket
			defer ended()
			ear.run(heard)
		}()
	}
	return func(addrs []netip.Addr) {
		set := make(map[netip.Addr]bool, len(addrs))
		for _, a := range addrs {
			set[a] = true
		}
		wanted.Store(&set)
		for _, e := range ears {
			e.filter(addrs)
		}
	}, nil
}

// foreign returns the name of an interface, and reports whether a MAC address can belong to a host and to no interface
// of this one.
func (s *neighbours) foreign(index int, mac [6]byte) (name string, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	foreign = mac != [6]byte{} && mac[0]&1 == 0
	for n, l := range s.links {
		if l.hw == mac {
			foreign = false
		}
		if l.index == index {
			name = n
		}
	}
	return name, foreign && name != ""
}

// A claimEar is a socket that hears claims of one family.
type claimEar struct {
	*os.File
	four bool
	word uint32 // the offset in a packet of the last four bytes of the address
	// read returns the claim of a packet, and the index of its interface.
	read func(packet, control []byte, from unix.Sockaddr) (c Claim, index int, ok bool)
}

// openARP receives ARP packets on all interfaces. A packet socket for one protocol receives nothing that is sent.
func openARP() (*claimEar, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	e := &claimEar{File: os.NewFile(uintptr(fd), "arp"), four: true, word: arpSender, read: readARP}
	e.filter(nil) // before it receives anything
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(etherARP)}); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// arpSender is the offset of the sender's address in an ARP packet.
const arpSender = 14

// readARP reads an ARP packet, request or reply, as a claim of its sender (RFC 5227 section 1.1). A probe claims the
// address 0.0.0.0.
func readARP(p, _ []byte, from unix.Sockaddr) (c Claim, index int, ok bool) {
	at, known := from.(*unix.SockaddrLinklayer)
	ethernetIPv4 := []byte{0, 1, 8, 0, 6, 4}
	if !known || len(p) < arpSender+4 || !slices.Equal(p[:6], ethernetIPv4) {
		return c, 0, false
	}
	return Claim{Addr: netip.AddrFrom4([4]byte(p[arpSender:])), MAC: [6]byte(p[8:])}, at.Ifindex, true
}

// openNA receives neighbour advertisements on all interfaces.
func openNA() (*claimEar, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return nil, err
	}
	e := &claimEar{File: os.NewFile(uintptr(fd), "na"), word: naTarget + 12, read: readNA}
	e.filter(nil)
	var only unix.ICMPv6Filter
	for i := range only.Data {
		only.Data[i] = ^uint32(0) // blocked
	}
	only.Data[naType>>5] &^= 1 << (naType & 31)
	err = errors.Join(
		refused("ICMPV6_FILTER", unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, unix.ICMPV6_FILTER, &only)),
		setInts(fd, []intOption{
			{"IPV6_RECVPKTINFO", unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1},
			{"IPV6_RECVHOPLIMIT", unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		}),
	)
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// Offsets in a neighbour advertisement, RFC 4861 section 4.4: its type, its target and its options.
const (
	naType    = 136
	naTarget  = 8
	naOptions = 24
)

// readNA reads a neighbour advertisement with a MAC address as a claim. It must come from a neighbour, with hop limit
// 255 (section 7.1.2).
func readNA(p, control []byte, _ unix.Sockaddr) (c Claim, index int, ok bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil || len(p) < naOptions || p[0] != naType {
		return c, 0, false
	}
	hops := -1
	for _, m := range messages {
		switch m.Header.Type {
		case unix.IPV6_PKTINFO:
			index = number(m.Data, 16)
		case unix.IPV6_HOPLIMIT:
			hops = number(m.Data, 0)
		}
	}
	const targetMAC, unit = 2, 8
	for o := p[naOptions:]; len(o) >= unit && o[1] > 0; o = o[min(int(o[1])*unit, len(o)):] {
		if o[0] == targetMAC && o[1] == 1 {
			return Claim{Addr: netip.AddrFrom16([16]byte(p[naTarget:])), MAC: [6]byte(o[2:])}, index, hops == maxTTL
		}
	}
	return c, 0, false
}

// filter makes the kernel drop packets that are about none of the addresses: a network in which many hosts ask for
// each other wakes nothing. The kernel refuses a program for about 800 addresses if net.core.optmem_max is 20480, the
// default of older ones, and one for 2048 in any case. Then nothing is dropped: that costs time, while keeping the old
// filter would make the ear deaf to new addresses.
func (e *claimEar) filter(addrs []netip.Addr) {
	if e == nil {
		return
	}
	program := []bpf.Instruction{bpf.LoadAbsolute{Off: e.word, Size: 4}}
	for _, a := range addrs {
		if a.Is4() == e.four {
			last := binary.BigEndian.Uint32(a.AsSlice()[len(a.AsSlice())-4:])
			program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: last, SkipFalse: 1}, bpf.RetConstant{Val: wholePacket})
		}
	}
	raw, invalid := bpf.Assemble(append(program, bpf.RetConstant{Val: 0}))
	socket, closed := e.SyscallConn()
	if closed != nil {
		return
	}
	_ = socket.Control(func(fd uintptr) {
		if invalid != nil || attach(int(fd), raw) != nil {
			_ = detach(int(fd)) // fails if it has none
		}
	})
}

// run receives until the socket is closed.
func (e *claimEar) run(heard func(c Claim, index int)) {
	socket, err := e.SyscallConn()
	if err != nil {
		return
	}
	packet, control := make([]byte, 2048), make([]byte, 256)
	for {
		var n, oobn int
		var from unix.Sockaddr
		var failed error
		err := socket.Read(func(fd uintptr) bool {
			n, oobn, _, from, failed = unix.Recvmsg(int(fd), packet, control, unix.MSG_DONTWAIT)
			return failed != unix.EAGAIN
		})
		if err != nil {
			return
		}
		if failed != nil { // such as ENETDOWN, for an interface that went down: the others continue
			continue
		}
		if c, index, ok := e.read(packet[:n], control[:oobn], from); ok {
			heard(c, index)
		}
	}
}

func (e *claimEar) close() {
	if e != nil {
		_ = e.Close() // nothing is written to it
	}
}
