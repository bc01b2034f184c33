package report

import (
	"strings"
	"testing"

	"keepc/compiler/ir"
)

// TestNeedRestart checks that settings which a daemon keeps until it ends are compared with those it started with.
func TestNeedRestart(t *testing.T) {
	m := NewPlan("lb01.conf", "eth0 (up), 1 instance.", nil)
	m.NeedRestart(
		map[string]string{"net_namespace": "edge", "global_defs.dynamic_interfaces": "", "instance": "one"},
		[]ir.StartSetting{{Path: "net_namespace", Value: "core"}, {Path: "instance", Value: "one"}, {Path: "global_defs.nftables"}},
	)
	var b strings.Builder
	if err := PlanScreen(&b, m, false, false, true); err != nil {
		t.Fatal(err)
	}
	const want = `eth0 (up), 1 instance.

  ! net_namespace edge -> core: takes effect only after a restart
  ! global_defs.nftables none -> on: takes effect only after a restart
  ! global_defs.dynamic_interfaces on -> none: takes effect only after a restart

! needs a restart

Plan: 0 to add, 0 to change, 0 to remove. 3 need a restart.
`
	if b.String() != want {
		t.Errorf("got\n%s", &b)
	}
}
