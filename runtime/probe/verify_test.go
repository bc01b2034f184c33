package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// TestVerification: where the settings ask for it, a server is down whose certificate is not right; without them any certificate is.
func TestVerification(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newIssuer(t, "our CA")
	ours, empty := written(t, dir, "ca.pem", certificate(ca.sign(t, ca.Certificate))), written(t, dir, "empty.pem", &pem.Block{Type: "NOTHING"})
	fifo, huge := filepath.Join(dir, "fifo"), written(t, dir, "huge.pem")
	if err := errors.Join(syscall.Mkfifo(fifo, 0o600), os.Truncate(huge, 1<<30)); err != nil {
		t.Fatal(err)
	}
	serve := func(left time.Duration) netip.AddrPort {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "www"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(left),
			DNSNames: []string{"www.example.com"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}
		if left == 10*time.Minute {
			leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.ParseIP("2001:db8::1")}
		}
		c := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{ca.sign(t, leaf)}, PrivateKey: ca.key}}}
		return quiet(t, func(conn net.Conn) {
			s := tls.Server(conn, c)
			asked(s)
			_, _ = io.WriteString(s, helloAnswer)
			_ = s.CloseWrite()
		})
	}
	good, over, addressed := serve(30*time.Minute), serve(-time.Hour), serve(10*time.Minute)
	for _, c := range []struct {
		name string
		at   netip.AddrPort
		v    *ir.Verification
		host string
		want string // how the verdict begins
	}{
		{"right", good, &ir.Verification{CA: ours}, "www.example.com", ""},
		{"without the settings", over, nil, "b.example", ""},
		{"another name", good, &ir.Verification{CA: ours}, "b.example", "the certificate: x509: certificate is valid for www.example.com, not b.example"},
		{"the name with a port", good, &ir.Verification{CA: ours}, "www.example.com:8443", ""},
		{"another name with a port", good, &ir.Verification{CA: ours}, "b.example:8443", "the certificate: x509: certificate is valid for www.example.com, not b.example"},
		{"an address with a port", addressed, &ir.Verification{CA: ours}, "127.0.0.1:8443", ""},
		{"IPv6 with a port", addressed, &ir.Verification{CA: ours}, "[2001:db8::1]:8443", ""},
		{"IPv6 in brackets", addressed, &ir.Verification{CA: ours}, "[2001:db8::1]", ""},
		{"IPv6", addressed, &ir.Verification{CA: ours}, "2001:db8::1", ""},
		{"over", over, &ir.Verification{CA: ours}, "www.example.com", "the certificate: x509: certificate has expired"},
		{"not long enough", good, &ir.Verification{CA: ours, Lasts: time.Hour}, "www.example.com", "the certificate ends at "},
		{"long enough", good, &ir.Verification{CA: ours, Lasts: 20 * time.Minute}, "www.example.com", ""},
		{"signed by nobody that is trusted", good, &ir.Verification{}, "www.example.com", "the certificate: x509: certificate signed by unknown authority"},
		{"no name, and not for the address", good, &ir.Verification{CA: ours}, "", "the certificate: x509: cannot validate certificate for 127.0.0.1"},
		{"no name, and for the address", addressed, &ir.Verification{CA: ours}, "", ""},
		{"no such file", good, &ir.Verification{CA: filepath.Join(dir, "none")}, "www.example.com", "no verdict: the certificates that are trusted: open "},
		{"no certificate in the file", good, &ir.Verification{CA: empty}, "www.example.com", "no verdict: the certificates that are trusted: "},
		{"a pipe", good, &ir.Verification{CA: fifo}, "www.example.com", "no verdict: the certificates that are trusted: " + fifo + " is not a regular file"},
		{"a directory", good, &ir.Verification{CA: dir}, "www.example.com", "no verdict: the certificates that are trusted: " + dir + " is not a regular file"},
		{"too large", good, &ir.Verification{CA: huge}, "www.example.com", "no verdict: the certificates that are trusted: " + huge + " has more than "},
	} {
		t.Run(c.name, func(t *testing.T) {
			check := get(c.at, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS, h.Verification, u.VirtualHost = true, c.v, c.host })
			r := probe.Do(t.Context(), probe.Ask{Check: check, Limit: limit})
			if left := time.Until(r.Certificate.Until); c.at == good && (left < 20*time.Minute || left > 30*time.Minute) {
				t.Errorf("its certificate lasts %v", left)
			}
			got := said(r)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	check := get(good, func(h *ir.HTTPCheck, u *ir.URL) {
		h.TLS, h.Client, h.Verification, u.VirtualHost = true, &ir.TLS{CA: ours}, &ir.Verification{}, "www.example.com"
	})
	if got := said(probe.Do(t.Context(), probe.Ask{Check: check, Limit: limit})); got != "" {
		t.Errorf("with the ca of the block SSL: %q", got)
	}
}
