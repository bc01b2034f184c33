package engine_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/compiler/engine"
	"keepc/compiler/ir"
)

// TestFragments checks the lines for the engines; UPDATE=1 rewrites them. Tests of cmd/keepc check that the engines
// accept them and do what they say.
func TestFragments(t *testing.T) {
	cfg := &ir.Config{Announcements: []*ir.Announcement{
		{Name: ir.Name{Text: "edge"}, Addresses: placed("10.0.0.3", "10.0.0.4", "2001:db8::3"), Table: 198, DrainTable: 199},
		{Name: ir.Name{Text: "mail.out"}, Addresses: placed("10.0.0.25"), Table: 200},
	}}
	for name, write := range map[string]func(*strings.Builder) error{
		"frr.conf":     func(b *strings.Builder) error { return engine.FRR(b, cfg, 64512) },
		"frr-asn.conf": func(b *strings.Builder) error { return engine.FRR(b, cfg, 0) },
		"bird.conf":    func(b *strings.Builder) error { return engine.BIRD(b, cfg) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if b.String() != string(want) {
			t.Errorf("%s: got\n%s", name, b.String())
		}
	}
}

func placed(texts ...string) (list []ir.PlacedAddr) {
	for _, text := range texts {
		list = append(list, ir.PlacedAddr{Addr: netip.MustParseAddr(text)})
	}
	return list
}
