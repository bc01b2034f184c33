package router_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keepc/compiler"
	"keepc/compiler/diff"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/router"
)

// TestDiffAgreesWithReload makes random edits of random files, and compares what diff says about every instance and
// real server with what a director does on getting the new file, while it is MASTER with everything tracked well and
// some servers down.
func TestDiffAgreesWithReload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := drawFile(t)
		now := old.edit(t)
		before, after := compileSide(old.String()), compileSide(now.String())
		if same := diff.Compare(before, compileSide(old.String()), diff.Master); !report.NewDirectorDiff("", "", "", "", same).Empty() {
			t.Fatalf("a file differs from itself: %v\n%s", same, old)
		}
		d := diff.Compare(before, after, diff.Master)
		down := rapid.SliceOfDistinct(rapid.SampledFrom(hosts), rapid.ID[string]).Draw(t, "down")

		r, control := start(before.Config, down), start(before.Config, down)
		was, stood := r.e.Situation(), r.e.Want()
		effects := r.e.Step(r.now, reload{after.Config})
		is, stands := r.e.Situation(), r.e.Want()
		// The checks that start in the next minutes show which ones continue as if nothing had happened.
		later, undisturbed := r.probes(3*time.Minute), control.probes(3*time.Minute)

		fail := func(what string, v any, why string) {
			t.Fatalf("%s: %s, but %s\nold:\n%s\nnew:\n%s\neffects: %v", what, v, why, old, now, effects)
		}
		for _, i := range d.Instances {
			_, wasMaster := was.Master[i.Key]
			_, isMaster := is.Master[i.Key]
			told := touches(effects, i.Key)
			switch i.Verdict {
			case diff.Untouched:
				if told || !isMaster {
					fail(i.Name, i.Verdict, "the reload has effects on it")
				}
			case diff.Retuned, diff.Addresses:
				if !wasMaster || !isMaster {
					fail(i.Name, i.Verdict, "it lost its role")
				}
				if moved := !maps.Equal(held(before.Config, stood, i.Key), held(after.Config, stands, i.Key)); moved != (i.Verdict == diff.Addresses) {
					fail(i.Name, i.Verdict, fmt.Sprint("its addresses changed: ", moved))
				}
			case diff.Election:
				if wasMaster && isMaster {
					fail(i.Name, i.Verdict, "it keeps its role")
				}
			case diff.Restart:
				fail(i.Name, i.Verdict, "nothing asks for that")
			}
		}
		if got, want := len(d.Instances) > 0, len(before.Config.Instances)+len(after.Config.Instances) > 0; got != want {
			fail("instances", d.Instances, "there are some")
		}
		for _, s := range d.Servers {
			_, has := stands.Destinations[s.Key]
			wasDown, isDown := was.Down[s.Key] != "", is.Down[s.Key] != ""
			switch s.Verdict {
			case diff.Kept:
				if was.Down[s.Key] != is.Down[s.Key] {
					fail(s.Key.String(), s.Verdict, "its standing changed")
				}
				if !maps.Equal(later[s.Key], undisturbed[s.Key]) {
					fail(s.Key.String(), s.Verdict, fmt.Sprint("its checks do not go on: ", later[s.Key], " not ", undisturbed[s.Key]))
				}
			case diff.Rechecked:
				if wasDown != isDown && !strings.Contains(s.Reason, "counts as up") && !strings.Contains(s.Reason, "the others decide") {
					fail(s.Key.String(), s.Verdict, "its standing changed")
				}
				if maps.Equal(later[s.Key], undisturbed[s.Key]) {
					fail(s.Key.String(), s.Verdict, "its checks go on")
				}
			case diff.Drained:
				if x, ok := stands.Destinations[s.Key]; ok && x.Weight != 0 {
					fail(s.Key.String(), s.Verdict, "it has a weight")
				}
			case diff.Removed:
				if has || isDown {
					fail(s.Key.String(), s.Verdict, "it is there")
				}
			case diff.Added:
				if isDown != strings.Contains(s.Reason, "alpha") {
					fail(s.Key.String(), s.Verdict, s.Reason)
				}
			}
		}
		if n := len(stands.Destinations) + len(stood.Destinations); n > 0 && len(d.Servers) == 0 {
			fail("servers", d.Servers, "there are some")
		}
	})
}

// touches reports whether effects concern an instance.
func touches(effects []any, key ir.InstanceKey) bool {
	return slices.ContainsFunc(effects, func(f any) bool {
		switch f := f.(type) {
		case router.RoleChanged:
			return f.Instance == key
		case router.Announce:
			return f.Instance == key
		case router.PriorityChanged:
			return f.Instance == key
		}
		return false
	})
}

// held is what an instance has in a kernel and sends.
func held(cfg *ir.Config, s state.State, key ir.InstanceKey) map[string]bool {
	m := map[string]bool{}
	for _, v := range cfg.Instances {
		if v.Key() != key {
			continue
		}
		for _, a := range v.Addresses {
			x := s.Addresses[state.AddressKey{Dev: a.Dev, Prefix: a.Prefix}]
			m[fmt.Sprint(a.Dev, a.Prefix, a.Excluded, x.Label)] = true
		}
	}
	return m
}

// A runner lets time pass for a director, and gives probes their results.
type runner struct {
	e    *director
	now  time.Time
	down []string
}

// start runs a director until it is MASTER and has checked everything.
func start(cfg *ir.Config, down []string) *runner {
	r := &runner{now: time.Unix(0, 0), down: down}
	r.e = newDirector(r.now, cfg, 0)
	for i, name := range []string{"eth0", "eth1"} {
		own := netip.AddrFrom4([4]byte{169, 254, 0, byte(i + 1)})
		r.e.Step(r.now, router.LinkChanged{Name: name, Present: true, Up: true, Addrs: []netip.Addr{own}})
	}
	r.probes(3 * time.Minute)
	return r
}

// probes lets time pass and returns when which checks were made.
func (r *runner) probes(d time.Duration) map[state.DestinationKey]map[string]bool {
	made := map[state.DestinationKey]map[string]bool{}
	end := r.now.Add(d)
	for {
		at, ok := r.e.Deadline()
		if !ok || at.After(end) {
			r.now = end
			return made
		}
		r.now = at
		for _, f := range r.e.Step(at, tick{}) {
			if run, ok := f.(router.StartScript); ok {
				r.e.Step(at, router.ScriptDone{ID: run.ID})
			}
			p, ok := f.(balance.StartProbe)
			if !ok {
				continue
			}
			k := p.Server
			if made[k] == nil {
				made[k] = map[string]bool{}
			}
			made[k][fmt.Sprint(at.Unix(), at.Nanosecond(), p.Check.Keyword(), p.Check.Connection, p.Check.CheckTiming, p.Check.Alpha)] = true
			cause := ""
			if slices.Contains(r.down, k.Server.Addr().String()) {
				cause = "refused"
			}
			r.e.Step(at, balance.ProbeDone{ID: p.ID, Result: health.Outcome(cause)})
		}
	}
}

func compileSide(text string) diff.Side {
	u := compiler.Load(source.New("x.conf", []byte(text)), compiler.Options{})
	return diff.Side{File: u.Tree, Config: u.Config}
}

var hosts = []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}

// A file is a small configuration that can be edited.
type file struct {
	script    map[string]string // vrrp_script chk
	instances []instance
	services  []service
}

type instance struct {
	name, dev     string
	vrid          int
	lines         map[string]string
	held, outside []string // addresses, excluded ones
}

type service struct {
	port    int
	lines   map[string]string
	servers []server
}

type server struct {
	host   string
	lines  map[string]string
	checks []map[string]string
	script bool // has a MISC_CHECK, which is not made
}

func drawFile(t *rapid.T) *file {
	f := &file{script: drawLines(t, scriptLines)}
	for n := range rapid.IntRange(0, 3).Draw(t, "instances") {
		v := instance{name: fmt.Sprint("VI_", n), dev: "eth0", vrid: n + 1, lines: drawLines(t, instanceLines), held: []string{fmt.Sprintf("192.0.2.%d/24", 10*(n+1))}}
		f.instances = append(f.instances, v)
	}
	for n := range rapid.IntRange(0, 2).Draw(t, "services") {
		s := service{port: 80 + n, lines: drawLines(t, serviceLines)}
		for _, h := range rapid.SliceOfDistinct(rapid.SampledFrom(hosts), rapid.ID[string]).Draw(t, "servers") {
			s.servers = append(s.servers, drawServer(t, h))
		}
		f.services = append(f.services, s)
	}
	return f
}

func drawServer(t *rapid.T, host string) server {
	x := server{host: host, lines: drawLines(t, serverLines), script: rapid.Bool().Draw(t, "script")}
	for range rapid.IntRange(0, 2).Draw(t, "checks") {
		x.checks = append(x.checks, drawLines(t, checkLines))
	}
	return x
}

var (
	instanceLines = map[string][]string{
		"priority": {"100", "150", "255"}, "state": {"BACKUP", "MASTER"}, "advert_int": {"1", "2"}, "nopreempt": {""},
		"preempt_delay": {"5"}, "garp_master_refresh": {"60"}, "version": {"2", "3"}, "mcast_src_ip": {"169.254.0.9"},
		"notify_master": {"/bin/true"}, "track_script": {"{\n        chk weight -5\n    }", "{\n        chk\n    }"},
	}
	scriptLines  = map[string][]string{"weight": {"-3", "10"}, "interval": {"2"}, "fall": {"2"}, "init_fail": {""}}
	serviceLines = map[string][]string{"delay_loop": {"5", "7"}, "quorum": {"1", "2"}, "lb_algo": {"rr", "wlc"}, "persistence_timeout": {"50"}, "retry": {"2"}}
	serverLines  = map[string][]string{"weight": {"0", "1", "3"}, "alpha": {""}, "inhibit_on_failure": {""}, "delay_loop": {"4"}, "uthreshold": {"9"}}
	checkLines   = map[string][]string{"connect_port": {"81", "82"}, "connect_timeout": {"2", "3"}, "retry": {"3"}, "warmup": {"0", "1"}}
)

func drawLines(t *rapid.T, of map[string][]string) map[string]string {
	lines := map[string]string{}
	for _, word := range rapid.SliceOfDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(of))), rapid.ID[string]).Draw(t, "words") {
		lines[word] = rapid.SampledFrom(of[word]).Draw(t, word)
	}
	return lines
}

// edit returns the file after some edits.
func (f *file) edit(t *rapid.T) *file {
	g := &file{script: maps.Clone(f.script)}
	if rapid.IntRange(0, 3).Draw(t, "edit of the script") == 0 {
		g.script = drawLines(t, scriptLines)
	}
	for _, v := range f.instances {
		v.lines, v.held, v.outside = maps.Clone(v.lines), slices.Clone(v.held), slices.Clone(v.outside)
		switch rapid.IntRange(0, 9).Draw(t, "edit of an instance") {
		case 0:
			continue
		case 1:
			v.name += "x"
		case 2:
			v.dev = "eth1"
		case 3:
			v.vrid += 10
		case 4:
			v.held = append(v.held, fmt.Sprintf("198.51.100.%d/32", v.vrid))
		case 5:
			v.held[0] += " label eth0:9"
		case 6:
			v.outside = append(v.outside, fmt.Sprintf("198.51.100.%d/32", v.vrid))
		case 7:
			v.lines = drawLines(t, instanceLines)
		}
		g.instances = append(g.instances, v)
	}
	if n := len(g.instances); n > 1 && rapid.Bool().Draw(t, "an address moves") {
		g.instances[n-1].held = append(g.instances[n-1].held, g.instances[0].held...)
		g.instances[0].held = []string{"203.0.113.7/32"}
	}
	for _, s := range f.services {
		s.lines = maps.Clone(s.lines)
		var kept []server
		for _, x := range s.servers {
			switch rapid.IntRange(0, 6).Draw(t, "edit of a server") {
			case 0:
				continue
			case 1:
				x.lines = drawLines(t, serverLines)
			case 2:
				x.checks = append(slices.Clone(x.checks), drawLines(t, checkLines))
			case 3:
				x.checks = nil
			case 4:
				x.script = !x.script
			}
			kept = append(kept, x)
		}
		s.servers = kept
		switch rapid.IntRange(0, 5).Draw(t, "edit of a service") {
		case 0:
			s.lines = drawLines(t, serviceLines)
		case 1:
			s.port += 100
		case 2:
			s.servers = append(s.servers, drawServer(t, "10.0.0.9"))
		}
		g.services = append(g.services, s)
	}
	return g
}

func (f *file) String() string {
	var b strings.Builder
	block := func(indent, head string, lines map[string]string, rest func()) {
		fmt.Fprintf(&b, "%s%s {\n", indent, head)
		for _, word := range slices.Sorted(maps.Keys(lines)) {
			fmt.Fprintf(&b, "%s    %s %s\n", indent, word, lines[word])
		}
		rest()
		fmt.Fprintf(&b, "%s}\n", indent)
	}
	list := func(word string, entries []string) {
		if len(entries) > 0 {
			fmt.Fprintf(&b, "    %s {\n        %s\n    }\n", word, strings.Join(entries, "\n        "))
		}
	}
	block("", "vrrp_script chk", f.script, func() { b.WriteString("    script /bin/chk\n") })
	for _, v := range f.instances {
		block("", "vrrp_instance "+v.name, v.lines, func() {
			fmt.Fprintf(&b, "    interface %s\n    virtual_router_id %d\n", v.dev, v.vrid)
			list("virtual_ipaddress", v.held)
			list("virtual_ipaddress_excluded", v.outside)
		})
	}
	for _, s := range f.services {
		block("", fmt.Sprint("virtual_server 192.0.2.10 ", s.port), s.lines, func() {
			b.WriteString("    lb_kind NAT\n    protocol TCP\n")
			for _, x := range s.servers {
				block("    ", "real_server "+x.host+" 80", x.lines, func() {
					for _, c := range x.checks {
						block("        ", "TCP_CHECK", c, func() {})
					}
					if x.script {
						block("        ", "MISC_CHECK", map[string]string{"misc_path": "/bin/true"}, func() {})
					}
				})
			}
		})
	}
	return b.String()
}
