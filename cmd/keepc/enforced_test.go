package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/bfd"
	"keepc/runtime/health"
	"keepc/runtime/notify"
	"keepc/runtime/router"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// elsewhere are the keywords whose effect neither the kernel's state nor the two machines show, with the test that
// shows it.
var elsewhere = map[string]string{
	"global_defs.dynamic_interfaces":      "cmd/keepc TestRunWaitsForItsInterface",
	"global_defs.enable_script_security":  "runtime/script TestVet",
	"global_defs.umask":                   "cmd/keepc TestUmask",
	"global_defs.max_auto_priority":       "runtime/daemon TestSchedule",
	"global_defs.min_auto_priority_delay": "runtime/daemon TestSchedule",
	"global_defs.vrrp_priority":           "cmd/keepc TestPriorities",
	"global_defs.vrrp_no_swap":            "cmd/keepc TestPriorities",
	"global_defs.vrrp_rt_priority":        "cmd/keepc TestPriorities",
	"global_defs.vrrp_cpu_affinity":       "cmd/keepc TestPriorities",
	"global_defs.vrrp_rlimit_rtime":       "runtime/daemon TestSchedule",
	"global_defs.checker_priority":        "cmd/keepc TestPriorities",
	"global_defs.checker_no_swap":         "cmd/keepc TestPriorities",
	"global_defs.checker_rt_priority":     "cmd/keepc TestPriorities",
	"global_defs.checker_cpu_affinity":    "cmd/keepc TestPriorities",
	"global_defs.checker_rlimit_rtime":    "runtime/daemon TestSchedule",
	"global_defs.bfd_priority":            "runtime/daemon TestSchedule",
	"global_defs.bfd_no_swap":             "runtime/daemon TestSchedule",
	"global_defs.bfd_rt_priority":         "runtime/daemon TestSchedule",
	"global_defs.bfd_cpu_affinity":        "runtime/daemon TestSchedule",
	"global_defs.bfd_rlimit_rtime":        "runtime/daemon TestSchedule",
	"track_file.init_file":                "runtime/watch TestFiles",
	"vrrp_track_file.init_file":           "runtime/watch TestFiles",
	"global_defs.notify_fifo":             "runtime/notify TestPipes",
	"global_defs.notify_fifo_script":      "runtime/notify TestPipes",
	"global_defs.vrrp_notify_fifo":        "runtime/notify TestPipes",
	"global_defs.vrrp_notify_fifo_script": "runtime/notify TestPipes",
	"global_defs.notification_email_from": "runtime/notify TestMail",
	"global_defs.smtp_helo_name":          "runtime/notify TestMail",
	"global_defs.smtp_connect_timeout":    "runtime/notify TestDeadServer",
	"global_defs.router_id":               "runtime/notify TestMail",
	"global_defs.iproute_usr_dir":         "compiler TestLocalize",
	"global_defs.iproute_etc_dir":         "compiler TestLocalize",
	"global_defs.lvs_notify_fifo_script":  "runtime/notify TestPipes",
	"global_defs.startup_script":          "cmd/keepc TestTellsOfServers",
	"global_defs.startup_script_timeout":  "cmd/keepc TestTellsOfServers",
	"global_defs.shutdown_script":         "cmd/keepc TestTellsOfServers",
	"global_defs.shutdown_script_timeout": "cmd/keepc TestTellsOfServers",
	"global_defs.lvs_flush":               "runtime/reconcile TestFlush",
	"global_defs.lvs_flush_on_stop":       "runtime/reconcile TestFlush",
	"global_defs.lvs_flush_onstop":        "runtime/reconcile TestFlush",
	"SSL":                                 "runtime/probe TestClientCertificate",
	"SSL.certificate":                     "runtime/probe TestClientCertificate",
	"SSL.key":                             "runtime/probe TestClientCertificate",
	"SSL.password":                        "runtime/probe TestClientCertificate",
	"SSL.ca":                              "runtime/probe TestVerification",

	"global_defs.fifo_write_vrrp_states_on_reload": "cmd/keepc TestTellsOfServers",
	"global_defs.no_email_faults":                  "runtime/notify TestMail",
	"vrrp_instance.notify_deleted":                 "runtime/notify TestOfRouter",
	"global_defs.vrrp_garp_interval":               "runtime/daemon TestPacer",
	"global_defs.vrrp_gna_interval":                "runtime/daemon TestPacer",
	"garp_group":                                   "runtime/daemon TestPacer",
	"garp_group.garp_interval":                     "runtime/daemon TestPacer",
	"garp_group.gna_interval":                      "runtime/daemon TestPacer",
	"garp_group.interface":                         "runtime/daemon TestPacer",
	"garp_group.interfaces":                        "runtime/daemon TestPacer",
	"vrrp_track_process.delay":                     "runtime/watch TestDelays",
	"vrrp_track_process.terminate_delay":           "runtime/watch TestDelays",
	"vrrp_track_process.fork_delay":                "runtime/watch TestDelays",

	"net_namespace":                       "cmd/keepc TestNamespaces",
	"global_defs.reload_time_file":        "runtime/daemon TestTimetable",
	"global_defs.reload_repeat":           "runtime/daemon TestTimetable",
	"global_defs.reload_file":             "runtime/daemon TestReloadFile",
	"global_defs.data_use_instance":       "cmd/keepc TestDataNames",
	"global_defs.state_dump_file":         "cmd/keepc TestStateDumpFile",
	"net_namespace_ipvs":                  "cmd/keepc TestNamespaces",
	"use_pid_dir":                         "cmd/keepc TestPIDFiles",
	"instance":                            "cmd/keepc TestPIDFiles",
	"child_wait_time":                     "runtime/daemon TestChildWaitTime",
	"global_defs.process_names":           "cmd/keepc TestProcessNames",
	"global_defs.process_name":            "cmd/keepc TestProcessNames",
	"global_defs.vrrp_process_name":       "cmd/keepc TestProcessNames",
	"global_defs.checker_process_name":    "cmd/keepc TestProcessNames",
	"global_defs.lvs_process_name":        "cmd/keepc TestProcessNames",
	"global_defs.bfd_process_name":        "cmd/keepc TestProcessNames",
	"global_defs.vrrp_rx_bufs_policy":     "runtime/daemon TestRoom",
	"global_defs.vrrp_rx_bufs_multiplier": "runtime/daemon TestRoom",
	"vrrp_instance.kernel_rx_buf_size":    "runtime/daemon TestRoom",
	"vrrp_instance.timer_expired_backup":  "runtime/vrrp TestTimerExpiredBackup",
	"vrrp_instance.thread_timer_expired":  "runtime/vrrp TestTimerExpiredBackup",
	"global_defs.log_unknown_vrids":       "runtime/router TestUnknownVRID",
	"vrrp_instance.auth_hmac":             "runtime/vrrp TestDraftVectors",
	"vrrp_instance.auth_hmac.key":         "runtime/vrrp TestDraftVectors",
	"vrrp_instance.auth_hmac.active_key":  "runtime/vrrp TestKeys",
	"vrrp_instance.auth_hmac.time_window": "runtime/vrrp TestTrailers",
	"vrrp_instance.auth_hmac.anti_replay": "runtime/vrrp TestTrailers",
	"vrrp_instance.auth_hmac.mode":        "runtime/vrrp TestTrailers",
}

// anyway are the keywords that ask for what happens without them, too.
var anyway = map[string]string{
	"global_defs.vrrp_iptables":          "no_accept uses nftables, as keepalived without iptables does",
	"global_defs.vrrp_ipsets":            "no_accept uses sets of nftables",
	"global_defs.nftables_ifindex":       "interfaces are matched by number, as keepalived 2.2.7 does without it too",
	"vrrp_instance.native_ipv6":          "the family is that of the addresses",
	"vrrp_instance.no_virtual_ipaddress": "an instance without addresses takes part in VRRP as any other",
}

// opposite is what replaces a keyword if the file would mean the same without it.
var opposite = map[string]string{
	"vrrp_instance.preempt":                         "nopreempt",
	"vrrp_instance.virtual_routes.inet":             "inet6",
	"vrrp_instance.virtual_rules.inet":              "inet6",
	"static_routes.inet":                            "inet6",
	"static_rules.inet":                             "inet6",
	"virtual_server.lb_kind.nocsum":                 "csum",
	"virtual_server.lvs_method.nocsum":              "csum",
	"virtual_server.sorry_server_lvs_method.nocsum": "csum",
	"virtual_server.real_server.lvs_method.nocsum":  "csum",
}

// TestEnforced checks that what the list calls enforced is enforced. The files of testdata/enforced use every such
// keyword. A director of a file without the keyword, or with its opposite, must want a different state of the kernel,
// or act differently in a play of a few minutes.
func TestEnforced(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/enforced/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole := read(string(text))
		did := play(whole)
		acts := func(cfg *ir.Config) bool { return wants(whole, cfg) || did != play(cfg) }
		for _, use := range whole.Used {
			if shown[use.Path] || !claimed(use.Path) {
				continue
			}
			word := opposite[use.Path]
			shown[use.Path] = acts(without(string(text), use.Path, "")) ||
				word != "" && acts(without(string(text), use.Path, word))
		}
	}
	schema.Walk(func(keys []*schema.Keyword) {
		path := schema.Join(keys)
		if !claimed(path) || slices.ContainsFunc(keys, func(k *schema.Keyword) bool { return !k.Current() }) {
			return
		}
		switch test := elsewhere[path]; {
		case test != "":
			if shown[path] {
				t.Errorf("%s: the machines show it, %s need not", path, test)
			} else if !isTest(t, test) {
				t.Errorf("%s: there is no test %s", path, test)
			}
		case anyway[path] != "":
			if shown[path] {
				t.Errorf("%s makes a difference", path)
			}
		case !shown[path]:
			t.Errorf("%s is called enforced, but a director does the same without it, or no file of testdata/enforced uses it", path)
		}
	})
}

// claimed reports whether the list calls a keyword enforced for any of its values.
func claimed(path string) bool {
	return slices.ContainsFunc(enforced.Of(path), func(v enforced.Verdict) bool { return v.Answer == enforced.Enforced })
}

// isTest reports whether a test of a package, such as "runtime/watch TestFiles", exists.
func isTest(t *testing.T, test string) bool {
	dir, name, _ := strings.Cut(test, " ")
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^func ` + name + `\(`).Match(text) {
			return true
		}
	}
	return false
}

// read compiles a text.
func read(text string) *ir.Config {
	return compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{}).Config
}

// without compiles a text with every use of a keyword removed, or replaced.
func without(text, path, word string) *ir.Config {
	file, _ := grammar.Parse(source.New("lb01.conf", []byte(text)))
	keys := schema.Find(path)
	file.Stmts = stripped(file.Stmts, "", path, word, siblings(keys, path))
	return compiler.Load(source.New("lb01.conf", file.Text()), compiler.Options{}).Config
}

// siblings are the words of the block of a keyword.
func siblings(found [][]*schema.Keyword, path string) map[string]bool {
	words := map[string]bool{}
	for _, keys := range found {
		if schema.Join(keys) != path || len(keys) < 2 {
			continue
		}
		for _, k := range keys[len(keys)-2].Words {
			words[k.Word] = true
		}
	}
	return words
}

// stripped returns statements without a keyword. In a line with options, the words up to the next option go with it.
func stripped(stmts []*grammar.Stmt, block, path, word string, options map[string]bool) (left []*grammar.Stmt) {
	for _, s := range stmts {
		here := strings.TrimPrefix(block+"."+s.Keyword(), ".")
		switch {
		case here == path && word == "":
			continue
		case here == path:
			s.Words = slices.Clone(s.Words)
			s.Words[0].Text = word
		case path[:max(strings.LastIndexByte(path, '.'), 0)] == here && s.Block == nil:
			s.Words = append(s.Words[:1:1], strippedLine(s.Words[1:], path, word, options)...)
		}
		if s.Block != nil && path[:max(strings.LastIndexByte(path, '.'), 0)] == here {
			for _, line := range s.Block.Stmts {
				line.Words = strippedLine(line.Words, path, word, options)
			}
			s.Block.Stmts = slices.DeleteFunc(s.Block.Stmts, func(s *grammar.Stmt) bool { return len(s.Words) == 0 })
		}
		if s.Block != nil {
			s.Block.Stmts = stripped(s.Block.Stmts, here, path, word, options)
		}
		left = append(left, s)
	}
	return left
}

func strippedLine(words grammar.Words, path, word string, options map[string]bool) (left grammar.Words) {
	option, gone := path[strings.LastIndexByte(path, '.')+1:], false
	for _, w := range words {
		if options[w.Text] {
			gone = w.Text == option
			if gone && word != "" {
				w.Text, gone = word, false
			}
		}
		if !gone {
			left = append(left, w)
		}
	}
	return left
}

// wants reports whether directors with these configurations want different states of the kernel.
func wants(a, b *ir.Config) bool {
	for _, s := range []func(*ir.Config) state.Situation{state.AllMaster, backups, stopping} {
		if !slices.Equal(objects(state.Desired(a, s(a))), objects(state.Desired(b, s(b)))) {
			return true
		}
	}
	return false
}

// objects lists what should exist, with all settings.
func objects(s state.State) (list []string) {
	for _, kind := range state.Kinds() {
		for k, o := range kind.All(s) {
			text := fmt.Sprintf("%v %v %v", k, o.Fields(), o.From().Loose)
			if r, ok := o.(state.Route); ok {
				text += fmt.Sprint(r.Append)
			}
			if a, ok := o.(state.Address); ok {
				text += fmt.Sprint(a.NoDAD, a.Lifetime) // the kernel is told only once
			}
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return list
}

// backups returns a director without roles, whose real servers are all down.
func backups(cfg *ir.Config) state.Situation {
	s := state.Situation{Master: map[ir.InstanceKey]string{}, Down: map[state.DestinationKey]string{}, NoQuorum: map[ir.ServiceKey]bool{}}
	for _, v := range cfg.VirtualServers {
		s.NoQuorum[v.Key] = true
		for _, r := range v.RealServers {
			s.Down[state.DestinationKey{Service: v.Key, Server: r.Addr}] = "down"
		}
	}
	return s
}

// stopping returns a director that stops.
func stopping(*ir.Config) state.Situation { return state.Situation{Stopping: true} }

// play lets a director experience everything that can happen to it, and returns what it did.
func play(cfg *ir.Config) string {
	p := &player{now: time.Unix(1_000_000, 0)}
	p.router = router.New(p.now, router.Prepare(cfg, nil))
	p.balance = balance.New(p.now, balance.Prepare(cfg, balance.Start(1)))
	own := map[string][]netip.Addr{
		"eth0": {netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("192.0.2.78"), netip.MustParseAddr("fe80::77")},
		"eth1": {netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("fe80::78")},
	}
	link := func(name string, up bool) {
		p.route(router.LinkChanged{Name: name, Present: true, Up: up, Addrs: own[name]})
		for _, v := range cfg.Instances {
			for _, l := range v.Links {
				if l.Base == name {
					p.route(router.LinkChanged{Name: l.Name, Present: true, Up: up})
				}
			}
		}
	}
	things := func(good bool, value int) {
		for _, f := range cfg.TrackFiles {
			p.route(router.Tracked{Thing: track.OfFile(f), Status: track.Status{Known: true, Value: value}})
			p.serve(balance.FileSeen{File: track.OfFile(f), Value: value})
		}
		for _, x := range cfg.TrackProcesses {
			p.route(router.Tracked{Thing: track.OfProcess(x), Status: track.Status{Known: true, Good: good}})
		}
	}
	fmt.Fprintln(&p.did, "watches", watched(cfg))
	sessions := p.sessions(cfg)
	follow := func(up bool) {
		for t := range sessions {
			sessions[t] = sessions[t] && up
		}
		p.route(router.Sessions{Up: maps.Clone(sessions)})
		p.serve(balance.Sessions{Up: maps.Clone(sessions)})
	}
	link("eth0", true)
	link("eth1", true)
	things(true, 0)
	follow(true)
	p.pass(60 * time.Second)
	for _, peer := range []struct {
		priority uint8
		silence  time.Duration
	}{{1, 30 * time.Second}, {254, 0}, {1, 30 * time.Second}, {110, 30 * time.Second}} {
		for range 16 {
			for _, v := range cfg.Instances {
				p.hear(v, peer.priority, "192.0.2.200", "fe80::200", 255, vrrp.SumPseudo)
				if len(v.Unicast) > 0 { // from peers and others, over a few routers, and from an old peer
					for _, src := range []string{"192.0.2.201", "192.0.2.202", "192.0.2.203"} {
						p.hear(v, peer.priority, src, "fe80::201", 240, vrrp.SumPseudo)
					}
					p.hear(v, peer.priority, "192.0.2.200", "fe80::200", 255, vrrp.SumGroup)
				}
			}
			p.pass(time.Second)
		}
		p.pass(peer.silence)
	}
	things(false, 5)
	follow(false)
	p.pass(20 * time.Second)
	for _, name := range []string{"eth1", "eth0"} {
		link(name, false)
		p.pass(10 * time.Second)
	}
	for _, p.failing = range []int{2, 3, 9, 3, 2, 0} {
		p.pass(60 * time.Second)
	}
	p.route(router.Stop{})
	return p.did.String()
}

// watched returns what a director watches besides its interfaces.
func watched(cfg *ir.Config) (list []string) {
	for _, v := range cfg.Instances {
		for _, t := range track.Of(v, cfg) {
			list = append(list, fmt.Sprintf("%s %q", t.Thing, t.What))
		}
	}
	return list
}

// A player is a director in a play.
type player struct {
	router  *router.Machine
	balance *balance.Machine
	now     time.Time
	failing int // scripts fail, and servers with a last byte up to this
	waiting []router.ScriptDone
	did     strings.Builder
}

// sessions lets the BFD sessions of a director talk to neighbours that start after a few seconds, some of them far
// away, and returns which come up.
func (p *player) sessions(cfg *ir.Config) map[track.Thing]bool {
	m, now := bfd.New(1), time.Unix(0, 0)
	step := func(ev bfd.Event) {
		for _, e := range m.Step(now, ev) {
			fmt.Fprintln(&p.did, now.UnixMilli(), e)
			if t, sent := e.(bfd.Transmit); sent {
				fmt.Fprintln(&p.did, t.Session)
			}
		}
	}
	pass := func(d time.Duration) {
		for end := now.Add(d); ; step(bfd.Tick{}) {
			at, some := m.Deadline()
			if !some || at.After(end) {
				now = end
				return
			}
			now = at
		}
	}
	step(bfd.Configure{Sessions: cfg.BFDs})
	pass(5 * time.Second)
	for _, state := range []bfd.State{bfd.Down, bfd.Init, bfd.Up} {
		for _, s := range m.Standings() {
			ttl := 255
			if s.Config.Neighbor.Is6() || s.Config.Name == "far" {
				ttl = 145
			}
			packet := bfd.Packet{State: state, Final: true, DetectMult: 3, MyDiscriminator: 7, YourDiscriminator: s.LocalDiscr, DesiredMinTxInterval: time.Second, RequiredMinRxInterval: time.Millisecond}
			step(bfd.PacketReceived{Src: s.Config.Neighbor, Dst: netip.MustParseAddr("192.0.2.77"), TTL: ttl, Payload: packet.Marshal()})
		}
	}
	pass(time.Second)
	up := map[track.Thing]bool{}
	for b, is := range m.Sessions {
		up[track.OfBFD(b)] = is
	}
	pass(5 * time.Second)
	return up
}

// pass lets time pass.
func (p *player) pass(d time.Duration) {
	end := p.now.Add(d)
	for {
		at, ok := p.router.Deadline()
		if next, more := p.balance.Deadline(); more && (!ok || next.Before(at)) {
			at, ok = next, true
		}
		if !ok || at.After(end) {
			p.now = end
			return
		}
		if at.After(p.now) {
			p.now = at
		}
		p.route(router.Tick{})
		p.serve(balance.Tick{})
		for done := p.waiting; len(done) > 0; done = done[1:] { // scripts take a moment
			p.now = p.now.Add(100 * time.Millisecond)
			p.route(done[0])
		}
		p.waiting = nil
	}
}

func (p *player) hear(v *ir.VRRPInstance, priority uint8, src4, src6 string, ttl int, sum vrrp.Sum) {
	src, dst := netip.MustParseAddr(src4), v.Group()
	if v.Key().IPv6 {
		src = netip.MustParseAddr(src6)
	}
	switch {
	case dst.IsValid():
	case v.SourceAddr.IsValid():
		dst = v.SourceAddr
	case v.IPv6():
		dst = netip.MustParseAddr("fe80::77")
	default:
		dst = netip.MustParseAddr("192.0.2.77")
	}
	packet := vrrp.Packet{Version: v.Version, VRID: v.VRID, Priority: priority, Interval: v.AdvertInterval, AuthType: v.Auth.Type, Auth: v.Auth.Pass, Sum: sum}
	for _, a := range v.Addresses {
		if !a.Excluded && a.Prefix.Addr().Is6() == v.Key().IPv6 {
			packet.Addresses = append(packet.Addresses, a.Prefix.Addr())
		}
	}
	payload, err := packet.Marshal(src, dst)
	if err != nil {
		fmt.Fprintln(&p.did, v.Name, err)
		return
	}
	p.route(router.PacketReceived{Interface: v.Interface, Src: src, Dst: dst, TTL: ttl, Payload: payload})
	if !strings.HasPrefix(v.Name, "odd") {
		return
	}
	packet.Addresses = append(packet.Addresses, netip.MustParseAddr("198.51.100.99"))
	if payload, err = packet.Marshal(src, dst); err != nil {
		fmt.Fprintln(&p.did, v.Name, err)
		return
	}
	p.route(router.PacketReceived{Interface: v.Interface, Src: src, Dst: dst, TTL: ttl, Payload: payload})
}

func (p *player) route(ev router.Event) {
	for _, f := range p.router.Step(p.now, ev) {
		fmt.Fprintf(&p.did, "%v %T %+v\n", p.now.Sub(time.Unix(1_000_000, 0)), f, f)
		if t, some := notify.OfRouter(f); some {
			fmt.Fprintln(&p.did, t.Line)
			if t.Mail != nil {
				fmt.Fprintf(&p.did, "%+v\n", *t.Mail)
			}
			for _, c := range t.Scripts {
				fmt.Fprintf(&p.did, "%q %v\n", c.Args, c.User)
			}
		}
		switch f := f.(type) {
		case router.SendAdvert:
			fmt.Fprintf(&p.did, "%v %s %v %d %x\n", f.Src, f.Leaves, f.Dst, f.TTL, f.Payload)
		case router.StartScript:
			fmt.Fprintf(&p.did, "%+v\n", f.ID)
			done := router.ScriptDone{ID: f.ID}
			if p.failing > 0 {
				done.Cause = "fails"
			}
			p.waiting = append(p.waiting, done)
		}
	}
}

func (p *player) serve(ev balance.Event) {
	for _, f := range p.balance.Step(p.now, ev) {
		fmt.Fprintf(&p.did, "%v %T %v\n", p.now.Sub(time.Unix(1_000_000, 0)), f, f)
		if told, ok := f.(balance.Told); ok {
			t := notify.OfBalance(told)
			fmt.Fprintln(&p.did, t.Line)
			if t.Mail != nil {
				fmt.Fprintf(&p.did, "%+v\n", *t.Mail)
			}
			for _, c := range t.Scripts {
				fmt.Fprintf(&p.did, "%q %v\n", c.Args, c.User)
			}
		}
		if s, ok := f.(balance.StartProbe); ok {
			asks, err := json.Marshal(s.Check.Checker) // what pointers point to, not where that is
			fmt.Fprintf(&p.did, "%s %s %v %+v %v\n", s.Check.Keyword(), asks, err, s.Check.Connection, s.Timeout)
			cause := ""
			if target := s.Server.Server.Addr().AsSlice(); int(target[len(target)-1]) <= p.failing {
				cause = "fails"
			}
			p.serve(balance.ProbeDone{ID: s.ID, Result: health.Outcome(cause)})
		}
	}
}

// TestReadmeKeywords compares the README's table of keywords with the list; UPDATE=1 writes it.
func TestReadmeKeywords(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- keywords: UPDATE=1 go test -run TestReadmeKeywords ./cmd/keepc writes this table -->\n", "<!-- end of keywords -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, more := strings.Cut(rest, end)
	if !ok || !more {
		t.Fatal("the README has no place for the table")
	}
	want := keywordTable()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("the README has\n%s\nwant\n%s", got, want)
	}
}

// keywordTable returns the list of package enforced in the README's form: what is not enforced, and why, and the
// blocks of the rest.
func keywordTable() string {
	type reason struct {
		enforced.Answer
		why string
	}
	var blocks []string
	var reasons []reason
	words := map[reason][]string{}
	schema.Walk(func(keys []*schema.Keyword) {
		if slices.ContainsFunc(keys, func(k *schema.Keyword) bool { return !k.Current() }) {
			return
		}
		path := schema.Join(keys)
		if claimed(path) {
			if !slices.Contains(blocks, keys[0].Word) {
				blocks = append(blocks, keys[0].Word)
			}
		}
		if len(keys) > 1 && !claimed(schema.Join(keys[:len(keys)-1])) {
			return // listed with the block
		}
		for _, v := range enforced.Of(path) {
			if v.Answer == enforced.Enforced {
				continue
			}
			r := reason{v.Answer, v.Why}
			if words[r] == nil {
				reasons = append(reasons, r)
			}
			if word := strings.TrimSpace(keys[len(keys)-1].Word + " " + v.When); !slices.Contains(words[r], word) {
				words[r] = append(words[r], word)
			}
		}
	})
	var b strings.Builder
	b.WriteString("| keyword | today |\n|---|---|\n")
	for _, answer := range []enforced.Answer{enforced.Refused, enforced.Unread, enforced.LeftOut} {
		for _, r := range reasons {
			if r.Answer == answer {
				fmt.Fprintf(&b, "| %s | %s: %s |\n", strings.Join(words[r], ", "), answer, r.why)
			}
		}
	}
	fmt.Fprintf(&b, "| all others of %s | enforced |\n", strings.Join(blocks, ", "))
	return b.String()
}
