package probe

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"keepc/compiler/ir"
)

// recordTypes are the types that a DNS_CHECK may ask for (RFC 1035, 3596, 4034).
var recordTypes = map[string]dnsmessage.Type{
	"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "RRSIG": 46, "DNSKEY": 48,
}

// dns asks a name server, as keepalived's DNS_CHECK does: an answer without an error is good, even without records.
// Packets that do not answer this question are ignored, so a server that sends nothing else is silent.
func dns(ctx context.Context, a Ask, d *ir.DNSCheck) error {
	id := uint16(rand.Uint32())
	question, err := query(id, d)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, "udp", a.Check.Connection)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Reading ends with ctx, at its deadline or earlier.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	if _, err := conn.Write(question); err != nil {
		return err
	}
	a.step("asked for %s of %s", d.Type, d.Name)
	for b := make([]byte, 512); ; {
		n, err := conn.Read(b)
		if err != nil {
			return err
		}
		if n < 4 || binary.BigEndian.Uint16(b) != id || b[2]&0x80 == 0 {
			continue
		}
		code := dnsmessage.RCode(b[3] & 0xf)
		a.step("answer: %v", code)
		if code != dnsmessage.RCodeSuccess {
			return fmt.Errorf("the server answered with %s", strings.TrimPrefix(code.String(), "RCode"))
		}
		return nil
	}
}

// query is a question to a name server.
func query(id uint16, d *ir.DNSCheck) ([]byte, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(d.Name, ".") + ".")
	if err != nil {
		return nil, fmt.Errorf("the name %s: %w", d.Name, err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: recordTypes[d.Type], Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("the name %s: %w", d.Name, err)
	}
	return b, nil
}
