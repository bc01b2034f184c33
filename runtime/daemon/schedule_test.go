package daemon

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// TestSchedule reads the words of global_defs on a machine of four CPUs.
func TestSchedule(t *testing.T) {
	own, sender, first := kernel.Schedule{Nice: ownNice}, kernel.Schedule{Nice: ownNice, Realtime: ownPriority}, kernel.Schedule{Nice: firstNice}
	for _, c := range []struct {
		name   string
		global ir.Global
		want   schedule
		tells  string
	}{
		{"nothing", ir.Global{}, schedule{router: own, sender: sender, sessions: own}, ""},
		{"vrrp_priority -7: an ordinary thread", ir.Global{VRRPProcess: ir.Process{Priority: -7}}, schedule{router: kernel.Schedule{Nice: -7}, sender: kernel.Schedule{Nice: -7}, sessions: own}, ""},
		{"vrrp_rt_priority 20 is that of the sender", ir.Global{VRRPProcess: ir.Process{RTPriority: 20}},
			schedule{router: first, sender: kernel.Schedule{Nice: firstNice, Realtime: 20}, sessions: own}, ""},
		{"checker_rt_priority 3: no loop is real-time", ir.Global{CheckerProcess: ir.Process{RTPriority: 3}},
			schedule{router: own, sender: sender, sessions: own, balance: first}, ""},
		{"checker_priority and CPUs", ir.Global{CheckerProcess: ir.Process{Priority: 10, CPUAffinity: []string{"0", "3"}}},
			schedule{router: own, sender: sender, sessions: own, balance: kernel.Schedule{Nice: 10, CPUs: []int{0, 3}}}, ""},
		{"vrrp_cpu_affinity 0 7: all or none", ir.Global{VRRPProcess: ir.Process{CPUAffinity: []string{"0", "7"}}}, schedule{router: own, sender: sender, sessions: own},
			"vrrp_cpu_affinity: there is no CPU 7"},
		{"checker_no_swap", ir.Global{CheckerProcess: ir.Process{NoSwap: true}}, schedule{router: own, sender: sender, sessions: own, locked: true}, ""},
		{"bfd_rt_priority 4 and its CPUs", ir.Global{BFDProcess: ir.Process{RTPriority: 4, CPUAffinity: []string{"1"}}},
			schedule{router: own, sender: sender, sessions: kernel.Schedule{Nice: firstNice, CPUs: []int{1}}}, ""},
		{"bfd_priority, bfd_no_swap", ir.Global{BFDProcess: ir.Process{Priority: 7, NoSwap: true}}, schedule{router: own, sender: sender, sessions: kernel.Schedule{Nice: 7}, locked: true}, ""},
		{"max_auto_priority 10", ir.Global{MaxAutoPriority: 10, MinAutoPriorityDelay: time.Second}, schedule{router: own, sender: sender, sessions: own, late: time.Second, most: 10}, ""},
		{"max_auto_priority 10, vrrp_rt_priority 4", ir.Global{MaxAutoPriority: 10, MinAutoPriorityDelay: time.Second, VRRPProcess: ir.Process{RTPriority: 4}},
			schedule{router: first, sender: kernel.Schedule{Nice: firstNice, Realtime: 4}, sessions: own, late: time.Second, least: 4, most: 10}, ""},
		{"max_auto_priority 10, vrrp_rt_priority 20: nothing to raise", ir.Global{MaxAutoPriority: 10, MinAutoPriorityDelay: time.Second, VRRPProcess: ir.Process{RTPriority: 20}},
			schedule{router: first, sender: kernel.Schedule{Nice: firstNice, Realtime: 20}, sessions: own}, ""},
		{"max_auto_priority -1: never real-time", ir.Global{MaxAutoPriority: -1}, schedule{}, ""},
	} {
		var told []string
		got := newSchedule(&c.global, 4, func(keyword, text string) { told = append(told, keyword+": "+text) })
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if all := strings.Join(told, "\n"); !strings.HasPrefix(all, c.tells) || c.tells == "" && all != "" {
			t.Errorf("%s: tells %q, want %q", c.name, all, c.tells)
		}
	}
}
