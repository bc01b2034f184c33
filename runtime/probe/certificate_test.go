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
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// TestClientCertificate: a server that asks for a certificate gets the one of the block SSL, whose key may have a pass phrase. What cannot be
// read is no verdict on the server.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lb01"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 it is what people have
	locked, err := x509.EncryptPEMBlock(rand.Reader, "EC PRIVATE KEY", plain, []byte("secret"), x509.PEMCipherAES128)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, blocks ...*pem.Block) string {
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
	chain := &pem.Block{Type: "CERTIFICATE", Bytes: der}
	cert := write("cert.pem", chain)
	both := write("both.pem", chain, &pem.Block{Type: "EC PRIVATE KEY", Bytes: plain})
	open, closed := write("key.pem", &pem.Block{Type: "EC PRIVATE KEY", Bytes: plain}), write("locked.pem", locked)

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
	} {
		got := said(probe.Do(t.Context(), probe.Ask{Check: get(at, func(h *ir.HTTPCheck, _ *ir.URL) { h.TLS, h.Client = true, c.tls }), Limit: time.Minute}))
		if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%+v: got %q, want %q", c.tls, got, c.want)
		}
	}
}
