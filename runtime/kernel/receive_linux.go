package kernel

import (
	"fmt"
	"io"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// batchSize is how many packets one system call receives.
	batchSize = 16
	// longestAdvert is the size up to which a packet is received. The rest is cut off: no advertisement is longer, not
	// even one with 255 addresses over IPv6 and a trailer of auth_hmac.
	longestAdvert = 4608
	// controlSize has room for the control messages that the wires ask for.
	controlSize = 128
)

// A batch is where the wires of a connection to the kernel receive packets, one wire at a time.
type batch struct {
	mu       sync.Mutex
	headers  []header // empty until a wire receives
	messages []message
}

// A header is the kernel's struct mmsghdr.
type header struct {
	unix.Msghdr
	length uint32
}

// A message is what a header refers to.
type message struct {
	from    unix.RawSockaddrInet6 // of IPv4: not read
	vector  unix.Iovec
	oob     [controlSize]byte
	data    [longestAdvert]byte
	packet  []byte // of data
	control []byte // of oob
}

// prepare returns the headers as recvmmsg needs them.
func (b *batch) prepare(n int) []header {
	if b.headers == nil {
		b.headers, b.messages = make([]header, batchSize), make([]message, batchSize)
	}
	for i := range b.headers[:n] {
		h, m := &b.headers[i].Msghdr, &b.messages[i]
		m.vector.Base = &m.data[0]
		m.vector.SetLen(len(m.data))
		*h = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&m.from)), Namelen: unix.SizeofSockaddrInet6, Iov: &m.vector, Control: &m.oob[0]}
		h.SetIovlen(1)
		h.SetControllen(len(m.oob))
	}
	return b.headers[:n]
}

// receive passes the messages that wait to take, and reports whether there may be more. It never waits.
func (s *socket) receive(most int, take func(*message)) (more bool, err error) {
	s.batch.mu.Lock()
	defer s.batch.mu.Unlock()
	for most > 0 {
		headers := s.batch.prepare(min(most, batchSize))
		n, err := s.receiveBatch(headers)
		if err != nil {
			return false, err
		}
		for i, h := range headers[:n] {
			m := &s.batch.messages[i]
			m.packet, m.control = m.data[:h.length], m.oob[:h.Controllen]
			take(m)
		}
		if n < len(headers) {
			return false, nil
		}
		most -= n
	}
	return true, nil
}

// receiveBatch makes one system call that receives. None waits: no error, and nothing received.
func (s *socket) receiveBatch(headers []header) (received int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.EOF
	}
	// It never waits, so the Go runtime need not know of the call.
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&headers[0])), uintptr(len(headers)), unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("receive on %s: %w", s.iface, errno)
}

// number reads an int from a control message; -1 if there is none.
func (m *message) number(level, kind int32, at int) int { return number(m.find(level, kind), at) }

// find returns the data of a control message; nil: there is none.
func (m *message) find(level, kind int32) []byte {
	for rest := m.control; len(rest) >= unix.SizeofCmsghdr; {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0])) // aligned: each message is, and so is the first
		length := int(h.Len)
		if length < unix.SizeofCmsghdr || length > len(rest) {
			return nil
		}
		if h.Level == level && h.Type == kind {
			return rest[unix.CmsgLen(0):length]
		}
		rest = rest[min(unix.CmsgSpace(length-unix.CmsgLen(0)), len(rest)):]
	}
	return nil
}
