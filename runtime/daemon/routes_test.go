package daemon

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// TestRoutesFollowTheRole checks that routes and rules are added with the role, are restored with their interface, and
// are removed with the director.
func TestRoutesFollowTheRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		route := state.RouteKey{Table: ir.MainTable, Dst: netip.MustParsePrefix("10.8.0.0/16"), Protocol: ir.KeepalivedProtocol}
		rule := state.RuleKey{Priority: 300, From: route.Dst, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
		b := newBox("10.0.0.5", strings.Replace(first, "\tadvert_int 1\n",
			"\tadvert_int 1\n\tvirtual_routes {\n\t\t10.8.0.0/16 via 10.0.0.8\n\t}\n\tvirtual_rules {\n\t\tfrom 10.8.0.0/16 table 100 priority 300\n\t}\n", 1))
		there := func() (both bool) {
			t.Helper()
			routes, err := kernel.List(b.Fake, state.RouteKind)
			if err != nil {
				t.Fatal(err)
			}
			rules, err := kernel.List(b.Fake, state.RuleKind)
			if err != nil {
				t.Fatal(err)
			}
			_, one := routes[route]
			_, other := rules[rule]
			return one && other
		}
		b.start()
		after(time.Second)
		if there() {
			t.Error("a backup has the routes")
		}
		after(4 * time.Second)
		if !there() {
			t.Error("the master has no routes")
		}
		b.Down("eth0")
		after(time.Second)
		b.SetLink(kernel.Link{Name: "eth0", Index: 2, Up: true})
		after(5 * time.Second)
		if !there() {
			t.Error("the routes did not come back with the interface")
		}
		if err := kernel.Delete(b.Fake, route); err != nil {
			t.Fatal(err)
		}
		after(300 * time.Millisecond)
		if !there() || !b.said("was removed by someone else; added again") {
			t.Error("what somebody removed did not come back")
		}
		b.stop(t)
		if there() {
			t.Error("the routes outlive their director")
		}
	})
}
