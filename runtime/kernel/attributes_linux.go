package kernel

import (
	"encoding/binary"
	"net/netip"
)

// Netlink attributes are appended to a message in their final form: length and kind in the byte order of the machine,
// then the value, padded to 4 bytes. A table of 40,000 servers is written without garbage for each attribute.

// openAttr begins an attribute, which closeAttr ends.
func openAttr(b []byte, kind uint16) (with []byte, start int) {
	start = len(b)
	return binary.NativeEndian.AppendUint16(append(b, 0, 0), kind), start
}

func closeAttr(b []byte, start int) []byte {
	binary.NativeEndian.PutUint16(b[start:], uint16(len(b)-start))
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func append8(b []byte, kind uint16, n uint8) []byte {
	b, start := openAttr(b, kind)
	return closeAttr(append(b, n), start)
}

func append16(b []byte, kind, n uint16) []byte {
	b, start := openAttr(b, kind)
	return closeAttr(binary.NativeEndian.AppendUint16(b, n), start)
}

func append32(b []byte, kind uint16, n uint32) []byte {
	b, start := openAttr(b, kind)
	return closeAttr(binary.NativeEndian.AppendUint32(b, n), start)
}

// appendPort appends a number in network byte order.
func appendPort(b []byte, kind, n uint16) []byte {
	b, start := openAttr(b, kind)
	return closeAttr(binary.BigEndian.AppendUint16(b, n), start)
}

func appendAddr(b []byte, kind uint16, a netip.Addr) []byte {
	b, start := openAttr(b, kind)
	if a.Is4() {
		four := a.As4()
		return closeAttr(append(b, four[:]...), start)
	}
	if a.Is6() {
		six := a.As16()
		b = append(b, six[:]...)
	}
	return closeAttr(b, start)
}

// appendString appends a text with a terminating 0.
func appendString(b []byte, kind uint16, s string) []byte {
	b, start := openAttr(b, kind)
	return closeAttr(append(append(b, s...), 0), start)
}
