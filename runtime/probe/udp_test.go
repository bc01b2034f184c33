package probe_test

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/probe"
)

// udp is a UDP_CHECK of a server with defaults filled in.
func udp(target netip.AddrPort, change func(*ir.Check, *ir.UDPCheck)) *ir.Check {
	u := &ir.UDPCheck{MaxLength: 255}
	c := &ir.Check{Checker: u, Connection: ir.Connection{Target: target}}
	change(c, u)
	return c
}

// answer serves UDP on a loopback address: for each datagram it sends the given answers, one after the other.
func answer(t *testing.T, address string, to func(asked []byte) [][]byte) netip.AddrPort {
	t.Helper()
	s, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skip(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for asked := make([]byte, 1<<16); ; {
			n, from, err := s.ReadFrom(asked)
			if err != nil {
				return
			}
			for _, a := range to(asked[:n]) {
				_, _ = s.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() { s.Close(); <-done })
	return s.LocalAddr().(*net.UDPAddr).AddrPort()
}

// always answers with the same datagrams.
func always(t *testing.T, answers ...string) netip.AddrPort {
	var all [][]byte
	for _, a := range answers {
		all = append(all, []byte(a))
	}
	return answer(t, "127.0.0.1:0", func([]byte) [][]byte { return all })
}

// closed is an address where nothing receives.
func closed(t *testing.T, address string) netip.AddrPort {
	t.Helper()
	s, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Skip(err)
	}
	defer s.Close()
	return s.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestUDP(t *testing.T) {
	const patience = 150 * time.Millisecond // for servers that never answer
	nothing := func(*ir.Check, *ir.UDPCheck) {}
	replies := func(value, mask string, lengths ...int) func(*ir.Check, *ir.UDPCheck) {
		return func(_ *ir.Check, u *ir.UDPCheck) {
			u.Reply = &ir.Reply{Value: ir.Octets(value), Mask: ir.Octets(mask)}
			if len(lengths) == 2 {
				u.MinLength, u.MaxLength = lengths[0], lengths[1]
			}
		}
	}
	anything := replies("", "")
	pong := replies("pong", "\xff\xff\xff\xff")
	// Only these bytes are answered.
	asked := func(question string) netip.AddrPort {
		return answer(t, "127.0.0.1:0", func(b []byte) [][]byte {
			if string(b) == question {
				return [][]byte{[]byte("pong")}
			}
			return nil
		})
	}
	mute, garbage := always(t), strings.Repeat("\x00\xff%s\n\x1b[2J", 4000)
	open6 := answer(t, "[::1]:0", func([]byte) [][]byte { return [][]byte{[]byte("pong")} })

	for _, c := range []struct {
		name  string
		check *ir.Check
		want  string
	}{
		{"no answer is needed, none comes", udp(mute, nothing), ""},
		{"no answer is needed, garbage comes", udp(always(t, garbage), nothing), ""},
		{"no answer is needed, the port is closed", udp(closed(t, "127.0.0.1:0"), nothing), "read: connection refused"},
		{"the port is closed over IPv6", udp(closed(t, "[::1]:0"), nothing), "read: connection refused"},
		{"no answer is needed, the lengths say nothing", udp(always(t, "pong"), func(_ *ir.Check, u *ir.UDPCheck) { u.MinLength, u.MaxLength = 9, 1 }), ""},

		{"any answer", udp(always(t, "pong"), anything), ""},
		{"any answer, over IPv6", udp(open6, anything), ""},
		{"any answer, and it is empty", udp(always(t, ""), anything), ""},
		{"any answer, of any length", udp(always(t, garbage), replies("", "", 9, 1)), ""},
		{"any answer, none comes", udp(mute, anything), "no answer within 150ms"},
		{"any answer, the port is closed", udp(closed(t, "127.0.0.1:0"), anything), "read: connection refused"},

		{"right", udp(always(t, "pong"), pong), ""},
		{"right, and more", udp(always(t, "pong 1"), pong), ""},
		{"right as far as it goes", udp(always(t, "po"), pong), ""},
		{"nothing wrong in an empty one", udp(always(t, ""), pong), ""},
		{"wrong", udp(always(t, "pang"), pong), "byte 2 of the answer is wrong: 61"},
		{"the first answer counts, right", udp(always(t, "pong", "pang"), pong), ""},
		{"the first answer counts, wrong", udp(always(t, "pang", "pong"), pong), "byte 2 of the answer is wrong: 61"},
		{"right where the mask looks", udp(always(t, "\x3a\xb4"), replies("\x30\x04", "\xf0\x0f")), ""},
		{"wrong where the mask looks", udp(always(t, "\x3a\xb5"), replies("\x30\x04", "\xf0\x0f")), "byte 2 of the answer is wrong: b5"},
		{"garbage", udp(always(t, garbage[:200]), pong), "byte 1 of the answer is wrong: 00"},
		{"garbage of 36,000 bytes", udp(always(t, garbage), pong), "the answer has more than 255 bytes"},

		{"of the least length", udp(always(t, "pong"), replies("p", "\xff", 4, 9)), ""},
		{"too short", udp(always(t, "pon"), replies("p", "\xff", 4, 9)), "the answer has 3 bytes, fewer than 4"},
		{"of the greatest length", udp(always(t, "pong"), replies("p", "\xff", 0, 4)), ""},
		{"too long", udp(always(t, "pong!"), replies("p", "\xff", 0, 4)), "the answer has more than 4 bytes"},
		{"of no length", udp(always(t, "pong"), replies("p", "\xff", 9, 1)), "the answer has more than 1 bytes"},

		{"the payload", udp(asked("ping\x00"), func(c *ir.Check, u *ir.UDPCheck) { pong(c, u); u.Payload = ir.Octets("ping\x00") }), ""},
		{"without a payload", udp(asked("keepalived check - keepalived ch"), pong), ""},

		{"from an address", udp(always(t, "pong"), func(c *ir.Check, u *ir.UDPCheck) { pong(c, u); c.BindTo = netip.MustParseAddrPort("127.0.0.9:0") }), ""},
		{"from an address of somebody else", udp(mute, func(c *ir.Check, _ *ir.UDPCheck) { c.BindTo = netip.MustParseAddrPort("192.0.2.1:0") }),
			"no verdict: bind: cannot assign requested address"},
		{"from a port of somebody else", udp(mute, func(c *ir.Check, _ *ir.UDPCheck) { c.BindTo = always(t) }), "no verdict: bind: address already in use"},
		{"over an interface", udp(always(t, "pong"), func(c *ir.Check, u *ir.UDPCheck) { pong(c, u); c.BindIf = "lo" }), ""},
		{"over no interface", udp(mute, func(c *ir.Check, _ *ir.UDPCheck) { c.BindIf = "eth77" }), "no verdict: bind to interface eth77: no such device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := limit
			if c.check.Target == mute {
				limit = patience
			}
			if got := said(probe.Do(t.Context(), probe.Ask{Check: c.check, Limit: limit})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestUDPEnds(t *testing.T) {
	mute := udp(always(t), func(*ir.Check, *ir.UDPCheck) {})
	t.Run("with its context, without a verdict", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if got := said(probe.Do(ctx, probe.Ask{Check: mute, Limit: time.Hour})); got != "no verdict: context deadline exceeded" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("with the first answer, in little memory", func(t *testing.T) {
		flood := always(t, slices.Repeat([]string{strings.Repeat("x", 60_000)}, 20)...)
		c := udp(flood, func(_ *ir.Check, u *ir.UDPCheck) {
			u.Reply, u.MaxLength = &ir.Reply{Value: ir.Octets("y"), Mask: ir.Octets("\xff")}, 65535
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if got := said(probe.Do(t.Context(), probe.Ask{Check: c, Limit: limit})); got != "byte 1 of the answer is wrong: 78" {
			t.Errorf("got %q", got)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
			t.Errorf("a check took %d bytes of memory", after.TotalAlloc-before.TotalAlloc)
		}
	})
}

func TestUDPOutOfReach(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24"))
	at := func(target string) *ir.Check {
		return udp(netip.MustParseAddrPort(target), func(*ir.Check, *ir.UDPCheck) {})
	}
	// No host has 10.0.0.9: if nothing asked for errors, it would count as a server that works silently.
	if got := on(h, t.Context(), at("10.0.0.9:53"), 10*time.Second); got != "read: no route to host" {
		t.Errorf("a host that is gone: got %q", got)
	}
	if got := on(h, t.Context(), at("192.0.2.1:53"), limit); got != "connect: network is unreachable" {
		t.Errorf("no route: got %q", got)
	}
	// Nothing serves UDP on web1: its kernel refuses.
	n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24"))
	h.Run("ip", "rule", "add", "not", "fwmark", "7", "to", "10.0.0.7", "unreachable")
	marked := at("10.0.0.7:53")
	if got := on(h, t.Context(), marked, limit); got != "connect: network is unreachable" {
		t.Errorf("without the mark: got %q", got)
	}
	marked.FWMark = 7
	if got := on(h, t.Context(), marked, limit); got != "read: connection refused" {
		t.Errorf("with the mark: got %q", got)
	}
}
