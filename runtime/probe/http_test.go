package probe_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dlclark/regexp2"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// web serves connections on a loopback address: respond gets each request and the connection to answer on.
func web(t *testing.T, to func(c net.Conn, request string)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				to(c, asked(c))
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// asked reads a request.
func asked(c net.Conn) string {
	var all strings.Builder
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		all.WriteString(line)
		if err != nil || line == "\r\n" {
			return all.String()
		}
	}
}

// says serves the same answer to all.
func says(t *testing.T, answer string) netip.AddrPort {
	return web(t, func(c net.Conn, _ string) { _, _ = io.WriteString(c, answer) })
}

// wait waits until the other end closes.
func wait(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// get is an HTTP_GET of a page with defaults filled in.
func get(target netip.AddrPort, change func(*ir.HTTPCheck, *ir.URL)) *ir.Check {
	u := &ir.URL{Path: "/a", Status: []ir.StatusRange{{First: 200, Last: 299}}}
	h := &ir.HTTPCheck{Version: "1.0", URLs: []*ir.URL{u}}
	change(h, u)
	return &ir.Check{Checker: h, Connection: ir.Connection{Target: target}}
}

func anyPage(*ir.HTTPCheck, *ir.URL) {}

const (
	hello       = "5d41402abc4b2a76b9719d911017c592" // MD5 of "hello"
	helloAnswer = "HTTP/1.0 200 OK\r\n\r\nhello"
)

// TestHTTPRequest checks what keepalived 2.2.7 was seen to send.
func TestHTTPRequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ir.HTTPCheck, *ir.URL)
		want   string
	}{
		{"1.0", anyPage, "GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: ADDR\r\n\r\n"},
		{"1.0C", func(h *ir.HTTPCheck, _ *ir.URL) { h.Version = "1.0C" },
			"GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: ADDR\r\n\r\n"},
		{"1.1", func(h *ir.HTTPCheck, u *ir.URL) { h.Version, u.VirtualHost = "1.1", "u.example" },
			"GET /a HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: u.example\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := make(chan string, 1)
			at := web(t, func(c net.Conn, request string) { got <- request; _, _ = io.WriteString(c, helloAnswer) })
			if r := said(probe.Do(t.Context(), probe.Ask{Check: get(at, c.change), Limit: limit})); r != "" {
				t.Error(r)
			}
			if g, want := <-got, strings.ReplaceAll(c.want, "ADDR", at.String()); g != want {
				t.Errorf("got %q, want %q", g, want)
			}
		})
	}
}

// TestHTTPAnswer checks what keepalived 2.2.7 was seen to make of answers.
func TestHTTPAnswer(t *testing.T) {
	t.Cleanup(regexp2.StopTimeoutClock) // it would end by itself a moment later
	digest := func(_ *ir.HTTPCheck, u *ir.URL) { u.Digests = []string{strings.Repeat("0", 32), hello} }
	regex := func(r ir.Regex) func(*ir.HTTPCheck, *ir.URL) { return func(_ *ir.HTTPCheck, u *ir.URL) { u.Regex = r } }
	codes := func(ranges ...ir.StatusRange) func(*ir.HTTPCheck, *ir.URL) {
		return func(_ *ir.HTTPCheck, u *ir.URL) { u.Status = ranges }
	}
	h := strings.Repeat("h", 4095)
	for _, c := range []struct {
		name, answer string
		change       func(*ir.HTTPCheck, *ir.URL)
		want         string
	}{
		{"right", helloAnswer, anyPage, ""},
		{"no page", "HTTP/1.1 204 No Content\r\n\r\n", anyPage, ""},
		{"wrong status", "HTTP/1.0 500 no\r\n\r\n", anyPage, "status 500"},
		{"a redirect is not followed", "HTTP/1.0 301 no\r\nLocation: /a\r\n\r\n", anyPage, "status 301"},
		{"a redirect is right", "HTTP/1.0 301 no\r\nLocation: /a\r\n\r\n", codes(ir.StatusRange{First: 200, Last: 200}, ir.StatusRange{First: 300, Last: 301}), ""},
		{"outside of all ranges", "HTTP/1.0 302 no\r\n\r\n", codes(ir.StatusRange{First: 200, Last: 200}, ir.StatusRange{First: 300, Last: 301}), "status 302"},
		{"the first status counts", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello", anyPage, "status 100"},
		{"any protocol", "XYZ 200 OK\r\n\r\n", anyPage, ""},
		{"no blank behind the status", "HTTP/1.1 200\r\n\r\n", anyPage, "the answer is not HTTP"},
		{"four digits", "HTTP/1.0 2000 OK\r\n\r\n", anyPage, "the answer is not HTTP"},
		{"two blanks", "HTTP/1.0  200 OK\r\n\r\n", anyPage, "the answer is not HTTP"},
		{"garbage", "garbage\r\n\r\nhello", anyPage, "the answer is not HTTP"},
		{"line feeds alone", "HTTP/1.0 200 OK\n\nhello", anyPage, "the server closed the connection in the middle of the header"},
		{"half a header", "HTTP/1.0 200 OK\r\nConte", anyPage, "the server closed the connection in the middle of the header"},
		{"nothing", "", anyPage, "the server closed the connection without an answer"},
		{"a header of 4095 bytes", "HTTP/1.0 200 OK\r\nA: " + h[:4095-24] + "\r\n\r\nhello", digest, ""},
		{"a header of 4096 bytes", "HTTP/1.0 200 OK\r\nA: " + h[:4096-24] + "\r\n\r\nhello", anyPage, "the header of the answer does not end within 4095 bytes"},

		{"right digest", helloAnswer, digest, ""},
		{"wrong digest", "HTTP/1.0 200 OK\r\n\r\nhallo", digest, "the digest of the page is 598d4c200461b81522a3328565c25f7c"},
		{"right digest, wrong status", "HTTP/1.0 500 no\r\n\r\nhello", digest, "status 500"},
		{"more than was promised", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", digest, ""},
		{"less than was promised", "HTTP/1.0 200 OK\r\ncontent-length: 50\r\n\r\nhello", digest, ""},
		{"a strange length", "HTTP/1.0 200 OK\r\nContent-Length: x\r\n\r\nhello", digest, ""},
		{"chunks are not put together", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", digest,
			"the digest of the page is 79e9489e3bd3f0cb0158215341de046d"},

		{"regex", "HTTP/1.0 200 OK\r\n\r\nHello world", regex(ir.Regex{Pattern: "w.rld"}), ""},
		{"no match", "HTTP/1.0 200 OK\r\n\r\nHello world", regex(ir.Regex{Pattern: "hello"}), "the page does not match the regex"},
		{"caseless", "HTTP/1.0 200 OK\r\n\r\nHello world", regex(ir.Regex{Pattern: "hello", Options: []string{"caseless"}}), ""},
		{"must not match", "HTTP/1.0 200 OK\r\n\r\nHello world", regex(ir.Regex{Pattern: "world", NoMatch: true}), "the page matches the regex"},
		{"does not match as it must not", "HTTP/1.0 200 OK\r\n\r\nHello world", regex(ir.Regex{Pattern: "busy", NoMatch: true}), ""},
		{"the header is searched", "HTTP/1.0 200 OK\r\nServer: x\r\n\r\n", regex(ir.Regex{Pattern: "Server"}), ""},
		{"over buffers", "HTTP/1.0 200 OK\r\n\r\n" + strings.Repeat("a", 40_000) + "needle" + strings.Repeat("b", 40_000), regex(ir.Regex{Pattern: "aneedleb"}), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(probe.Do(t.Context(), probe.Ask{Check: get(says(t, c.answer), c.change), Limit: limit})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHTTPPages(t *testing.T) {
	at := web(t, func(c net.Conn, request string) {
		if strings.HasPrefix(request, "GET /b ") {
			_, _ = io.WriteString(c, "HTTP/1.0 503 no\r\n\r\n")
		} else {
			_, _ = io.WriteString(c, helloAnswer)
		}
	})
	two := get(at, func(h *ir.HTTPCheck, u *ir.URL) { b := *u; b.Path = "/b"; h.URLs = append(h.URLs, &b) })
	for page, want := range []string{"", "/b: status 503"} {
		if got := said(probe.Do(t.Context(), probe.Ask{Check: two, Page: page, Limit: limit})); got != want {
			t.Errorf("page %d: got %q, want %q", page, got, want)
		}
	}
	var steps []string
	probe.Do(t.Context(), probe.Ask{Check: two, Limit: limit, Trace: func(step string, _ time.Duration) { steps = append(steps, step) }})
	if got, want := strings.Join(steps, "; "), "connected to "+at.String()+"; status 200; 5 bytes, digest "+hello+"; up"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// secure makes a check an SSL_GET.
func secure(h *ir.HTTPCheck, _ *ir.URL) { h.TLS = true }

func TestSSL(t *testing.T) {
	var names sync.Map
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }))
	s.Config.ErrorLog = nil
	s.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) { names.Store(h.ServerName, true); return nil, nil }}
	s.StartTLS() // with an untrusted certificate, for a different name
	defer s.Close()
	at := s.Listener.Addr().(*net.TCPAddr).AddrPort()
	for _, c := range []struct {
		name   string
		check  *ir.Check
		server string // the name sent in TLS
		want   string
	}{
		{"a certificate that nobody trusts", get(at, secure), "", ""},
		{"no name without enable_sni", get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, u.VirtualHost = true, "a.example" }), "", ""},
		{"a name", get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, h.SNI, u.VirtualHost = true, true, "b.example" }), "b.example", ""},
		{"sni_name", get(at, func(h *ir.HTTPCheck, u *ir.URL) {
			h.TLS, h.SNI, u.VirtualHost, h.SNIName = true, true, "b.example", "c.example"
		}), "c.example", ""},
		{"a name with a port", get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, h.SNI, u.VirtualHost = true, true, "b.example:8443" }), "b.example", ""},
		{"an address with a port", get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, h.SNI, u.VirtualHost = true, true, "[2001:db8::1]:8443" }), "", ""},
		{"digest", get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, u.Digests = true, []string{hello} }), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			names.Clear()
			limit := limit
			got := said(probe.Do(t.Context(), probe.Ask{Check: c.check, Limit: limit}))
			if c.want == "" && got != "" || c.want != "" && got == "" {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if _, told := names.Load(c.server); c.want == "" && !told {
				t.Errorf("the server was not told %q", c.server)
			}
		})
	}
	t.Run("old TLS", func(t *testing.T) {
		old := httptest.NewUnstartedServer(s.Config.Handler)
		old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}
		old.StartTLS()
		defer old.Close()
		if got := said(probe.Do(t.Context(), probe.Ask{Check: get(old.Listener.Addr().(*net.TCPAddr).AddrPort(), secure), Limit: limit})); got != "" {
			t.Error(got)
		}
	})
	t.Run("the end of TLS", func(t *testing.T) {
		certificates := s.TLS.Certificates
		at := quiet(t, func(c net.Conn) {
			secured := tls.Server(c, &tls.Config{Certificates: certificates})
			asked(secured)
			_, _ = io.WriteString(secured, helloAnswer) // and the connection is closed under it
		})
		for compliant, want := range map[bool]string{false: "", true: "the server closed the connection without ending TLS"} {
			check := get(at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, u.TLSCompliant = true, compliant })
			if got := said(probe.Do(t.Context(), probe.Ask{Check: check, Limit: limit})); got != want {
				t.Errorf("compliant %v: got %q, want %q", compliant, got, want)
			}
		}
	})
}

// quiet serves connections without waiting for a request.
func quiet(t *testing.T, to func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); _ = c.SetDeadline(time.Now().Add(20 * time.Second)); to(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}
