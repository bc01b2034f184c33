package router_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/router"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A world is a virtual wire with directors on it and a virtual clock. Packets take almost no time.
type world struct {
	now     time.Time
	nodes   []*node
	cut     map[string]bool   // nodes that are off the wire although their link is up
	oneway  map[string]bool   // "lb1 lb2": what lb1 sends does not reach lb2
	servers map[string]string // by address: why checks fail
	scripts map[string]string // "lb1 web": why runs fail
	trace   strings.Builder
}

type node struct {
	name string
	*director
	link   router.LinkChanged // with the node's own address
	dead   bool
	paused bool
	inbox  []any
	said   map[string]said // by kind of line, to leave out periodic repetitions
	inTime map[string]int  // how many lines were left out
}

type said struct {
	text string
	at   time.Time
}

func newWorld() *world {
	return &world{now: time.Unix(0, 0), cut: map[string]bool{}, oneway: map[string]bool{}, servers: map[string]string{}, scripts: map[string]string{}}
}

// do performs one command; lines are those indented below it.
func (w *world) do(words, lines []string) error {
	verb, args := words[0], words[1:]
	switch verb {
	case "node": // node NAME ADDRESS|noaddress [down|missing] [finds INSTANCE,…], configuration below
		return w.addNode(args, lines)
	case "run": // run DURATION
		d, err := time.ParseDuration(args[0])
		if err != nil {
			return err
		}
		w.run(w.now.Add(d))
		return nil
	case "cut", "heal": // cut NAME: off the wire, both ways
		w.say("--- %s %s ---", verb, args[0])
		w.cut[args[0]] = verb == "cut"
		return nil
	case "oneway": // oneway FROM TO
		w.say("--- %s does not hear %s ---", args[1], args[0])
		w.oneway[args[0]+" "+args[1]] = true
		return nil
	case "fail": // fail ADDRESS CAUSE
		w.servers[args[0]] = strings.Join(args[1:], " ")
		return nil
	case "mend": // mend ADDRESS
		delete(w.servers, args[0])
		return nil
	case "roles":
		w.roles()
		return nil
	case "script": // script NODE NAME CAUSE|good|lacks WHAT: what its next runs give
		w.say("--- %s ---", strings.Join(words, " "))
		w.scripts[args[0]+" "+args[1]] = strings.TrimPrefix(strings.Join(args[2:], " "), "good")
		return nil
	}
	n := w.node(args[0])
	if n == nil {
		return fmt.Errorf("no node %s", args[0])
	}
	switch verb {
	case "stop", "kill": // stop NAME: with farewell; kill NAME: without
		w.say("--- %s %s ---", verb, n.name)
		if verb == "stop" {
			w.step(n, stop{})
		}
		n.dead = true
	case "pause": // pause NAME: its process gets no CPU time
		w.say("--- pause %s ---", n.name)
		n.paused = true
	case "resume":
		w.say("--- resume %s ---", n.name)
		n.paused = false
	case "link": // link NAME up|down|missing|address ADDRESS|noaddress
		w.say("--- %s ---", strings.Join(words, " "))
		n.setLink(args[1:])
		n.inbox = append(n.inbox, n.linkEvent())
	case "reload": // reload NAME, configuration below
		w.say("--- reload %s ---", n.name)
		cfg, err := parseConfig(lines)
		if err != nil {
			return err
		}
		n.inbox = append(n.inbox, reload{cfg})
	case "inject": // inject NAME key value …: a packet for the node that no node sent
		return w.inject(n, args[1:])
	case "thing": // thing NAME THING VALUE: for a process 1 is good
		w.say("--- %s ---", strings.Join(words, " "))
		value := signed(args[2])
		n.inbox = append(n.inbox, router.Tracked{Thing: n.thing(args[1]), Status: track.Status{Known: true, Good: value == 1, Value: value}})
	case "other": // other NAME INTERFACE up|down|missing
		w.say("--- %s ---", strings.Join(words, " "))
		n.inbox = append(n.inbox, router.LinkChanged{Name: args[1], Present: args[2] != "missing", Up: args[2] == "up"})
	case "want": // want NAME: what should exist
		w.want(n)
	default:
		return fmt.Errorf("unknown command")
	}
	w.settle()
	return nil
}

func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *world) addNode(args, lines []string) error {
	cfg, err := parseConfig(lines)
	if err != nil {
		return err
	}
	d := newDirector(w.now, cfg, 1)
	if at := slices.Index(args, "finds"); at >= 0 {
		found := state.Found{Master: map[ir.InstanceKey]bool{}}
		for _, v := range cfg.Instances {
			found.Master[v.Key()] = slices.Contains(strings.Split(args[at+1], ","), v.Name)
		}
		d.routers, args = router.New(w.now, router.Adopt(cfg, found)), args[:at]
	}
	n := &node{name: args[0], director: d, said: map[string]said{}, inTime: map[string]int{}}
	n.link = router.LinkChanged{Name: "eth0", Present: true, Up: true}
	if args[1] == "noaddress" {
		n.setLink(args[1:])
	} else {
		n.setLink([]string{"address", args[1]})
		n.setLink(args[2:])
	}
	w.nodes = slices.DeleteFunc(w.nodes, func(o *node) bool { return o.name == n.name })
	w.nodes = append(w.nodes, n)
	if n.link.Present {
		n.inbox = append(n.inbox, n.linkEvent())
	}
	w.settle()
	return nil
}

func (n *node) setLink(args []string) {
	if len(args) == 0 {
		return
	}
	switch args[0] {
	case "up":
		n.link.Present, n.link.Up = true, true
	case "down":
		n.link.Up = false
	case "missing":
		n.link.Present = false
	case "noaddress":
		n.link.Addrs = nil
	case "address":
		n.link.Addrs = []netip.Addr{netip.MustParseAddr(args[1])}
	}
}

// linkEvent returns the link as the node's kernel reports it: with the virtual addresses that it holds.
func (n *node) linkEvent() router.LinkChanged {
	l := n.link
	for _, k := range sorted(n.Want().Addresses) {
		l.Addrs = append(slices.Clone(l.Addrs), k.Prefix.Addr())
	}
	return l
}

// run lets time pass. All nodes that are due at the same instant act before any of them receives anything.
func (w *world) run(until time.Time) {
	w.settle()
	for {
		at := until
		for _, n := range w.nodes {
			if d, ok := n.Deadline(); ok && !n.idle() && d.Before(at) {
				at = d
			}
		}
		if at.After(w.now) {
			w.now = at
		}
		var acted bool
		for _, n := range w.nodes {
			if d, ok := n.Deadline(); ok && !n.idle() && !d.After(w.now) {
				w.step(n, tick{})
				acted = true
			}
		}
		if !acted {
			return
		}
		w.settle()
	}
}

// thing returns a file or process by the name of its block.
func (n *node) thing(name string) track.Thing {
	for _, f := range n.Config().TrackFiles {
		if f.Name == name {
			return track.OfFile(f)
		}
	}
	for _, p := range n.Config().TrackProcesses {
		if p.Name == name {
			return track.OfProcess(p)
		}
	}
	return track.Thing{Name: name}
}

// interval is the time between two runs of a script.
func (n *node) interval(script string) time.Duration {
	for _, s := range n.Config().Scripts {
		if s.Name == script {
			return s.Interval
		}
	}
	return 0
}

func (n *node) idle() bool { return n.dead || n.paused }

// settle delivers everything in transit.
func (w *world) settle() {
	for busy := true; busy; {
		busy = false
		for _, n := range w.nodes {
			for !n.idle() && len(n.inbox) > 0 {
				ev := n.inbox[0]
				n.inbox = n.inbox[1:]
				w.step(n, ev)
				busy = true
			}
		}
	}
}

// step passes an event to a node and carries out the effects.
func (w *world) step(n *node, ev any) {
	if n.idle() {
		return
	}
	for _, f := range n.Step(w.now, ev) {
		switch f := f.(type) {
		case router.SendAdvert:
			w.send(n, f)
		case balance.StartProbe:
			cause := w.servers[f.Check.Target.String()]
			text := fmt.Sprintf("probe %v: %s", f.Check.Target, cmp.Or(cause, "good"))
			w.sayPeriodic(n, fmt.Sprint("probes of ", f.Check.Target), text, f.Check.DelayLoop)
			n.inbox = append(n.inbox, balance.ProbeDone{ID: f.ID, Result: health.Outcome(cause)})
		case router.StartScript:
			cause := w.scripts[n.name+" "+f.ID.Name]
			w.sayPeriodic(n, "runs of "+f.ID.Name, fmt.Sprintf("run %s: %s", f.ID.Name, cmp.Or(cause, "good")), n.interval(f.ID.Name))
			done := router.ScriptDone{ID: f.ID, Cause: cause}
			if what, lacks := strings.CutPrefix(cause, "lacks "); lacks {
				done.Cause, done.Inconclusive = "", what
			}
			n.inbox = append(n.inbox, done)
		case router.RoleChanged:
			w.sayNode(n, fmt.Sprintf("%s %-6s  %s", f.Name, f.Role, f.Reason))
			n.inbox = append(n.inbox, n.linkEvent())
		default:
			w.sayNode(n, fmt.Sprint(f))
		}
	}
}

func (w *world) send(from *node, a router.SendAdvert) {
	p, err := vrrp.Unmarshal(a.Payload, a.Src, a.Dst)
	text := fmt.Sprintf("advert vrid %d priority %d", p.VRID, p.Priority)
	if p.Interval != time.Second {
		text += fmt.Sprintf(" every %v", p.Interval)
	}
	if err != nil {
		text = err.Error()
	}
	w.sayPeriodic(from, fmt.Sprint("adverts of vrid ", p.VRID), text, p.Interval)
	for _, n := range w.nodes {
		if w.cut[n.name] || w.cut[from.name] || w.oneway[from.name+" "+n.name] || !n.link.Up || !from.link.Up {
			continue
		}
		// The sender hears itself: multicast loops back.
		n.inbox = append(n.inbox, router.PacketReceived{Interface: a.Interface, Src: a.Src, Dst: a.Dst, TTL: 255, Payload: a.Payload})
	}
}

// inject makes a packet that no director sent.
func (w *world) inject(n *node, args []string) error {
	p := vrrp.Packet{Version: 2, VRID: 51, Priority: 100, Interval: time.Second, AuthType: ir.AuthPass, Auth: ir.NewSecret("s3cr3t"),
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}}
	src, dst, ttl, spoil := netip.MustParseAddr("192.0.2.9"), ir.MulticastGroup(false), 255, false
	for ; len(args) >= 2; args = args[2:] {
		k, v := args[0], args[1]
		switch k {
		case "from":
			src = netip.MustParseAddr(v)
		case "to":
			dst = netip.MustParseAddr(v)
		case "ttl":
			ttl = number[int](v)
		case "version":
			p.Version = number[uint8](v)
		case "vrid":
			p.VRID = number[uint8](v)
		case "priority":
			p.Priority = number[uint8](v)
		case "interval":
			p.Interval = duration(v)
		case "auth":
			p.AuthType = ir.AuthType(number[uint8](v))
		case "pass":
			p.Auth = ir.NewSecret(v)
		case "addresses":
			p.Addresses = nil
			for _, a := range strings.Split(v, ",") {
				p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
			}
		case "spoil":
			spoil = v == "checksum"
		default:
			return fmt.Errorf("unknown key %s", k)
		}
	}
	b, err := p.Marshal(src, dst)
	if err != nil {
		return err
	}
	if spoil {
		b[6]++
	}
	n.inbox = append(n.inbox, router.PacketReceived{Interface: "eth0", Src: src, Dst: dst, TTL: ttl, Payload: b})
	w.settle()
	return nil
}

func (w *world) roles() {
	for _, n := range w.nodes {
		for _, v := range n.Config().Instances {
			if why, ok := n.Situation().Master[v.Key()]; ok && !n.dead {
				w.sayNode(n, fmt.Sprintf("%s is MASTER: %s", v.Name, why))
			}
		}
	}
}

func (w *world) want(n *node) {
	want := n.Want()
	for _, k := range sorted(want.Addresses) {
		w.sayNode(n, "wants "+k.String())
	}
	for _, k := range sorted(want.Services) {
		w.sayNode(n, "wants "+k.String())
	}
	for _, k := range sorted(want.Destinations) {
		w.sayNode(n, fmt.Sprintf("wants %v weight %d", k, want.Destinations[k].Weight))
	}
	for _, k := range sorted(want.Absent) {
		w.sayNode(n, "wants no "+k.String())
	}
}

// The trace.

func (w *world) say(format string, args ...any) {
	fmt.Fprintf(&w.trace, "%8.3fs  %s\n", w.now.Sub(time.Unix(0, 0)).Seconds(), fmt.Sprintf(format, args...))
}

func (w *world) sayNode(n *node, text string) { w.say("%s  %s", n.name, text) }

// sayPeriodic leaves out a line that repeats exactly one period after the last time: that is normal operation.
func (w *world) sayPeriodic(n *node, kind, text string, period time.Duration) {
	last := n.said[kind]
	n.said[kind] = said{text, w.now}
	if last.text == text && w.now.Sub(last.at) == period {
		n.inTime[kind]++
		return
	}
	w.sayNode(n, text)
}

func (w *world) takeTrace() string {
	for _, n := range w.nodes {
		for _, kind := range slices.Sorted(maps.Keys(n.inTime)) {
			fmt.Fprintf(&w.trace, "%9s  %s  (%s in time: %d more)\n", "", n.name, kind, n.inTime[kind])
		}
		clear(n.inTime)
	}
	s := w.trace.String()
	w.trace.Reset()
	return s
}
