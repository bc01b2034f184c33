package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"keepc/compiler/ir"
)

// verify judges the certificate of a server where the settings ask for it. The name that it must have is the one that TLS or HTTP tells the
// server; without one it is the address of the server.
func verify(ctx context.Context, a Ask, s tls.ConnectionState, h *ir.HTTPCheck, u *ir.URL) error {
	v := h.Verification
	if v == nil {
		return nil
	}
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	roots, err := trusted(ctx, a, v, h.Client)
	if err != nil {
		return &trustError{err}
	}
	between := x509.NewCertPool()
	for _, one := range s.PeerCertificates[1:] {
		between.AddCert(one)
	}
	leaf, name := s.PeerCertificates[0], cmp.Or(serverName(h, u), a.Check.Target.Addr().String())
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between}); err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	if left := time.Until(leaf.NotAfter); left < v.Lasts {
		return fmt.Errorf("the certificate ends at %s, in less than %v", leaf.NotAfter.UTC().Format("2006-01-02 15:04"), v.Lasts)
	}
	return nil
}

// serverName returns the name that TLS or HTTP tells the server, without the port that a Host header may have: neither SNI (RFC 6066 section 3)
// nor certificates know ports. keepalived sends the port in SNI, too, and a server that chooses by it does not know that name. Empty: no name.
func serverName(h *ir.HTTPCheck, u *ir.URL) string {
	host := u.VirtualHost
	if h.SNI && h.SNIName != "" {
		host = h.SNIName
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host // there is no port: the brackets of an IPv6 address do no harm
}

// A trustError says why those who are trusted cannot be read: that is about this machine, and not about the server.
type trustError struct{ err error }

func (e *trustError) Error() string { return "the certificates that are trusted: " + e.err.Error() }
func (e *trustError) Unwrap() error { return e.err }

// trusted returns the certificates that are trusted, as they are now: they may be renewed.
func trusted(ctx context.Context, a Ask, v *ir.Verification, own *ir.TLS) (*x509.CertPool, error) {
	file := v.Trusted(own)
	if file == "" {
		return x509.SystemCertPool()
	}
	return within(ctx, a.files, file, a.Limit, func() (*x509.CertPool, error) { return a.files.pool(file) })
}
