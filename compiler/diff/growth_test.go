package diff_test

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/diff"
	"keepc/compiler/report"
)

// farm is a file with a number of services of 20 servers each, and as many instances in one group, half of them with
// different addresses.
func farm(services, weight, shift int) []byte {
	var b strings.Builder
	b.WriteString("vrrp_script chk {\n script /bin/true\n}\nvrrp_sync_group G {\n group {\n")
	for i := range services {
		fmt.Fprintf(&b, "  V%d\n", i)
	}
	b.WriteString(" }\n}\n")
	for i := range services {
		fmt.Fprintf(&b, "vrrp_instance V%d {\n interface eth%d\n virtual_router_id %d\n priority %d\n track_script {\n  chk\n }\n virtual_ipaddress {\n  10.9.%d.%d/24\n }\n}\n",
			i, i/250, i%250+1, weight, (i+i%2*shift)/250, (i+i%2*shift)%250)
		fmt.Fprintf(&b, "virtual_server 10.0.%d.%d 80 {\n lb_kind NAT\n", i/250, i%250)
		for j := range 20 {
			fmt.Fprintf(&b, " real_server 10.1.%d.%d 80 {\n  weight %d\n  TCP_CHECK {\n  }\n }\n", i%250, j, weight)
		}
		b.WriteString("}\n")
	}
	return []byte(b.String())
}

// TestGrowth checks that the time of a diff grows about as the size of the files: four times the size may take at most
// nine times as long. Other work of the machine does not count.
func TestGrowth(t *testing.T) {
	took := func(services int) time.Duration {
		before, _ := read(farm(services, 100, 0), "/")
		after, _ := read(farm(services, 90, 1), "/")
		best := time.Hour
		for range 3 {
			start := computed(t)
			m := report.NewDirectorDiff("", "", "", "", diff.Compare(before, after, diff.Master))
			if err := report.DiffScreen(io.Discard, report.Diff{Directors: []report.DirectorDiff{m}}, false, true); err != nil {
				t.Fatal(err)
			}
			if want := services*22 + services/2; m.Summary.Change+m.Summary.Settings+m.Summary.Add < want-services*2 {
				t.Fatalf("%d services: %+v", services, m.Summary)
			}
			best = min(best, computed(t)-start)
		}
		return best
	}
	took(1) // this builds the table of keywords
	small, large := took(25), took(100)
	t.Logf("25 services of 20 servers take %v, 100 take %v", small, large)
	if large > 9*small {
		t.Errorf("25 services of 20 servers take %v, 100 take %v: %.0f times as long", small, large, float64(large)/float64(small))
	}
}

// computed is the CPU time of this process so far.
func computed(t *testing.T) time.Duration {
	t.Helper()
	var self syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &self); err != nil {
		t.Fatal(err)
	}
	return time.Duration(self.Utime.Nano() + self.Stime.Nano())
}
