package balance_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/track"
)

// edge is a service whose address is announced. Its one check follows a file.
func edge(a ir.Announcement, quorumAddress bool) *ir.Config {
	cfg := farm(1, 1)
	v := cfg.VirtualServers[0]
	cfg.TrackFiles = []*ir.TrackFile{{Name: "f"}}
	v.RealServers[0].Checks = []*ir.Check{{Checker: &ir.FileCheck{TrackFile: ir.Name{Text: "f"}, Weight: &ir.Weight{}}}}
	if quorumAddress {
		v.QuorumAddress = &ir.Address{Prefix: netip.PrefixFrom(v.Key.Addr, 32)}
	}
	a.Name.Text, a.Table, a.Addresses = "edge", 198, []ir.PlacedAddr{{Addr: v.Key.Addr}}
	cfg.Announcements = []*ir.Announcement{&a}
	return cfg
}

// TestAnnounce plays what happens to a director, one line each, with the stages that follow at once or after a time.
func TestAnnounce(t *testing.T) {
	drains := ir.Announcement{DrainTable: 199, Drain: 5 * time.Second}
	for _, c := range []struct {
		name   string
		with   ir.Announcement
		quorum bool // the address is added with the quorum
		play   string
	}{
		{"all is well", ir.Announcement{}, false, `
start:
served:
up: announced
down: withdrawn
up: announced`},
		{"the table is late", ir.Announcement{}, false, `
start:
up:
pending:
served: announced
pending:
refused: withdrawn
served: announced
none: withdrawn`},
		{"hold, before the first time", ir.Announcement{Hold: 10 * time.Second}, false, `
start:
served:
up:
wait 5s:
down:
wait 20s:
up:
wait 20s: +10s announced
down: withdrawn
up: announced`},
		{"an address that comes with the quorum is there before", ir.Announcement{}, true, `
start:
served:
up:
wait 1s: +100ms announced
down: withdrawn
up:
wait 1s: +100ms announced`},
		{"a drain and back", drains, false, `
start:
served:
up: announced
drain: moving
wait 10s: +200ms draining +5.2s withdrawn
enable: announced
drain: moving
enable:
wait 10s: +200ms announced
drain: moving
wait 1s: +200ms draining
enable: moving
wait 10s: +200ms announced`},
		{"a drain without a table", ir.Announcement{Drain: 5 * time.Second}, false, `
start:
served:
up: announced
drain: withdrawn
down:
up:
enable: announced`},
		{"drained before it is well", drains, false, `
start:
drain:
served:
up:
wait 10s:
enable: announced`},
		{"the quorum is lost during a drain", drains, false, `
start:
served:
up: announced
drain: moving
down: withdrawn
up:
wait 10s:`},
		{"a stop", drains, false, `
start:
served:
up: announced
leave: moving
wait 10s: +200ms draining +5.2s withdrawn`},
		{"a reload", ir.Announcement{Hold: time.Second}, false, `
start:
served:
up:
wait 2s: +1s announced
reload:
wait 2s:`},
		{"a reload brings an address before its service", ir.Announcement{}, false, `
start:
served:
up: announced
more:
served: announced`},
		{"a drain ends with what it names", ir.Announcement{}, false, `
start:
served:
up: announced
drain: withdrawn
rename: announced
reload:`},
		{"the next configuration has no service at it", drains, false, `
start:
served:
up: announced
retire without service: moving
wait 10s: +200ms draining +5.2s withdrawn
swap without service:
reload: announced`},
		{"the next configuration does not announce it", ir.Announcement{}, false, `
start:
served:
up: announced
retire without announcement: withdrawn
swap without announcement:
reload: announced`},
		{"the next configuration keeps it", drains, false, `
start:
served:
up: announced
retire with all:
wait 10s:
swap with all:`},
		{"the next configuration comes back to it", drains, false, `
start:
served:
up: announced
retire without service: moving
wait 1s: +200ms draining
retire with all: moving
wait 1s: +200ms announced`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &announcer{cfg: edge(c.with, c.quorum)}
			for line := range strings.Lines(strings.TrimPrefix(c.play, "\n")) {
				line = strings.TrimSpace(line)
				event, _, _ := strings.Cut(line, ":")
				if got := strings.TrimSpace(event + ": " + strings.Join(p.play(event), " ")); got != line {
					t.Fatalf("got  %s\nwant %s", got, line)
				}
			}
		})
	}
}

// An announcer is a machine with its clock.
type announcer struct {
	cfg *ir.Config
	m   *balance.Machine
	now time.Time
}

// play gives the machine an event, or lets time pass, and returns the stages.
func (p *announcer) play(event string) (stages []string) {
	begin := p.now
	step := func(ev balance.Event) {
		for _, f := range p.m.Step(p.now, ev) {
			if f, ok := f.(balance.AnnouncementChanged); ok {
				text := f.Stage.String()
				if d := p.now.Sub(begin); d > 0 {
					text = fmt.Sprintf("+%v %s", d, text)
				}
				stages = append(stages, text)
			}
		}
	}
	key := p.cfg.VirtualServers[0].Key
	switch name, length, _ := strings.Cut(event, " "); name {
	case "start":
		p.now = epoch
		p.m = balance.New(p.now, balance.Prepare(p.cfg, balance.Start(0)))
	case "served":
		step(balance.Enforced{})
	case "pending":
		step(balance.Enforced{Missing: map[ir.ServiceKey]bool{key: false}})
	case "refused":
		step(balance.Enforced{Missing: map[ir.ServiceKey]bool{key: true}})
	case "none":
		step(balance.Enforced{None: true})
	case "up":
		step(balance.FileSeen{File: track.OfFile(p.cfg.TrackFiles[0])})
	case "down":
		step(balance.FileSeen{File: track.OfFile(p.cfg.TrackFiles[0]), Value: 1})
	case "drain":
		step(balance.Drain{Name: "edge"})
	case "enable":
		step(balance.Drain{End: true})
	case "leave":
		step(balance.Leave{})
	case "reload":
		step(balance.Swap{Next: balance.Prepare(p.cfg, p.m.Current())})
	case "more":
		more := edge(*p.cfg.Announcements[0], false)
		v := *more.VirtualServers[0]
		v.Key.Addr = v.Key.Addr.Next()
		r := *v.RealServers[0]
		r.Checks = nil
		v.RealServers = []*ir.RealServer{&r}
		more.VirtualServers = append(more.VirtualServers, &v)
		more.Announcements[0].Addresses = append(more.Announcements[0].Addresses, ir.PlacedAddr{Addr: v.Key.Addr})
		step(balance.Swap{Next: balance.Prepare(more, p.m.Current())})
	case "retire", "swap":
		other := *p.cfg
		switch length {
		case "without service":
			other.VirtualServers = nil
		case "without announcement":
			other.Announcements = nil
		}
		next := balance.Prepare(&other, p.m.Current())
		if name == "swap" {
			step(balance.Swap{Next: next})
			break
		}
		announced := !p.m.Silent()
		if gone := announced && length != "with all"; p.m.Retires(next) != gone {
			stages = append(stages, fmt.Sprintf("Retires: %v", !gone))
		}
		step(balance.Retire{Next: next})
		if p.m.Retired() != (p.m.Silent() || length == "with all") {
			stages = append(stages, fmt.Sprintf("Retired: %v", p.m.Retired()))
		}
	case "rename":
		other := *p.cfg
		a := *p.cfg.Announcements[0]
		a.Name.Text = "other"
		other.Announcements = []*ir.Announcement{&a}
		step(balance.Swap{Next: balance.Prepare(&other, p.m.Current())})
	case "wait":
		d, _ := time.ParseDuration(length)
		for {
			at, some := p.m.Deadline()
			if !some || at.Sub(begin) > d {
				break
			}
			p.now = at
			step(balance.Tick{})
		}
		p.now = begin.Add(d)
	}
	return stages
}
