package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/grammar/source"
)

// TestCasesAreBounded holds what all cases of a cluster cost: a usual one is played at all moments, one with 180 instances that advertise
// every 10 ms at fewer, and one that would take minutes not at all.
func TestCasesAreBounded(t *testing.T) {
	for _, c := range []struct {
		instances int
		interval  string
		links     int
		moments   int
	}{
		{1, "1", 1, MaxMoments},
		{100, "1", 2, MaxMoments},
		{180, "0.01", 1, 5},
		{180, "0.01", 5, 1},
		{3000, "0.1", 15, 0},
	} {
		var b strings.Builder
		for i := range c.instances {
			fmt.Fprintf(&b, "vrrp_instance v%d {\nversion 3\ninterface eth%d\nvirtual_router_id %d\nadvert_int %s\nvirtual_ipaddress {\n10.0.%d.%d/32\n}\n}\n",
				i, i%c.links, i/c.links%250+1, c.interval, i/250, i%250)
		}
		var nodes []Node
		for _, name := range []string{"lb1", "lb2"} {
			nodes = append(nodes, Node{name, compiler.Load(source.New(name, []byte(b.String())), compiler.Options{}).Config})
		}
		start := time.Now()
		cases, moments := newCluster(t, nodes...).Cases(Options{})
		t.Logf("%d instances every %s s on %d links: %d cases at %d moments; prepared in %v", c.instances, c.interval, c.links, len(cases), moments, time.Since(start).Round(time.Millisecond))
		if moments != c.moments || (len(cases) == 0) != (moments == 0) {
			t.Errorf("%d instances every %s s on %d links: %d cases at %d moments, want %d", c.instances, c.interval, c.links, len(cases), moments, c.moments)
		}
	}
}
