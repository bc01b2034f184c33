package main

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
	"keepc/runtime/sim"
)

// TestRollouts plays the rollouts that diff finds in testdata/diff with real daemons, keepc and keepalived, each by
// its rules, and checks that every address is where the rehearsal has it after each step; and nowhere twice in a
// rollout that is said to be safe.
func TestRollouts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	lab.NeedPrograms(t, "keepalived")
	n := lab.New(t)
	var all []*realRollout
	for _, name := range []string{"address", "remove", "interval-2", "interval-3", "password", "swap"} {
		for _, p := range []program{keepc, keepalived} {
			all = append(all, newRealRollouts(t, n, name, p, len(all))...)
		}
	}
	var wg sync.WaitGroup
	for _, x := range all {
		time.Sleep(200 * time.Millisecond) // their starts must not overlap
		wg.Go(x.play)
	}
	wg.Wait()
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			for _, e := range x.errors {
				t.Error(e)
			}
		})
	}
}

// A realRollout is one trial with real daemons.
type realRollout struct {
	t         *testing.T
	name      string
	program   program
	trial     sim.Trial
	names     []string
	addresses []netip.Addr
	old, next []string // texts by node
	hosts     []*lab.Host
	daemons   []*lab.Process
	errors    []string
}

// newRealRollouts returns the best order, and the workaround if there is one.
func newRealRollouts(t *testing.T, n *lab.Net, name string, p program, number int) (all []*realRollout) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("..", "..", "testdata", "diff", "peers-"+name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var nodes []sim.Node
	var next []*ir.Config
	var old, texts []string
	app := App{Stderr: t.Output(), Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
	for _, f := range a.Files {
		if filepath.Ext(f.Name) != ".conf" {
			continue
		}
		path := filepath.Join(dir, strings.ReplaceAll(f.Name, "/", "-"))
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := app.load(path).Config
		if strings.HasPrefix(f.Name, "old/") {
			nodes, old = append(nodes, sim.Node{Name: fmt.Sprint("lb", len(nodes)+1), Config: cfg}), append(old, string(f.Data))
		} else {
			next, texts = append(next, cfg), append(texts, string(f.Data))
		}
	}
	c, err := sim.NewCluster(nodes)
	if err != nil {
		t.Fatal(err)
	}
	result := c.NewRollout(next, sim.Options{SameAddresses: p == keepalived}).Search()
	add := func(name string, trial sim.Trial) {
		x := &realRollout{t: t, name: name + "/" + string(p), program: p, trial: trial, names: c.Names(), old: old, next: texts}
		for _, v := range next[0].Instances { // an address that is removed does not matter
			for _, a := range v.Addresses {
				x.addresses = append(x.addresses, a.Prefix.Addr())
			}
		}
		lan := n.Segment(fmt.Sprintf("rollout%d-%d", number, len(all)))
		for i := range nodes {
			h := n.Host(fmt.Sprintf("lb%d-%d-%d", i+1, number, len(all)), lab.On(lan, "eth0", fmt.Sprintf("192.0.2.%d/24", i+1)))
			x.hosts = append(x.hosts, h)
		}
		x.daemons = make([]*lab.Process, len(nodes))
		all = append(all, x)
	}
	add(name, result.Best)
	if result.Standby != nil {
		add(name+", a standby less", *result.Standby)
	}
	return all
}

// stepTime is how long the daemons have for a step: more than three intervals of three seconds.
const stepTime = 14 * time.Second

func (x *realRollout) play() {
	for i := range x.hosts {
		x.write(i, x.old[i])
		x.start(i)
	}
	x.watch()
	want := x.holders()
	for _, s := range x.trial.Steps {
		switch {
		case s.Manner == sim.StopIt:
			x.daemons[s.Node].Signal(syscall.SIGTERM)
		case s.Manner == sim.StartIt:
			x.write(s.Node, x.next[s.Node])
			x.start(s.Node)
		default:
			x.write(s.Node, x.next[s.Node])
			x.daemons[s.Node].Signal(syscall.SIGHUP)
		}
		twice := x.watch()
		if twice > 300*time.Millisecond && len(s.Troubles) == 0 {
			x.fail("%v %s: an address was on two for %v", s.Manner, x.names[s.Node], twice)
		}
		for _, m := range s.Moves {
			if slices.Contains(x.addresses, m.Address) {
				want[m.Address] = x.who(m.To)
			}
		}
		if got := x.holders(); !maps.Equal(clean(got), clean(want)) {
			x.fail("%v %s: addresses are %v, in the rehearsal %v", s.Manner, x.names[s.Node], got, want)
		}
	}
	for _, d := range x.daemons {
		d.Kill()
	}
}

func (x *realRollout) fail(format string, args ...any) {
	x.errors = append(x.errors, fmt.Sprintf(format, args...))
}

func (x *realRollout) conf(i int) string { return filepath.Join(x.hosts[i].Dir(), "test.conf") }

func (x *realRollout) write(i int, text string) {
	path := x.conf(i)
	err := os.WriteFile(path+".new", []byte(text), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		x.fail("%v", err)
	}
}

func (x *realRollout) start(i int) {
	if x.program == keepalived {
		x.daemons[i] = x.hosts[i].Start("keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", x.conf(i))
		return
	}
	args := keepcArgs(x.t, "run", x.conf(i))
	x.daemons[i] = x.hosts[i].Start(args[0], args[1:]...)
}

// watch waits for a step and returns how long an address was on two hosts.
func (x *realRollout) watch() (twice time.Duration) {
	end, last := time.Now().Add(stepTime), time.Now()
	for time.Now().Before(end) {
		time.Sleep(50 * time.Millisecond)
		now := time.Now()
		for _, hosts := range x.holders() {
			if strings.Contains(hosts, "+") {
				twice += now.Sub(last)
				break
			}
		}
		last = now
	}
	return twice
}

// holders returns who has which address now.
func (x *realRollout) holders() map[netip.Addr]string {
	m := map[netip.Addr]string{}
	for i, h := range x.hosts {
		for _, p := range h.Addrs("eth0") {
			if a := p.Addr(); slices.Contains(x.addresses, a) {
				m[a] = strings.TrimPrefix(m[a]+"+"+x.names[i], "+")
			}
		}
	}
	return m
}

// who returns the names of nodes.
func (x *realRollout) who(nodes []int) string {
	var names []string
	for _, n := range nodes {
		names = append(names, x.names[n])
	}
	return strings.Join(names, "+")
}

// clean leaves out addresses that have no holder, or are no longer wanted.
func clean(m map[netip.Addr]string) map[netip.Addr]string {
	m = maps.Clone(m)
	maps.DeleteFunc(m, func(_ netip.Addr, hosts string) bool { return hosts == "" })
	return m
}
