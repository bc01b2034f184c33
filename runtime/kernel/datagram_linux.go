package kernel

import (
	"net/netip"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Datagram is a packet that can be sent with one system call. It is filled by Wire.Arm and may be filled again; its
// wire must stay open until it is sent. The zero Datagram is empty.
type Datagram struct {
	fd      int
	message unix.Msghdr
	vector  unix.Iovec
	to4     unix.RawSockaddrInet4
	to6     unix.RawSockaddrInet6
	packet  []byte
	control []byte
	ids     *atomic.Uint32 // counts the IPv4 packets sent for its virtual router; nil: the kernel writes the header
	errno   unix.Errno     // of the last attempt
}

// address4 completes a datagram whose packet and control are set.
func (d *Datagram) address4(fd int, dst netip.Addr) {
	d.to4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: dst.As4()}
	d.fill(fd, (*byte)(unsafe.Pointer(&d.to4)), unix.SizeofSockaddrInet4)
}

// address6 completes a datagram whose packet and control are set.
func (d *Datagram) address6(fd int, dst netip.Addr, zone uint32) {
	d.to6 = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: dst.As16(), Scope_id: zone}
	d.fill(fd, (*byte)(unsafe.Pointer(&d.to6)), unix.SizeofSockaddrInet6)
}

func (d *Datagram) fill(fd int, name *byte, length uint32) {
	d.fd = fd
	d.vector.Base = unsafe.SliceData(d.packet)
	d.vector.SetLen(len(d.packet))
	d.message = unix.Msghdr{Name: name, Namelen: length, Iov: &d.vector}
	d.message.SetIovlen(1)
	if len(d.control) > 0 {
		d.message.Control = unsafe.SliceData(d.control)
		d.message.SetControllen(len(d.control))
	}
}

// send never waits, so the Go runtime need not know of the call: the thread keeps the processor that it has, if it has one.
//
//go:nosplit
//go:norace
func (d *Datagram) send() {
	_, _, d.errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(d.fd), uintptr(unsafe.Pointer(&d.message)), unix.MSG_DONTWAIT)
}

// sent counts a packet that was sent. It returns the kernel's error.
func (d *Datagram) sent() error {
	if d.errno != 0 {
		return d.errno
	}
	if d.ids != nil {
		d.ids.Add(1)
	}
	return nil
}
