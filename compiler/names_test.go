package compiler

import (
	"testing"
	"testing/fstest"

	"keepc/compiler/ir"
)

// TestLocalize checks that names get the numbers of the iproute2 files, the administrator's before the distribution's;
// a name that is in none stays, and what needs it is left out.
func TestLocalize(t *testing.T) {
	files := fstest.MapFS{}
	for name, text := range map[string]string{
		"usr/share/iproute2/rt_tables":      "100 named\n300 other\n",
		"etc/iproute2/rt_tables":            "# comment\n200 named # behind\nnonsense\n",
		"etc/iproute2/rt_tables.d/one.conf": "0x12c2\tmine\n",
		"etc/iproute2/rt_realms":            "7 foo\n",
		"etc/iproute2/group":                "9 grp\n",
		"etc/iproute2/rt_protos":            "42 babel\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	cfg := &ir.Config{
		StaticRoutes: []ir.Route{
			{Table: ir.Number{Name: "named"}, Realms: "3/foo", Protocol: ir.Number{Name: "babel"}, Nexthops: []ir.Nexthop{{Realms: "foo"}}},
			{Table: ir.Number{Name: "mine"}}, {Table: ir.Number{Name: "nobody"}},
		},
		StaticRules: []ir.Rule{{Table: ir.Number{Name: "other"}, Action: ir.Lookup, SuppressGroup: &ir.Number{Name: "grp"}, Realms: "foo/bar"}},
	}
	Localize(cfg, NewNames(files, "usr/lib/iproute2", "usr/share/iproute2", "etc/iproute2"))
	r, rule := cfg.StaticRoutes, cfg.StaticRules[0]
	want := []any{ir.Number{N: 200}, "3/7", ir.Number{N: 42}, "7", ir.Number{N: 0x12c2}, ir.Number{Name: "nobody"}, ir.Number{N: 300}, ir.Number{N: 9}, "7/bar"}
	for i, x := range []any{r[0].Table, r[0].Realms, r[0].Protocol, r[0].Nexthops[0].Realms, r[1].Table, r[2].Table, rule.Table, *rule.SuppressGroup, rule.Realms} {
		if x != want[i] {
			t.Errorf("%d: got %v, want %v", i, x, want[i])
		}
	}
	if len(cfg.NotEnforced) == 0 {
		t.Error("nobody tells that a name is unknown")
	}
}
