package probe_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

func dns(target netip.AddrPort, kind, name string) *ir.Check {
	return &ir.Check{Checker: &ir.DNSCheck{Type: kind, Name: name}, Connection: ir.Connection{Target: target}}
}

// TestDNS checks what keepalived 2.2.7 was seen to make of name servers.
func TestDNS(t *testing.T) {
	const patience = 150 * time.Millisecond
	// reply answers a question with a code, after a change to what is sent.
	reply := func(code byte, change func([]byte) []byte) func([]byte) [][]byte {
		return func(q []byte) [][]byte {
			a := bytes.Clone(q)
			a[2], a[3] = a[2]|0x80, code
			return [][]byte{change(a)}
		}
	}
	same := func(a []byte) []byte { return a }
	for _, c := range []struct {
		name   string
		server func([]byte) [][]byte
		want   string
	}{
		{"good, with no record", reply(0, same), ""},
		{"no such name", reply(3, same), "the server answered with NameError"},
		{"refused", reply(5, same), "the server answered with Refused"},
		{"fails", reply(2, same), "the server answered with ServerFailure"},
		{"cut short", reply(0, func(a []byte) []byte { a[2] |= 2; return a }), ""},
		{"8 bytes", reply(0, func(a []byte) []byte { return a[:8] }), ""},
		{"an answer to somebody else", reply(0, func(a []byte) []byte { a[0]++; return a }), "no answer within 150ms"},
		{"its own question", func(q []byte) [][]byte { return [][]byte{q} }, "no answer within 150ms"},
		{"garbage", func([]byte) [][]byte { return [][]byte{[]byte("garbage"), {}, bytes.Repeat([]byte{0xff}, 60_000)} }, "no answer within 150ms"},
		{"never answers", func([]byte) [][]byte { return nil }, "no answer within 150ms"},
		{"garbage before the answer", func(q []byte) [][]byte { return append([][]byte{[]byte("garbage")}, reply(0, same)(q)...) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := limit
			if strings.Contains(c.want, "within") {
				limit = patience
			}
			if got := said(probe.Do(t.Context(), probe.Ask{Check: dns(answer(t, "127.0.0.1:0", c.server), "SOA", "."), Limit: limit})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := said(probe.Do(t.Context(), probe.Ask{Check: dns(closed(t, "127.0.0.1:0"), "A", "x"), Limit: limit})); got != "read: connection refused" {
		t.Errorf("closed: got %q", got)
	}
}

// TestDNSQuestion checks that the library reads the question that is sent, and that its bytes are those of keepalived
// 2.2.7.
func TestDNSQuestion(t *testing.T) {
	asked := make(chan []byte, 1)
	server := answer(t, "127.0.0.1:0", func(q []byte) [][]byte {
		asked <- bytes.Clone(q)
		a := bytes.Clone(q)
		a[2] |= 0x80
		return [][]byte{a}
	})
	for _, c := range []struct {
		kind, name, bytes string // without the id
	}{
		{"SOA", ".", "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"},
		{"TXT", "www.example.com", "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x10\x00\x01"},
		{"A", "www.example.com.", "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01"},
		{"AAAA", "x", ""}, {"NS", "x", ""}, {"CNAME", "x", ""}, {"MX", "x", ""}, {"RRSIG", "x", ""}, {"DNSKEY", "x", ""},
	} {
		if got := said(probe.Do(t.Context(), probe.Ask{Check: dns(server, c.kind, c.name), Limit: limit})); got != "" {
			t.Errorf("%s %s: %s", c.kind, c.name, got)
			continue
		}
		q := <-asked
		if c.bytes != "" && string(q[2:]) != c.bytes {
			t.Errorf("%s %s: asked %x", c.kind, c.name, q)
		}
		var m dnsmessage.Message
		if err := m.Unpack(q); err != nil {
			t.Error(err)
			continue
		}
		number := map[string]dnsmessage.Type{"SOA": 6, "TXT": 16, "A": 1, "AAAA": 28, "NS": 2, "CNAME": 5, "MX": 15, "RRSIG": 46, "DNSKEY": 48}[c.kind]
		if len(m.Questions) != 1 || m.Questions[0].Type != number {
			t.Errorf("%s %s: asked %v", c.kind, c.name, m.Questions)
		}
	}
}
