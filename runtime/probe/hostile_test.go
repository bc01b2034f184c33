package probe_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dlclark/regexp2"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/probe"
)

// patience is how long a check waits for a server that keeps it waiting.
const patience = 100 * time.Millisecond

// frugally makes a check, which must not make the heap grow much: the servers of these tests are in the same process, and take some of it.
func frugally(t *testing.T, c *ir.Check, limit time.Duration) string {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := said(probe.Do(t.Context(), probe.Ask{Check: c, Limit: limit}))
	if runtime.ReadMemStats(&after); int64(after.HeapSys)-int64(before.HeapSys) > 16<<20 {
		t.Errorf("the heap grew by %d bytes", after.HeapSys-before.HeapSys)
	}
	return got
}

// limitOf is the limit for a check with this verdict.
func limitOf(want string) time.Duration {
	if strings.Contains(want, patience.String()) {
		return patience
	}
	return limit
}

// drip sends a text, one byte now and then.
func drip(c net.Conn, text string) {
	for _, b := range []byte(text) {
		if _, err := c.Write([]byte{b}); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// flood sends a text again and again.
func flood(c net.Conn, more string) {
	for much := []byte(strings.Repeat(more, 1+(16<<10)/len(more))); ; {
		if _, err := c.Write(much); err != nil {
			return
		}
	}
}

// reset ends a connection by a reset. Inside TLS, that of TLS is not told.
func reset(c net.Conn) {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// shut ends one direction of a connection, or of TLS, and keeps the other open until the client closes.
func shut(c net.Conn) {
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	wait(c)
}

var (
	endless = strings.Repeat("x", 1<<16)
	garbage = strings.Repeat("\x00\xff%s\n\x1b[2J", 4000)
)

// secured are the settings of a TLS server.
func secured() *tls.Config {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

// TestSlowServers checks that a check ends although its server goes on to say something, one byte now and then, in time for each read.
func TestSlowServers(t *testing.T) {
	const patience = 500 * time.Millisecond
	secured := secured()
	for _, c := range []struct {
		does  string
		check func(netip.AddrPort) *ir.Check
		as    func(net.Conn)
		want  string
	}{
		{"HTTP_GET: its header", func(at netip.AddrPort) *ir.Check { return get(at, anyPage) },
			func(c net.Conn) { asked(c); drip(c, endless) }, "the answer does not end within 5s"},
		{"HTTP_GET: its page", func(at netip.AddrPort) *ir.Check { return get(at, anyPage) },
			func(c net.Conn) { asked(c); drip(c, helloAnswer+endless) }, "the answer does not end within 5s"},
		{"SSL_GET: its handshake", func(at netip.AddrPort) *ir.Check { return get(at, secure) },
			func(c net.Conn) { drip(c, "\x16\x03\x03\x40\x00"+endless) }, "the answer does not end within 5s"},
		{"SSL_GET: its page", func(at netip.AddrPort) *ir.Check { return get(at, secure) },
			func(c net.Conn) { inside := tls.Server(c, secured); asked(inside); drip(inside, helloAnswer+endless) }, "the answer does not end within 5s"},
		{"SMTP_CHECK: its greeting", smtp, func(c net.Conn) { drip(c, endless) }, "the greeting does not end within 5s"},
	} {
		t.Run(c.does, func(t *testing.T) {
			t.Parallel()
			if got := said(probe.Do(t.Context(), probe.Ask{Check: c.check(quiet(t, c.as)), Limit: patience})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostileWebServers checks that HTTP_GET and SSL_GET, with a regex and without one, end in time and take little memory, whatever a server
// does after it has read the request.
func TestHostileWebServers(t *testing.T) {
	t.Cleanup(regexp2.StopTimeoutClock) // it would end by itself a moment later
	secured := secured()
	say := func(c net.Conn, text string) { _, _ = io.WriteString(c, text) }
	var redirects atomic.Int32
	for _, c := range []struct {
		does string
		as   func(net.Conn)
		want string // the verdict
	}{
		{"never answers", wait, "no answer within 100ms"},
		{"never ends", func(c net.Conn) { say(c, helloAnswer); wait(c) }, "no answer within 100ms"},
		{"an endless header", func(c net.Conn) { say(c, "HTTP/1.0 200 OK\r\n"); flood(c, "A: b\r\n") }, "the header of the answer does not end within 4095 bytes"},
		{"a header of one endless line", func(c net.Conn) { flood(c, "x") }, "the header of the answer does not end within 4095 bytes"},
		{"an endless page", func(c net.Conn) { say(c, helloAnswer); flood(c, "hello") }, "the page has more than 67108864 bytes"},
		{"resets", reset, "read: connection reset by peer"},
		{"resets within the page", func(c net.Conn) { say(c, helloAnswer); time.Sleep(patience); reset(c) }, "read: connection reset by peer"},
		{"closes one direction alone", func(c net.Conn) { say(c, helloAnswer); shut(c) }, ""},
		{"closes one direction without an answer", shut, "the server closed the connection without an answer"},
		{"redirects to itself", func(c net.Conn) { redirects.Add(1); say(c, "HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n") }, "status 302"},
		{"garbage", func(c net.Conn) { say(c, garbage) }, "the header of the answer does not end within 4095 bytes"},
	} {
		for name, at := range map[string]netip.AddrPort{
			"HTTP_GET": web(t, func(conn net.Conn, _ string) { c.as(conn) }),
			"SSL_GET": quiet(t, func(conn net.Conn) {
				inside := tls.Server(conn, secured)
				asked(inside)
				c.as(inside)
				_ = inside.CloseWrite()
			}),
		} {
			t.Run(name+" "+c.does, func(t *testing.T) {
				for _, regex := range []ir.Regex{{}, {Pattern: "hello"}} {
					check := get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, u.Regex = name == "SSL_GET", regex })
					if got := frugally(t, check, limitOf(c.want)); got != c.want {
						t.Errorf("got %q, want %q", got, c.want)
					}
				}
			})
		}
	}
	if n := redirects.Load(); n != 4 {
		t.Errorf("%d requests for 4 checks: a redirect was followed", n)
	}
	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		at := web(t, func(c net.Conn, _ string) { drip(c, helloAnswer+endless) })
		if got := said(probe.Do(ctx, probe.Ask{Check: get(at, anyPage), Limit: time.Hour})); got != "no verdict: context deadline exceeded" {
			t.Errorf("got %q", got)
		}
	})
}

// TestHostileHandshakes checks SSL_GET with servers that never come as far as a request.
func TestHostileHandshakes(t *testing.T) {
	const record = "\x16\x03\x03"                                                  // of a handshake, by TLS 1.2; two bytes of length follow
	hello := record + "\x40\x00\x02\xff\xff\xff" + strings.Repeat("\x03", 1<<14-4) // a ServerHello that claims 16 MiB
	for _, c := range []struct {
		does string
		as   func(net.Conn)
		want string // how the verdict begins
	}{
		{"refuses", nil, "connect: connection refused"},
		{"never answers", wait, "no answer within 100ms"},
		{"closes", func(c net.Conn) { _, _ = c.Read(make([]byte, 16<<10)) }, "TLS: EOF"},
		{"resets", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); reset(c) }, "read: connection reset by peer"},
		{"closes one direction alone", shut, "TLS: EOF"},
		{"speaks HTTP", func(c net.Conn) { flood(c, helloAnswer) }, "TLS: tls: first record does not look like a TLS handshake"},
		{"garbage", func(c net.Conn) { flood(c, garbage) }, "TLS: tls: first record does not look like a TLS handshake"},
		{"a message of 16 MiB", func(c net.Conn) { flood(c, hello) }, "TLS: tls: handshake message of length 16777215 bytes exceeds maximum of 65536 bytes"},
		{"endless warnings", func(c net.Conn) { flood(c, "\x15\x03\x03\x00\x02\x01\x5a") }, "TLS: tls: too many ignored records"},
		{"endless empty records", func(c net.Conn) { flood(c, record+"\x00\x00") }, "tls: unexpected message"},
	} {
		t.Run(c.does, func(t *testing.T) {
			at := refused(t)
			if c.as != nil {
				at = quiet(t, c.as)
			}
			if got := frugally(t, get(at, secure), limitOf(c.want)); !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostileMailServers checks SMTP_CHECK.
func TestHostileMailServers(t *testing.T) {
	greet := func(c net.Conn) { _, _ = io.WriteString(c, "220 hi\r\n"); _, _ = c.Read(make([]byte, 1)) }
	for _, c := range []struct {
		does string
		as   func(net.Conn)
		want string
	}{
		{"refuses", nil, "connect: connection refused"},
		{"never answers", wait, "no answer within 100ms"},
		{"never answers HELO", func(c net.Conn) { greet(c); wait(c) }, "no answer within 100ms"},
		{"endless greetings", func(c net.Conn) { flood(c, "220 hi\r\n") }, "the server said "}, // whatever is the end of a read
		{"an endless greeting of many lines", func(c net.Conn) { flood(c, "220-hi\r\n") }, `the server said "220-hi", not 220`},
		{"endless answers to HELO", func(c net.Conn) { greet(c); flood(c, "250-hi\r\n") }, `the server said "250-hi", not 250`},
		{"a line without an end", func(c net.Conn) { flood(c, "220 ") }, "a line of the server has more than 512 bytes"},
		{"garbage", func(c net.Conn) { flood(c, garbage) }, `the server said "\x00\xff%s", not 220`},
		{"resets at HELO", func(c net.Conn) { greet(c); reset(c) }, "read: connection reset by peer"},
		{"closes one direction alone", shut, "the server closed the connection without an answer to the connection"},
		{"closes one direction at HELO", func(c net.Conn) { greet(c); shut(c) }, "the server closed the connection without an answer to HELO"},
	} {
		t.Run(c.does, func(t *testing.T) {
			at := refused(t)
			if c.as != nil {
				at = quiet(t, c.as)
			}
			if got := frugally(t, smtp(at), limitOf(c.want)); got != c.want && !(strings.HasSuffix(c.want, " ") && strings.HasPrefix(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostileNameServers checks DNS_CHECK: what does not answer the question is as good as silence.
func TestHostileNameServers(t *testing.T) {
	answered := func(q []byte) []byte { a := bytes.Clone(q); a[2] |= 0x80; return a }
	for _, c := range []struct {
		does string
		as   func(question []byte) [][]byte
		want string
	}{
		{"never answers", func([]byte) [][]byte { return nil }, "no answer within 100ms"},
		{"answers with nothing", func([]byte) [][]byte { return [][]byte{{}} }, "no answer within 100ms"},
		{"answers cut to 1, 2 and 3 bytes", func(q []byte) [][]byte { a := answered(q); return [][]byte{a[:1], a[:2], a[:3]} }, "no answer within 100ms"},
		{"an answer cut behind its code", func(q []byte) [][]byte { return [][]byte{answered(q)[:4]} }, ""}, // keepalived reads no further either
		{"thousands of answers to other questions", func(q []byte) [][]byte {
			a := answered(q)
			a[0]++
			return slices.Repeat([][]byte{a}, 5000)
		}, "no answer within 100ms"},
		{"garbage of 60,000 bytes, often", func([]byte) [][]byte { return slices.Repeat([][]byte{[]byte(garbage + garbage[:20_000])}, 100) }, "no answer within 100ms"},
		{"an answer of 60,000 bytes", func(q []byte) [][]byte { return [][]byte{append(answered(q), garbage+garbage[:20_000]...)} }, ""},
		{"pointers that go round in an answer", func(q []byte) [][]byte { return [][]byte{append(answered(q)[:12], "\xc0\x0c\xc0\x0c\xc0\x0c"...)} }, ""},
	} {
		t.Run(c.does, func(t *testing.T) {
			if got := frugally(t, dns(answer(t, "127.0.0.1:0", c.as), "A", "www.example.com"), limitOf(c.want)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostileEchoes checks PING_CHECK with a host whose kernel answers no echo request, and whose program answers with the given packets, each
// made from the request. Only the echo of the request is an answer.
func TestHostileEchoes(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	h, web1 := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24")), n.Host("web1", lab.On(lan, "eth0", "10.0.0.7/24"))
	web1.Sysctl("net/ipv4/icmp_echo_ignore_all", "1")
	check := &ir.Check{Checker: &ir.PingCheck{}, Connection: ir.Connection{Target: netip.MustParseAddrPort("10.0.0.7:80")}}
	reply := func(change func(m *icmp.Message, e *icmp.Echo)) func(icmp.Echo) [][]byte {
		return func(e icmp.Echo) [][]byte {
			m := &icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &e}
			change(m, &e)
			b, err := m.Marshal(nil)
			if err != nil {
				t.Error(err)
			}
			return [][]byte{b}
		}
	}
	same := reply(func(*icmp.Message, *icmp.Echo) {})
	for _, groups := range []string{"1\t0", "0\t100"} { // the checker's socket is a raw one; then one for pings
		h.Sysctl("net/ipv4/ping_group_range", groups)
		for _, c := range []struct {
			does string
			as   func(request icmp.Echo) [][]byte
			want string
		}{
			{"answers", same, ""},
			{"another identifier", reply(func(_ *icmp.Message, e *icmp.Echo) { e.ID ^= 1 }), "no answer within 100ms"},
			{"another number", reply(func(_ *icmp.Message, e *icmp.Echo) { e.Seq++ }), "no answer within 100ms"},
			{"no data", reply(func(_ *icmp.Message, e *icmp.Echo) { e.Data = nil }), "no answer within 100ms"},
			{"less data", reply(func(_ *icmp.Message, e *icmp.Echo) { e.Data = e.Data[:len(e.Data)-1] }), "no answer within 100ms"},
			{"more data", reply(func(_ *icmp.Message, e *icmp.Echo) { e.Data = append(e.Data, garbage[:1000]...) }), "no answer within 100ms"},
			{"other data", reply(func(_ *icmp.Message, e *icmp.Echo) { e.Data = []byte(strings.Repeat("x", len(e.Data))) }), "no answer within 100ms"},
			{"its own request", reply(func(m *icmp.Message, _ *icmp.Echo) { m.Type = ipv4.ICMPTypeEcho }), "no answer within 100ms"},
			{"an unknown type", reply(func(m *icmp.Message, _ *icmp.Echo) { m.Type = ipv4.ICMPType(250) }), "no answer within 100ms"},
			{"half a header", func(e icmp.Echo) [][]byte { return [][]byte{same(e)[0][:4], same(e)[0][:1]} }, "no answer within 100ms"},
			{"much garbage, then the answer", func(e icmp.Echo) [][]byte {
				other := reply(func(_ *icmp.Message, e *icmp.Echo) { e.Data = []byte(garbage[:1000]) })(e)
				return append(slices.Repeat(other, 50), same(e)...)
			}, ""},
		} {
			stop := echo(t, web1, c.as)
			got := ""
			_ = h.Do(func() error { got = frugally(t, check, limitOf(c.want)); return nil })
			if stop(); got != c.want {
				t.Errorf("groups %q: %s: got %q, want %q", groups, c.does, got, c.want)
			}
		}
	}
}

// echo answers echo requests on a host until it is stopped.
func echo(t *testing.T, h *lab.Host, answers func(icmp.Echo) [][]byte) (stop func()) {
	t.Helper()
	var conn net.PacketConn
	if err := h.Do(func() (err error) { conn, err = net.ListenPacket("ip4:icmp", "0.0.0.0"); return err }); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			m, err := icmp.ParseMessage(1, b[:n])
			if err != nil || m.Type != ipv4.ICMPTypeEcho {
				continue
			}
			for _, a := range answers(*m.Body.(*icmp.Echo)) {
				_, _ = conn.WriteTo(a, from)
			}
		}
	}()
	return func() { conn.Close(); <-done }
}
