package kernel

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// wholePacket is what a filter returns to keep a packet; longer packets are truncated.
const wholePacket = 1 << 16

// These load the offset of a packet's payload into register X. A raw IPv4 socket filters the packet including its IP
// header with options; a raw IPv6 socket filters what follows the headers.
func payload4() []bpf.Instruction { return []bpf.Instruction{bpf.LoadMemShift{Off: 0}} }
func payload6() []bpf.Instruction {
	return []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
}

// vridFilter is a classic BPF program that keeps the packets of some virtual routers and drops all others, including
// packets that end before the VRID. start loads the offset of the payload into X, and the VRRP header is behind bytes
// after it. There are at most 255 VRIDs, which is as far as a jump reaches.
func vridFilter(start []bpf.Instruction, behind int, vrids []uint8) []bpf.Instruction {
	program := append(start, bpf.LoadIndirect{Off: uint32(behind) + 1, Size: 1}) // RFC 9568 section 5.2: the VRID is the second byte
	for i, id := range vrids {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(id), SkipTrue: uint8(len(vrids) - i)})
	}
	return append(program, bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: wholePacket})
}

// linkHeader is where a filter finds the Ethernet header of a packet, whose source is at offset six (SKF_LL_OFF).
const linkHeader = 0xffe00000

// sourceFilter begins a program that drops what a different MAC address sent.
func sourceFilter(mac [6]byte) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: linkHeader + 6, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac[:4]), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: linkHeader + 10, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// accept replaces the filter atomically: no packet meets neither.
func (s *socket) accept(start []bpf.Instruction, behind int, vrids []uint8, from [6]byte) error {
	filter := vridFilter(start, behind, vrids)
	if from != [6]byte{} {
		filter = append(sourceFilter(from), filter...)
	}
	raw, err := bpf.Assemble(filter)
	if err != nil {
		return fmt.Errorf("filter what arrives on %s: %w", s.iface, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if err := attach(s.fd, raw); err != nil {
		// The old filter would make the host deaf to a new virtual router: none is better.
		_ = detach(s.fd)
		return fmt.Errorf("filter what arrives on %s: %w", s.iface, err)
	}
	return nil
}

// attach replaces the filter of a socket. If the kernel refuses the new one, the old one stays.
func attach(fd int, raw []bpf.RawInstruction) error {
	if len(raw) > unix.BPF_MAXINSNS { // more may not fit into the length below
		return refused("SO_ATTACH_FILTER", unix.EINVAL)
	}
	program := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		program[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return refused("SO_ATTACH_FILTER", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
}

// detach lets a socket receive everything. Errors: ENOENT if it has no filter.
func detach(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) }

// Accept implements Wire.
func (w *wire4) Accept(vrids []uint8, from [6]byte) error {
	behind := 0
	if w.protocol == protocolAH {
		behind = ahLen
	}
	return w.accept(payload4(), behind, vrids, from)
}

// Accept implements Wire.
func (w *wire6) Accept(vrids []uint8, from [6]byte) error {
	return w.accept(payload6(), 0, vrids, from)
}
