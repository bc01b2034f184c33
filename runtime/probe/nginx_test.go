package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dlclark/regexp2"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/probe"
)

// TestNginx asks a real web server.
func TestNginx(t *testing.T) {
	lab.NeedPrograms(t, "nginx")
	t.Cleanup(regexp2.StopTimeoutClock)
	dir := t.TempDir()
	s := httptest.NewTLSServer(nil)
	cert, key := pems(t, s.TLS.Certificates[0])
	s.Close()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"cert.pem": cert, "key.pem": key, "index.html": "hello", "big.html": strings.Repeat("0123456789", 50_000) + "end"} {
		write(name, text)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	plain, secured := refused(t), refused(t)
	write("nginx.conf", fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off; client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	default_type text/html; gzip on; gzip_min_length 1; keepalive_timeout 60;
	server { listen %[2]s; root %[1]s; location /moved { return 301 /; } location /busy { return 503; } }
	server { listen %[3]s ssl default_server; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; return 421; }
	server { listen %[3]s ssl; server_name www.example; ssl_certificate %[1]s/cert.pem; ssl_certificate_key %[1]s/key.pem; root %[1]s; }
}`, dir, plain, secured))
	nginx := exec.Command("nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	nginx.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nginx.Process.Kill(); _ = nginx.Wait() })
	lab.Eventually(t, 10*time.Second, "nginx to serve", func() bool {
		return said(probe.Do(t.Context(), probe.Ask{Check: tcp(secured), Limit: limit})) == ""
	})
	page := func(path string) func(*ir.HTTPCheck, *ir.URL) {
		return func(_ *ir.HTTPCheck, u *ir.URL) { u.Path = path }
	}
	named := func(h *ir.HTTPCheck, u *ir.URL) {
		h.TLS, h.SNI, u.Path, u.VirtualHost, u.Digests = true, true, "/", "www.example", []string{hello}
	}
	for _, c := range []struct {
		name  string
		check *ir.Check
		want  string
	}{
		{"page", get(plain, func(_ *ir.HTTPCheck, u *ir.URL) { u.Path, u.Digests = "/", []string{hello} }), ""},
		{"page by 1.1", get(plain, func(h *ir.HTTPCheck, u *ir.URL) { h.Version, u.Path, u.Digests = "1.1", "/", []string{hello} }), ""},
		{"big page", get(plain, func(_ *ir.HTTPCheck, u *ir.URL) { u.Path, u.Regex.Pattern = "/big.html", "9end$" }), ""},
		{"missing", get(plain, page("/none")), "status 404"},
		{"moved", get(plain, page("/moved")), "status 301"},
		{"busy", get(plain, page("/busy")), "status 503"},
		{"TLS", get(secured, named), ""},
		{"TLS by 1.1", get(secured, func(h *ir.HTTPCheck, u *ir.URL) { named(h, u); h.Version = "1.1" }), ""},
		{"TLS without a name", get(secured, func(h *ir.HTTPCheck, u *ir.URL) { h.TLS = true }), "status 421"},
		{"no TLS where it should be", get(secured, anyPage), "status 400"},
		{"TLS where none is", get(plain, secure), "TLS: tls: first record does not look like a TLS handshake"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(probe.Do(t.Context(), probe.Ask{Check: c.check, Limit: limit})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// pems are the texts of a certificate and its key.
func pems(t *testing.T, c tls.Certificate) (cert, key string) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return text("CERTIFICATE", c.Certificate[0]), text("PRIVATE KEY", der)
}
