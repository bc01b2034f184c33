package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"

	"keepc/compiler/ir"
)

// auth_hmac: a trailer behind the advertisement of either version and family, as draft-cassen-vrrp-auth-hmac-00 has it and keepalived since
// 2.4.2. It is a type, the number of a key, 2 bytes of 0, a time stamp (seconds since 1970 in 32 bits, a fraction in 16, a count in 16), and 128
// bits of an HMAC-SHA256. Over IPv6 the checksum covers the trailer, over IPv4 it does not. That of the draft's test vectors is all that
// confirms it: no keepalived that has it was at hand.
const (
	trailerLen  = 28
	trailerSign = 12 // where the signature begins
	trailerType = 1  // HMAC-SHA256, cut to 16 bytes

	// maxSenders is how many senders of a group have their last stamp remembered.
	maxSenders = 8
	// fresh is how far the stamp of an advertisement that was made ahead may be off when it leaves.
	fresh = 500 * time.Millisecond
)

// A stamp is the time stamp of a trailer. It grows from one advertisement of a sender to the next.
type stamp uint64

func stampOf(t time.Time) stamp {
	return stamp(uint32(t.Unix()))<<32 | stamp(t.Nanosecond())<<16/stamp(time.Second)<<16
}

// after compares as RFC 1982 does: seconds wrap in 2106.
func (s stamp) after(t stamp) bool { return int64(s-t) > 0 }

// seconds is how much later s is than t.
func (s stamp) seconds(t stamp) int64 { return int64(int32(uint32(s>>32) - uint32(t>>32))) }

// sender is whose advertisements were heard, and the stamp of the last one.
type sender struct {
	addr netip.Addr
	last stamp
}

// trailerSignature computes the signature of an advertisement, ignoring the one in it. A pseudo header binds it to the family, version, virtual
// router and sender; the checksum counts as 0, because the kernel writes that of IPv6.
func trailerSignature(message []byte, src netip.Addr, version, vrid uint8, key []byte) (mac [trailerLen - trailerSign]byte) {
	pseudo := [20]byte{4, version, vrid}
	if src.Is6() {
		pseudo[0] = 6
	}
	copy(pseudo[4:], src.AsSlice())
	h := hmac.New(sha256.New, key)
	h.Write(pseudo[:])
	h.Write(message[:6])
	h.Write(mac[:2])
	h.Write(message[headerLen : len(message)-len(mac)])
	h.Write(mac[:])
	copy(mac[:], h.Sum(nil))
	return mac
}

// trailed returns an advertisement with its trailer.
func trailed(advert []byte, src, dst netip.Addr, key ir.HMACKey, at stamp) []byte {
	b := make([]byte, len(advert)+trailerLen)
	t := b[copy(b, advert):]
	t[0], t[1] = trailerType, key.ID
	binary.BigEndian.PutUint64(t[4:], uint64(at))
	bytes, _ := key.Bytes() // the compiler refused one that has none
	mac := trailerSignature(b, src, b[0]>>4, b[1], bytes)
	copy(t[trailerSign:], mac[:])
	if src.Is6() {
		b[6], b[7] = 0, 0
		binary.BigEndian.PutUint16(b[6:], checksum(b, 3, src, dst))
	}
	return b
}

// trails reports whether bytes behind an advertisement are a trailer, and not the padding of a short frame.
func trails(rest []byte) bool { return len(rest) == trailerLen }

// checkTrailer checks the trailer of an advertisement, and that it was not sent before. A stamp far from our clock is dropped before anything
// is computed; a wrong signature uses no stamp up. permissive and receive-only take advertisements that have none.
func (m *Machine) checkTrailer(r Received, length int) Drop {
	h := m.cfg.AuthHMAC
	rest := r.Payload[length:]
	if !trails(rest) {
		if h.Enforces() {
			return Drop{Defect: ErrUnsigned}
		}
		return Drop{}
	}
	if rest[0] != trailerType || rest[2] != 0 || rest[3] != 0 {
		return Drop{Defect: ErrSignature}
	}
	theirs, ours := stamp(binary.BigEndian.Uint64(rest[4:])), stampOf(m.clock)
	if off := theirs.seconds(ours); m.outdated(off) {
		return Drop{Defect: ErrClock, Theirs: off, Ours: m.window()}
	}
	key, ok := h.Key(rest[1])
	if !ok {
		return Drop{Defect: ErrKey, Theirs: int64(rest[1])}
	}
	bytes, _ := key.Bytes()
	mac := trailerSignature(r.Payload, r.Src, m.cfg.Version, m.cfg.VRID, bytes)
	if subtle.ConstantTimeCompare(mac[:], rest[trailerSign:]) != 1 {
		return Drop{Defect: ErrSignature}
	}
	for i, s := range m.senders {
		if s.addr != r.Src {
			continue
		}
		// A stamp outside the window orders nothing that the window lets through: the sender's clock was put right.
		if !theirs.after(s.last) && !m.outdated(s.last.seconds(ours)) {
			return Drop{Defect: ErrStale}
		}
		m.senders = append(append(m.senders[:i:i], m.senders[i+1:]...), sender{r.Src, theirs})
		return Drop{}
	}
	if len(m.senders) == maxSenders { // the one that was silent for the longest time
		m.senders = append(m.senders[:0], m.senders[1:]...)
	}
	m.senders = append(m.senders, sender{r.Src, theirs})
	return Drop{}
}

// window is how many seconds the clocks of two routers may differ.
func (m *Machine) window() int64 {
	return int64(m.cfg.AuthHMAC.Window(m.cfg.AdvertInterval) / time.Second)
}

// outdated reports whether an advertisement is dropped whose stamp differs from the clock by a number of seconds.
func (m *Machine) outdated(off int64) bool {
	return m.cfg.AuthHMAC.AntiReplay != ir.HMACMonotonic && max(off, -off) > m.window()
}

// signsTrailers reports whether advertisements leave with a trailer.
func (m *Machine) signsTrailers() bool {
	return m.cfg.AuthHMAC != nil && m.cfg.AuthHMAC.Mode != ir.HMACReceiveOnly
}

// nextStamp is the stamp of an advertisement that leaves at a time, after another one.
func (m *Machine) nextStamp(at time.Time, last stamp) stamp {
	next := stampOf(m.clock.Add(at.Sub(m.clock))) // times that lie ahead have the clock of the last step
	if next.after(last) {
		return next
	}
	if m.outdated(last.seconds(next)) {
		return next // the clock was put back, further than others accept
	}
	return last + 1
}

// seal returns the advertisements of m.sending with trailers, for the n-th time from now on. They are the same each time until one of them has
// left, what they say changes, or they leave at another time than was foreseen.
func (m *Machine) seal(n int, at time.Time) []*Send {
	last := m.stamp
	if n > 0 && n <= len(m.signed) {
		last = m.signed[n-1].stamp
	}
	next := m.nextStamp(at, last)
	if n < len(m.signed) {
		if was := m.signed[n].stamp; was.after(last) && near(was, next) {
			return m.signed[n].sends
		}
		m.signed = m.signed[:n]
	}
	key, _ := m.cfg.AuthHMAC.Active()
	all := make([]*Send, len(m.sending))
	for i, s := range m.sending {
		all[i] = &Send{Src: s.Src, Dst: s.Dst, TTL: s.TTL, Payload: trailed(s.Payload, s.Src, s.Dst, key, next)}
	}
	if n == len(m.signed) {
		m.signed = append(m.signed, signed{stamp: next, sends: all})
	}
	return all
}

// near reports whether two stamps are close enough for one to stand for the other.
func near(a, b stamp) bool {
	d := int64(a - b)
	return max(d, -d)>>16 <= int64(fresh)<<16/int64(time.Second)
}

// sealNext returns the advertisements that leave now, and uses their stamp up.
func (m *Machine) sealNext(now time.Time) []*Send {
	if !m.sealed(now) {
		m.seal(0, now)
	}
	all := m.signed[0].sends
	m.stamp = m.signed[0].stamp
	m.signed = append(m.signed[:0], m.signed[1:]...)
	return all
}

// sealed reports whether the advertisements for this moment were made ahead. They may have left, so their stamp is used
// up even if the clock was set meanwhile; unless peers drop them for it, and need others at once.
func (m *Machine) sealed(now time.Time) bool {
	if len(m.signed) == 0 || now.Sub(m.advert).Abs() > fresh {
		return false
	}
	next := m.signed[0].stamp
	return next.after(m.stamp) && !m.outdated(next.seconds(stampOf(now)))
}
