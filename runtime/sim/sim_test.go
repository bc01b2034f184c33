package sim

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler/ir"
)

// group is a configuration with some instances, which share no address.
func group(instances int, priority uint8) *ir.Config {
	cfg := &ir.Config{}
	for i := range instances {
		cfg.Instances = append(cfg.Instances, &ir.VRRPInstance{
			Name: fmt.Sprintf("VI_%d", i+1), Interface: "eth0", VRID: uint8(i + 1), Priority: priority, Version: 2, AdvertInterval: time.Second,
			DownTimerAdverts: 3, GARPMasterDelay: 5 * time.Second, GARPMasterRepeat: 5, GARPLowerPrioRepeat: 5, GARPLowerPrioDelay: 5 * time.Second,
			Addresses: []ir.Address{{Dev: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 24)}},
		})
	}
	return cfg
}

func newCluster(t testing.TB, nodes ...Node) *Cluster {
	t.Helper()
	c, err := NewCluster(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parse(t testing.TB, c *Cluster, text string) Script {
	t.Helper()
	s, found := Parse(text, c, nil)
	if len(found) > 0 {
		t.Fatal(found)
	}
	return s
}

// BenchmarkHour plays one virtual hour of three nodes with 50 instances each, and a failure or repair of each node
// every minute in turn. The goal is less than two seconds.
func BenchmarkHour(b *testing.B) {
	c := newCluster(b, Node{"lb1", group(50, 200)}, Node{"lb2", group(50, 150)}, Node{"lb3", group(50, 100)})
	var text strings.Builder
	for m := 0; m < 60; m += 6 {
		for i := range 3 {
			fmt.Fprintf(&text, "at %dm kill lb%d\nat %dm start lb%d\n", m+2*i, i+1, m+2*i+1, i+1)
		}
	}
	text.WriteString("at 1h end\n")
	s := parse(b, c, text.String())
	b.ReportAllocs()
	for b.Loop() {
		if r := Play(c, s, Options{Seed: 1}); r.End != time.Hour {
			b.Fatal(r.End)
		}
	}
}

// drawScript makes up some deeds, after which everything is repaired and each address is expected to have one holder.
func drawScript(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(0, 12).Draw(t, "deeds") {
		deed := rapid.SampledFrom([]string{
			"kill lb1", "kill lb2", "kill all", "crash lb1", "crash lb3", "stop lb2", "stop all", "start lb1", "start lb2", "start all", "reboot lb1",
			"pause lb1", "pause lb2", "resume lb1", "resume all", "down lb1 eth0", "down lb3 eth0", "up lb1 eth0", "cut lb1", "cut all", "cut lb1 to lb2",
			"cut all to lb3", "heal lb1", "heal all",
		}).Draw(t, "deed")
		fmt.Fprintf(&b, "after %dms %s\n", rapid.IntRange(0, 6000).Draw(t, "wait"), deed)
	}
	b.WriteString("after 31s heal all; up all eth0; resume all; start all\nafter 10s expect no gap; expect no overlap; after 20s end\n")
	return b.String()
}

// TestOneHolderInTheEnd checks that once everything is repaired, every address gets exactly one holder, whatever
// happened before.
func TestOneHolderInTheEnd(t *testing.T) {
	c := newCluster(t, Node{"lb1", group(3, 150)}, Node{"lb2", group(3, 100)}, Node{"lb3", group(3, 50)})
	rapid.Check(t, func(t *rapid.T) {
		s, found := Parse(drawScript(t), c, nil)
		if len(found) > 0 {
			t.Fatal(found)
		}
		r := Play(c, s, Options{Jitter: time.Millisecond, Seed: rapid.Uint64().Draw(t, "seed")})
		if len(r.Failed) > 0 {
			t.Fatalf("%v\n%v", r.Failed, r.Trace)
		}
	})
}

// TestDeterministic checks that equal arguments give equal bytes; randomness comes only from the seed.
func TestDeterministic(t *testing.T) {
	c := newCluster(t, Node{"lb1", group(3, 150)}, Node{"lb2", group(3, 100)}, Node{"lb3", group(3, 50)})
	rapid.Check(t, func(t *rapid.T) {
		s, found := Parse(drawScript(t), c, nil)
		if len(found) > 0 {
			t.Fatal(found)
		}
		o := Options{Loss: 0.3, Delay: time.Millisecond, Jitter: 400 * time.Millisecond, Seed: rapid.Uint64().Draw(t, "seed"), Packets: true}
		var first, again bytes.Buffer
		for _, b := range []*bytes.Buffer{&first, &again} {
			if err := c.JSON(b, Play(c, s, o)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first.Bytes(), again.Bytes()) {
			t.Fatal(firstDifference(first.String(), again.String()))
		}
	})
}

func TestSeedDecides(t *testing.T) {
	c := twoNodes(t)
	s := parse(t, c, "at 5m end")
	trace := func(seed uint64, loss float64) string {
		return fmt.Sprint(Play(c, s, Options{Loss: loss, Seed: seed}).Trace)
	}
	if trace(1, 0.5) == trace(2, 0.5) {
		t.Error("two seeds lose the same packets")
	}
	if trace(1, 0) != trace(2, 0) {
		t.Error("the seed decides where there is no chance")
	}
	if quiet := trace(1, 1); strings.Count(quiet, "MASTER") != 4 {
		t.Errorf("all is lost, so all are master for good: %s", quiet)
	}
}
