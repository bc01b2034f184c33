package compiler

import (
	"testing"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// TestTrusted: what is said of ca in the block SSL depends on the settings, which may count on it.
func TestTrusted(t *testing.T) {
	const block = "SSL {\n    ca /ca.pem\n}\n"
	server := func(check string) string {
		return "virtual_server 192.0.2.1 443 {\n    protocol TCP\n    real_server 10.0.0.1 443 {\n        " + check + " {\n            url {\n                path /\n            }\n        }\n    }\n}\n"
	}
	for _, c := range []struct {
		text string
		v    *ir.Verification
		want string // the keyword that is not enforced
	}{
		{block + server("SSL_GET"), nil, "SSL.ca without verify_certificates in .keepc.conf"},
		{block + server("SSL_GET"), &ir.Verification{}, ""},
		{block + server("SSL_GET"), &ir.Verification{CA: "/own.pem"}, "SSL.ca beside ca of verify_certificates"},
		{block + server("HTTP_GET"), nil, ""},
		{block, nil, ""},
		{server("SSL_GET"), nil, ""},
	} {
		cfg := Load(source.New("k.conf", []byte(c.text)), Options{Settings: &ir.Settings{Verification: c.v}}).Config
		got := ""
		for _, u := range cfg.NotEnforced {
			got += u.Keyword
		}
		if got != c.want {
			t.Errorf("%s%+v: %q, want %q", c.text, c.v, got, c.want)
		}
	}
}
