package diff_test

import (
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/diff"
	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// TestVerification: a server that is re-checked because of .keepc.conf alone says so.
func TestVerification(t *testing.T) {
	side := func(v *ir.Verification) diff.Side {
		const text = "virtual_server 192.0.2.1 443 {\n    protocol TCP\n    real_server 10.0.0.1 443 {\n        SSL_GET {\n            url {\n                path /\n            }\n        }\n    }\n}\n"
		u := compiler.Load(source.New("x.conf", []byte(text)), compiler.Options{Settings: &ir.Settings{Verification: v}})
		return diff.Side{File: u.Tree, Config: u.Config}
	}
	for _, c := range []struct {
		before, after *ir.Verification
		says          bool
	}{
		{nil, &ir.Verification{}, true},
		{&ir.Verification{}, nil, true},
		{&ir.Verification{}, &ir.Verification{CA: "/ca.pem"}, true},
		{&ir.Verification{}, &ir.Verification{Lasts: time.Hour}, true},
		{&ir.Verification{Lasts: time.Hour}, &ir.Verification{Lasts: time.Hour}, false},
		{nil, nil, false},
	} {
		s := diff.Reload(side(c.before), side(c.after)).Servers[0]
		if says := s.Verdict == diff.Rechecked && strings.Contains(s.Reason, "another verify_certificates in .keepc.conf"); says != c.says {
			t.Errorf("%+v -> %+v: %s: %s", c.before, c.after, s.Verdict, s.Reason)
		}
	}
}
