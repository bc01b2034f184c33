package vrrp

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
)

// Why a machine drops an advertisement, beside the errors of the codec.
var (
	ErrTTL              = errors.New("TTL is not 255, so not from this link")
	ErrUnicast          = errors.New("not sent to the group")
	ErrVersionMismatch  = errors.New("another version")
	ErrAuthType         = errors.New("another authentication type")
	ErrAuth             = errors.New("wrong password")
	ErrIntervalMismatch = errors.New("another interval")
)

// accept reads an advertisement and checks what the receiver must: RFC 3768 section 7.1, RFC 9568 section 7.1. keepalived looks at
// the same things in another order, which shows in the reason of a packet with several faults and nowhere else.
func (m *Machine) accept(r Received) (Packet, error) {
	p, err := Unmarshal(r.Payload, r.Src, r.Dst)
	switch {
	case err != nil:
		return p, err
	case r.TTL != 255:
		return p, fmt.Errorf("%w: %d", ErrTTL, r.TTL)
	case r.Dst != Group(r.Dst.Is6()):
		return p, fmt.Errorf("%w but to %v", ErrUnicast, r.Dst)
	case p.Version != m.cfg.Version:
		return p, fmt.Errorf("%w: theirs %d, ours %d", ErrVersionMismatch, p.Version, m.cfg.Version)
	case p.Version == 3 && p.Interval == 0:
		return p, fmt.Errorf("%w: theirs 0", ErrIntervalMismatch)
	case p.Version == 3:
		return p, nil
	case p.AuthType != m.cfg.Auth.Type:
		return p, fmt.Errorf("%w: theirs %d, ours %d (0 none, 1 PASS, 2 AH)", ErrAuthType, p.AuthType, m.cfg.Auth.Type)
	case m.cfg.Auth.Type == ir.AuthPass && !samePassword(p.Auth, m.cfg.Auth.Pass):
		return p, ErrAuth
	case p.Interval != m.cfg.AdvertInterval:
		return p, fmt.Errorf("%w: theirs %v, ours %v", ErrIntervalMismatch, p.Interval, m.cfg.AdvertInterval)
	}
	return p, nil
}

// samePassword compares in constant time what the wire carries of two passwords.
func samePassword(a, b ir.Secret) bool {
	x, y := authData(a), authData(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// cause is the sentinel inside an error: the name under which the error is told once in a while.
func cause(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}

// compareAddresses says how the addresses of an advertisement differ from ours; their order does not matter. The protocol lets
// routers with different addresses elect one master all the same, which leaves some addresses without a home.
func (m *Machine) compareAddresses(p Packet) string {
	ours := m.advertised()
	if slices.Equal(p.Addresses, ours) {
		return ""
	}
	var odd []string
	for _, a := range p.Addresses {
		if !slices.Contains(ours, a) {
			odd = append(odd, fmt.Sprintf("%v is only theirs", a))
		}
	}
	for _, a := range ours {
		if !slices.Contains(p.Addresses, a) {
			odd = append(odd, fmt.Sprintf("%v is only ours", a))
		}
	}
	return strings.Join(odd, ", ")
}
