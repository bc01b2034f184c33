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
	own := kernel.Schedule{Nice: ownNice}
	for _, c := range []struct {
		name   string
		global ir.Global
		want   schedule
		tells  string
	}{
		{"nothing", ir.Global{}, schedule{router: own, sessions: own}, ""},
		{"vrrp_priority -7: an ordinary thread", ir.Global{VRRPProcess: ir.Process{Priority: -7}}, schedule{router: kernel.Schedule{Nice: -7}, sessions: own}, ""},
		{"vrrp_rt_priority 20", ir.Global{VRRPProcess: ir.Process{RTPriority: 20, RLimitRTTime: 10 * time.Millisecond}},
			schedule{router: kernel.Schedule{Realtime: 20}, sessions: own, limit: 5 * time.Millisecond}, ""},
		{"vrrp_rlimit_rttime alone", ir.Global{VRRPProcess: ir.Process{RLimitRTTime: 10 * time.Millisecond}}, schedule{router: own, sessions: own}, ""},
		{"checker_rt_priority 3", ir.Global{CheckerProcess: ir.Process{RTPriority: 3, RLimitRTTime: 50 * time.Millisecond}},
			schedule{router: own, sessions: own, balance: kernel.Schedule{Realtime: 3}, limit: 25 * time.Millisecond}, ""},
		{"checker_priority and CPUs", ir.Global{CheckerProcess: ir.Process{Priority: 10, CPUAffinity: []string{"0", "3"}}},
			schedule{router: own, sessions: own, balance: kernel.Schedule{Nice: 10, CPUs: []int{0, 3}}}, ""},
		{"vrrp_cpu_affinity 0 7: all or none", ir.Global{VRRPProcess: ir.Process{CPUAffinity: []string{"0", "7"}}}, schedule{router: own, sessions: own},
			"vrrp_cpu_affinity: there is no CPU 7"},
		{"checker_no_swap", ir.Global{CheckerProcess: ir.Process{NoSwap: true}}, schedule{router: own, sessions: own, locked: true}, ""},
		{"bfd_rt_priority 4, its CPUs and bfd_rlimit_rttime", ir.Global{BFDProcess: ir.Process{RTPriority: 4, CPUAffinity: []string{"1"}, RLimitRTTime: 20 * time.Millisecond}},
			schedule{router: own, sessions: kernel.Schedule{Realtime: 4, CPUs: []int{1}}, limit: 10 * time.Millisecond}, ""},
		{"bfd_priority, bfd_no_swap", ir.Global{BFDProcess: ir.Process{Priority: 7, NoSwap: true}}, schedule{router: own, sessions: kernel.Schedule{Nice: 7}, locked: true}, ""},
		{"max_auto_priority 10", ir.Global{MaxAutoPriority: 10, MinAutoPriorityDelay: time.Second}, schedule{router: own, sessions: own, late: time.Second, most: 10}, ""},
		{"max_auto_priority -1: never real-time", ir.Global{MaxAutoPriority: -1}, schedule{}, ""},
	} {
		if c.want.sender = c.want.router; c.want.router.Nice == ownNice {
			c.want.sender.Realtime = ownPriority
		}
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
