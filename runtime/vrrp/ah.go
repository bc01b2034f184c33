package vrrp

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"

	"keepc/compiler/ir"
)

// An authentication header (RFC 2402 section 2) precedes a version 2 advertisement with auth_type AH: next header,
// length in 4-byte words minus two, 2 reserved bytes, SPI, sequence number, and 96 bits of an HMAC-MD5 (RFC 2403). In
// keepalived's version, the SPI is the source address, and the key is the first 8 bytes of the password.
const (
	headerAH    = 51 // IP protocol number
	ahLen       = 24
	ahSignature = 12 // its offset
	ahWords     = ahLen/4 - 2
)

// An envelope is what the signature of an authentication header covers of the IP header before it.
type envelope struct {
	src, dst netip.Addr
	id       uint16 // the identification
	ttl      uint8  // 0: it may change in transit
}

// ttlSigned is the TTL that a signature covers. RFC 2402 section 3.3.3.1 leaves it out, because routers change it;
// keepalived 2.2.7 leaves it out only for unicast: TestKeepalivedSendsTheSame.
func ttlSigned(dst netip.Addr, ttl int) uint8 {
	if dst.IsMulticast() {
		return uint8(ttl)
	}
	return 0
}

// sign returns the payload of an IP packet with an authentication header before an advertisement.
func (e envelope) sign(advert []byte, seq uint32, key ir.Secret) []byte {
	b := make([]byte, ahLen, ahLen+len(advert))
	b[0], b[1] = protocol, ahWords
	spi := e.src.As4()
	copy(b[4:], spi[:])
	binary.BigEndian.PutUint32(b[8:], seq)
	b = append(b, advert...)
	mac := e.signature(b, key)
	copy(b[ahSignature:ahLen], mac[:])
	return b
}

// signature computes that of a payload, ignoring the one in it.
func (e envelope) signature(payload []byte, key ir.Secret) (mac [ahLen - ahSignature]byte) {
	var ip [20]byte // without what changes in transit: TOS, flags, checksum
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(payload)))
	binary.BigEndian.PutUint16(ip[4:], e.id)
	ip[8], ip[9] = e.ttl, headerAH
	src, dst := e.src.As4(), e.dst.As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	k := authData(key)
	h := hmac.New(md5.New, k[:])
	h.Write(ip[:])
	h.Write(payload[:ahSignature])
	h.Write(mac[:])
	h.Write(payload[ahLen:])
	copy(mac[:], h.Sum(nil))
	return mac
}

// open returns the advertisement after an authentication header, and its sequence number. Only the form is checked.
func open(payload []byte) (advert []byte, seq uint32, wrong Drop) {
	switch {
	case len(payload) < ahLen+headerLen:
		return nil, 0, Drop{Defect: ErrTruncated}
	case payload[0] != protocol || payload[1] != ahWords:
		return nil, 0, Drop{Defect: ErrType, Theirs: int64(payload[0])}
	}
	return payload[ahLen:], binary.BigEndian.Uint32(payload[8:]), Drop{}
}

// Advert returns the advertisement in the payload of an IP packet: what follows an authentication header, if there is
// one.
func Advert(payload []byte, ah bool) []byte {
	if ah {
		return payload[min(len(payload), ahLen):]
	}
	return payload
}

// checkSignature checks the authentication header of an advertisement. A sequence number counts for both directions: a
// router that becomes MASTER continues with the number of the previous one. As in keepalived 2.2.7, a number is
// accepted once, and a wrong signature uses none up.
func (m *Machine) checkSignature(r Received, seq uint32) Drop {
	e := envelope{r.Src, r.Dst, r.ID, ttlSigned(r.Dst, r.TTL)}
	spi, mac := r.Src.As4(), e.signature(r.Payload, m.cfg.Auth.Pass)
	switch {
	case subtle.ConstantTimeCompare(mac[:], r.Payload[ahSignature:ahLen]) != 1, [4]byte(r.Payload[4:8]) != spi:
		return Drop{Defect: ErrSignature}
	case seq <= m.seq:
		return Drop{Defect: ErrReplay, Theirs: int64(seq), Ours: int64(m.seq)}
	}
	m.seq = seq
	return Drop{}
}

// nextSeq returns the next sequence number. The low half is the identification of the IP packet, which the signature
// covers: the kernel would replace 0.
func nextSeq(seq uint32) uint32 {
	if seq++; uint16(seq) == 0 {
		seq++
	}
	return seq
}

// signed are advertisements that are ready to be sent under a sequence number, or a stamp.
type signed struct {
	seq   uint32
	stamp stamp
	sends []*Send
}

// sign returns the advertisements of m.sending under the sequence number n after the last one. They are the same each
// time until one of them has been sent, or their content changes.
func (m *Machine) sign(n int) []*Send {
	seq := m.seq
	for i := range n + 1 {
		seq = nextSeq(seq)
		if i < len(m.signed) && m.signed[i].seq == seq {
			continue
		}
		all := make([]*Send, len(m.sending))
		for i, s := range m.sending {
			e := envelope{s.Src, s.Dst, uint16(seq), ttlSigned(s.Dst, int(s.TTL))}
			all[i] = &Send{Src: s.Src, Dst: s.Dst, TTL: s.TTL, AH: true, ID: e.id, Payload: e.sign(s.Payload, seq, m.cfg.Auth.Pass)}
		}
		m.signed = append(m.signed[:i], signed{seq: seq, sends: all})
	}
	return m.signed[n].sends
}

// signNext returns the advertisements under the next sequence number, which is then used up.
func (m *Machine) signNext() []*Send {
	all := m.sign(0)
	m.seq = m.signed[0].seq
	m.signed = append(m.signed[:0], m.signed[1:]...)
	return all
}
