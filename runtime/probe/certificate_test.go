package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// An issuer signs certificates, its own included; all have the same key.
type issuer struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T, name string) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, key}
}

// sign returns the certificate in DER.
func (i issuer) sign(t *testing.T, c *x509.Certificate) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, i.Certificate, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func certificate(der []byte) *pem.Block { return &pem.Block{Type: "CERTIFICATE", Bytes: der} }

// written returns the path of a new file with the blocks.
func written(t *testing.T, dir, name string, blocks ...*pem.Block) string {
	t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestClientCertificate checks that a server that asks for a certificate gets the one of the block SSL, whose key may
// have a pass phrase. A certificate that cannot be read is not a verdict on the server.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours := newIssuer(t, "lb01")
	plain, err := x509.MarshalECPrivateKey(ours.key)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 it is what people have
	locked, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", plain, []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	chain, private := certificate(ours.sign(t, ours.Certificate)), &pem.Block{Type: "EC PRIVATE KEY", Bytes: plain}
	cert, both := written(t, dir, "cert.pem", chain), written(t, dir, "both.pem", chain, private)
	open, closed := written(t, dir, "key.pem", private), written(t, dir, "locked.pem", locked)

	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}

	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") }))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	at := s.Listener.Addr().(*net.TCPAddr).AddrPort()
	for _, c := range []struct {
		tls  *ir.TLS
		want string
	}{
		{nil, "certificate"},
		{&ir.TLS{Certificate: cert, Key: open}, ""},
		{&ir.TLS{Certificate: both}, ""},
		{&ir.TLS{Certificate: cert, Key: closed, Password: ir.NewSecret("secret")}, ""},
		{&ir.TLS{Certificate: cert, Key: closed, Password: ir.NewSecret("wrong")}, "no verdict: "},
		{&ir.TLS{Certificate: cert, Key: filepath.Join(dir, "missing")}, "no verdict: "},
		{&ir.TLS{Certificate: cert, Key: fifo}, "not a regular file"},
		{&ir.TLS{Certificate: fifo, Key: open}, "no verdict: "},
	} {
		got := said(probe.Do(t.Context(), probe.Ask{Check: get(at, func(h *ir.HTTPCheck, _ *ir.URL) { h.TLS, h.Client = true, c.tls }), Limit: time.Minute}))
		if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: got %q, want %q", c.tls, got, c.want)
		}
	}
}
