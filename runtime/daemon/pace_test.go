package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// paced lists what is sent and when, for bursts that exist at the start.
func paced(p *pacer, start time.Time) (all []string) {
	for now := start; ; {
		a, due, at := p.take(now)
		switch {
		case due:
			all = append(all, fmt.Sprintf("%v %s %v", now.Sub(start), a.Dev, a.Prefix.Addr()))
		case at.IsZero():
			return all
		default:
			now = at
		}
	}
}

func at(dev, prefix string) state.AddressKey {
	return state.AddressKey{Dev: dev, Prefix: netip.MustParsePrefix(prefix)}
}

// TestPacer checks that each round announces every address once. keepalived 2.2.7 was seen to send the first rounds at
// these times too, and of the second only 192.0.2.11.
func TestPacer(t *testing.T) {
	cfg := &ir.Config{
		GARPGroups: []*ir.GARPGroup{{GARPInterval: 300 * time.Millisecond, GNAInterval: 150 * time.Millisecond, Interfaces: []ir.Name{{Text: "eth2"}, {Text: "eth3"}}}},
		Instances:  []*ir.VRRPInstance{{Links: []ir.VirtualLink{{Name: "vrrp.51", Base: "eth0"}}}},
	}
	cfg.Global.GARPInterval, cfg.Global.GNAInterval = 100*time.Millisecond, 200*time.Millisecond
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		name   string
		bursts []state.AddressKey
		want   string
	}{
		{
			"an interface, and a virtual one on it", []state.AddressKey{at("eth0", "192.0.2.11/24"), at("vrrp.51", "192.0.2.12/24")},
			"0s eth0 192.0.2.11, 100ms vrrp.51 192.0.2.12, 200ms eth0 192.0.2.11, 300ms vrrp.51 192.0.2.12",
		},
		{
			"both families", []state.AddressKey{at("eth0", "2001:db8::14/64"), at("eth0", "2001:db8::15/64")},
			"0s eth0 2001:db8::14, 200ms eth0 2001:db8::15, 400ms eth0 2001:db8::14, 600ms eth0 2001:db8::15",
		},
		{
			"a group", []state.AddressKey{at("eth2", "198.51.100.31/24"), at("eth3", "198.51.100.32/24")},
			"0s eth2 198.51.100.31, 300ms eth3 198.51.100.32, 600ms eth2 198.51.100.31, 900ms eth3 198.51.100.32",
		},
		{
			"a group, IPv6", []state.AddressKey{at("eth3", "2001:db8::1/64")},
			"0s eth3 2001:db8::1, 150ms eth3 2001:db8::1",
		},
	} {
		var p pacer
		p.configure(cfg)
		for _, a := range c.bursts {
			p.add(a, 2)
		}
		if got := strings.Join(paced(&p, start), ", "); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}

	var p pacer // without intervals, all at once
	a, b := at("eth0", "192.0.2.1/24"), at("eth0", "192.0.2.2/24")
	p.held = true
	p.add(a, 3)
	first, _, _ := p.take(start)
	if _, due, _ := p.take(start); first != a || due {
		t.Error("the second round does not wait for the addresses that are being added")
	}
	p.held = false
	p.add(b, 3)
	if got := paced(&p, start); !slices.Equal(got, []string{"0s eth0 192.0.2.2", "0s eth0 192.0.2.1", "0s eth0 192.0.2.2", "0s eth0 192.0.2.1", "0s eth0 192.0.2.2"}) {
		t.Errorf("rounds: %v", got)
	}

	p.configure(cfg)
	p.add(a, 5)
	p.add(b, 5)
	p.take(start)
	p.add(a, 5) // a burst while another one waits
	p.keep(func(k state.AddressKey) bool { return k == a })
	if got := paced(&p, start); len(got) != 5 || got[0] != "100ms eth0 192.0.2.1" {
		t.Errorf("after another burst, and without an address that is not wanted: %v", got)
	}
	p.add(a, 2)
	p.take(start.Add(time.Hour))
	p.configure(&ir.Config{})
	if got := paced(&p, start.Add(time.Hour)); len(got) != 1 {
		t.Errorf("after a reload: %v", got)
	}
}
