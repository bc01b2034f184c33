package kernel_test

import (
	"maps"
	"strings"
	"testing"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

var drop3 = state.FirewallKey{Table: "keepalived", Addr: addr("10.0.0.3")}

// testFirewall checks that entries are added, changed and deleted in the tables that they name, whatever else of ours
// the table holds.
func testFirewall(t *testing.T, h host) {
	check(t, kernel.Set(h, vmac7, link7))
	entry := state.Firewall{Priority: -1}
	silent := entry
	silent.Base = "eth0"
	other := state.Firewall{Priority: 7, Counters: true}
	want := map[state.FirewallKey]state.Firewall{
		drop3:                                entry,
		{Table: "keepalived", Dev: "vrrp.7"}: silent,
		{Table: "keepalived", IPv6: true, Dev: "vrrp.7"}:                             silent,
		{Table: "keepalived", IPv6: true, Addr: addr("2001:db8::3")}:                 entry,
		{Table: "keepalived", IPv6: true, Addr: addr("fe80::3"), Dev: "eth0"}:        entry,
		{Table: "keepalived", IPv6: true, Addr: addr("fe80::3"), Dev: "vrrp.7"}:      entry,
		{Table: "other", Addr: addr("10.0.0.3")}:                                     other,
		{Table: "other", IPv6: true, Addr: addr("fe80::ff:fe00:3:4"), Dev: "vrrp.7"}: other,
	}
	expect := func() {
		t.Helper()
		got, err := kernel.List(h, state.FirewallKind)
		check(t, err)
		if !maps.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
	}
	var changes []kernel.Change
	for k, o := range want {
		changes = append(changes, kernel.Change{Key: k, Object: o})
	}
	for range 2 {
		for _, err := range h.Apply(changes) {
			check(t, err)
		}
		expect()
	}
	k := state.FirewallKey{Table: "keepalived", Addr: addr("10.0.0.4")}
	want[k] = entry
	check(t, kernel.Set(h, k, entry))
	expect()
	for k := range want { // one by one
		for range 2 {
			check(t, kernel.Delete(h, k))
		}
		delete(want, k)
		expect()
	}
}

// TestForeignTable checks that a table with the same name is left alone if it holds something that neither keepalived
// nor keepc makes, and that a table whose rules somebody changed is repaired.
func TestForeignTable(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "nft")
	h := lab.New(t).Host("lb01")
	k := open(t, h)
	rules := func() string { return h.Run("nft", "list", "ruleset") }

	h.Run("nft", "add table ip keepalived; add chain ip keepalived mine; add table ip6 keepalived; add set ip6 keepalived mine { type ipv6_addr; }")
	h.Run("nft", "add table inet keepalived; add counter inet keepalived mine")
	before := rules()
	six := state.FirewallKey{Table: "keepalived", IPv6: true, Addr: addr("2001:db8::3")}
	for _, key := range []state.FirewallKey{drop3, six} {
		if err := kernel.Set(k, key, state.Firewall{}); err == nil || !strings.Contains(err.Error(), "another program's: it has the ") {
			t.Errorf("set %s in a table of others: %v", key, err)
		}
		check(t, kernel.Delete(k, key))
	}
	if got := rules(); got != before {
		t.Errorf("the tables of others changed:\n%s\nbefore:\n%s", got, before)
	}
	h.Run("nft", "delete table ip keepalived")

	want := map[state.FirewallKey]state.Firewall{drop3: {Priority: -1}}
	check(t, kernel.Set(k, drop3, want[drop3]))
	good := rules()
	for _, harm := range []string{
		"flush chain ip keepalived in", "add rule ip keepalived in counter accept", "insert rule ip keepalived out accept",
		"chain ip keepalived in { policy drop; }", "flush table ip keepalived", "flush set ip keepalived vips", "delete table ip keepalived",
	} {
		h.Run("nft", harm)
		got, err := kernel.List(k, state.FirewallKind)
		check(t, err)
		if o, there := got[drop3]; there && o.Trouble == "" {
			t.Errorf("%s: nothing is said of it", harm)
		}
		check(t, kernel.Set(k, drop3, want[drop3]))
		if got := rules(); !strings.Contains(got, "10.0.0.3") || len(got) != len(good) {
			t.Errorf("%s: it became\n%s\nwant\n%s", harm, got, good)
		}
	}
}
