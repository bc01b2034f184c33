package status

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xeipuuv/gojsonschema"
	"go.uber.org/goleak"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/source"
	"keepc/runtime/balance"
	"keepc/runtime/bfd"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
	"keepc/runtime/router"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const conf = `vrrp_instance oldboy {
	interface eth0
	virtual_router_id 62
	virtual_ipaddress {
		10.0.0.3/24
	}
}
vrrp_instance six {
	interface eth0
	virtual_router_id 62
	virtual_ipaddress {
		fe80::3
	}
}
bfd_instance b {
	neighbor_ip 10.0.0.9
	multihop yes
}
bfd_instance c {
	neighbor_ip 10.0.0.8
}
virtual_server 10.0.0.3 80 {
	protocol TCP
	quorum 2
	real_server 10.0.0.7 80 {
		weight 1
	}
	real_server 10.0.0.8 80 {
		weight 2
		TCP_CHECK {
		}
		BFD_CHECK {
			name b
		}
	}
	real_server 10.0.0.9 80 {
		BFD_CHECK {
			name b
		}
	}
}
`

func config(text string) *ir.Config {
	return compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{}).Config
}

func sessions(cfg *ir.Config, day time.Time) []bfd.Standing {
	return []bfd.Standing{
		{Config: cfg.BFDs[0], State: bfd.Down, Remote: bfd.Down, Since: day.Add(time.Minute), Diagnostic: bfd.DetectionTimeExpired, LocalDiscr: 7, TransmitInterval: time.Second},
		{
			Config: cfg.BFDs[1], State: bfd.Up, Remote: bfd.Up, Since: day, LocalDiscr: 8, RemoteDiscr: 9, DetectionTime: 30 * time.Millisecond, TransmitInterval: 10 * time.Millisecond,
			Statistics: bfd.Statistics{ReceivePacketCount: 5, SendPacketCount: 6, ReceiveInvalidPacketCount: 1, UpCount: 1},
		},
	}
}

// sample is a director in trouble.
func sample() Snapshot {
	cfg, day := config(conf), time.Date(2026, 5, 4, 5, 12, 32, 0, time.Local)
	web := cfg.VirtualServers[0].Key
	return Snapshot{
		First: cfg, Config: cfg,
		Sessions: sessions(cfg, day),
		Situation: state.Situation{
			Down:     map[state.DestinationKey]string{{Service: web, Server: netip.MustParseAddrPort("10.0.0.8:80")}: "connect: connection refused (4th time)"},
			Weight:   map[state.DestinationKey]int{{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}: 4},
			NoQuorum: map[ir.ServiceKey]bool{web: true},
		},
		Traffic: kernel.Traffics{
			Services: map[ir.ServiceKey]kernel.Traffic{web: {Connections: 7, PacketsIn: 40, PacketsOut: 38, BytesIn: 5000, BytesOut: 3 << 20}},
			Servers: map[state.DestinationKey]kernel.Traffic{
				{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}: {Connections: 7, PacketsIn: 40, PacketsOut: 38, BytesIn: 5000, BytesOut: 3 << 20},
			},
		},
		Certificates: map[state.DestinationKey]balance.Ending{
			{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}: {At: day.Add(5 * 24 * time.Hour), Soon: true},
			{Service: web, Server: netip.MustParseAddrPort("10.0.0.9:80")}: {At: day.Add(50 * 24 * time.Hour)},
		},
		Standings: []router.Standing{
			{Config: cfg.Instances[0], Role: vrrp.Master, Reason: vrrp.Because("no advert for 3.61s"), Since: day.Add(4 * time.Second), Priority: 120, Sum: track.Sum{Base: 100, Terms: []track.Term{{Thing: track.Thing{Kind: track.Script, Name: "web"}, N: 20}}}},
			{Config: cfg.Instances[1], Role: vrrp.Faulty, Reason: vrrp.Because("eth0 has no IPv6 link-local address"), Since: day, Priority: 100},
		},
		At: day.Add(2 * time.Hour), Started: day.Add(-48 * time.Hour), Since: day,
		Reload:   &Reload{At: day.Add(time.Hour), Refused: "lb01.conf:4:14: error: priority 300 is outside 1..255 [value-range]"},
		Problems: []string{"addresses: add 10.0.0.3/24 dev eth0: no such interface: eth0"},
		Objects: []reconcile.Report{{
			Kinds: []reconcile.Kind{{Kind: "address", Failed: 1}},
			Objects: []reconcile.Object{
				{Kind: "address", Name: "10.0.0.3/24 dev eth0", State: reconcile.Failed, Since: day.Add(time.Minute), Error: "no such interface: eth0", Tries: 7},
			},
		}, {
			Kinds: []reconcile.Kind{{Kind: "destination", InPlace: 2, Pending: 1, Counters: reconcile.Counters{Writes: 3}}},
			Objects: []reconcile.Object{
				{Kind: "destination", Name: "10.0.0.8:80 of tcp 10.0.0.3:80", State: reconcile.Pending, Remove: true, Since: day.Add(time.Minute)},
			},
		}},
	}
}

func TestScreen(t *testing.T) {
	var b bytes.Buffer
	d := sample().Document("lb01.conf", 1234)
	if err := d.Screen(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "testdata", "status", "screen.txt")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || b.String() != string(want) {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

// TestSchema validates what a director says about itself, and its events, with the schemas that we publish for
// programs. If fields change their meaning or are removed, the version grows and the schema gets a new name.
func TestSchema(t *testing.T) {
	idle := Snapshot{First: &ir.Config{}, Config: &ir.Config{}}
	full := sample().Document("lb01.conf", 1234)
	for _, c := range []struct {
		schema   string
		document any
	}{
		{"status-1", full},
		{"status-1", idle.Document("lb01.conf", 1234)},
		{"event-1", Line{EventVersion, Event{At: full.At, Level: "WARN", Subject: "VI_1", Text: "FAULT", Fields: map[string]any{"role": "FAULT", "priority": 100}}}},
	} {
		abs, err := filepath.Abs(filepath.Join("..", "..", "testdata", "schema", c.schema+".json"))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := gojsonschema.NewSchema(gojsonschema.NewReferenceLoader("file://" + filepath.ToSlash(abs)))
		if err != nil {
			t.Fatalf("%s: %v", c.schema, err)
		}
		text, err := json.Marshal(c.document)
		if err != nil {
			t.Fatal(err)
		}
		result, err := schema.Validate(gojsonschema.NewBytesLoader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range result.Errors() {
			t.Errorf("%s: %s: %v", c.schema, e, e.Value())
		}
		if result, err := schema.Validate(gojsonschema.NewStringLoader(`{"version": 99, "more": 1}`)); err != nil || result.Valid() {
			t.Errorf("%s lets everything pass: %v", c.schema, err)
		}
	}
}

// TestSituation applies what a director knows to the file that it would reload.
func TestSituation(t *testing.T) {
	d := sample().Document("lb01.conf", 1234)
	cfg := config(strings.NewReplacer("oldboy", "renamed", "10.0.0.7", "10.0.0.9").Replace(conf))
	s := d.Situation(cfg)
	if why := s.Master[cfg.Instances[0].Key()]; len(s.Master) != 1 || why != "no advert for 3.61s" {
		t.Errorf("masters: %v", s.Master)
	}
	web := cfg.VirtualServers[0].Key
	if cause := s.Down[state.DestinationKey{Service: web, Server: netip.MustParseAddrPort("10.0.0.8:80")}]; len(s.Down) != 1 || cause == "" || !s.NoQuorum[web] {
		t.Errorf("health: %v, %v", s.Down, s.NoQuorum)
	}
}

// TestOwns checks that what the director made is recognized by its name; a real server belongs to the owner of its
// service, and the rest is foreign.
func TestOwns(t *testing.T) {
	s := sample()
	vip := state.AddressKey{Dev: "eth0", Prefix: netip.MustParsePrefix("10.0.0.3/24")}
	route := state.RouteKey{Table: 100, Dst: netip.MustParsePrefix("0.0.0.0/0"), Protocol: ir.KeepalivedProtocol}
	rule := state.RuleKey{Priority: 7, Action: 1, Table: 100, Protocol: ir.KeepalivedProtocol}
	web := s.Config.VirtualServers[0].Key
	s.Made = []state.Key{web, vip, route, rule, state.DestinationKey{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}}
	d := s.Document("lb01.conf", 1234)
	if want := "10.0.0.3/24 dev eth0; 7: from all lookup 100; default table 100; tcp 10.0.0.3:80"; strings.Join(d.Made, "; ") != want {
		t.Errorf("made %q, want %q", d.Made, want)
	}
	owns := d.Owns()
	other, static := vip, route
	other.Dev, static.Protocol = "eth1", 4
	for k, want := range map[state.Key]bool{web: true, vip: true, route: true, rule: true, other: false, static: false} {
		if owns(k) != want {
			t.Errorf("owns %s: %v", k, !want)
		}
	}
}

// A stand is a socket with something that answers.
func stand(t *testing.T, answer func(context.Context, Question) (Document, error)) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "keepc")
	l, err := listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var server sync.WaitGroup
	server.Go(func() { Serve(ctx, l, Director{Document: answer}) })
	t.Cleanup(func() { cancel(); server.Wait() })
	return socket
}

func TestAsk(t *testing.T) {
	if _, err := ask(t.Context(), filepath.Join(t.TempDir(), "nobody"), About); !errors.Is(err, ErrNone) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := ask(t.Context(), strings.Repeat("long", 50), About); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a name that cannot be: %v", err)
	}
	good := sample().Document("lb01.conf", 1234)
	later := good
	later.Version = Version + 1
	for _, c := range []struct {
		name   string
		answer Document
		err    error
		want   string // in the error; empty: none
	}{
		{"answers", good, nil, ""},
		{"hangs", Document{}, errors.New("its event loop does not answer"), "its event loop does not answer"},
		{"is newer", later, nil, "it speaks version 2, this program understands version 1"},
	} {
		socket := stand(t, func(context.Context, Question) (Document, error) { return c.answer, c.err })
		d, err := ask(t.Context(), socket, About)
		if c.want == "" && (err != nil || d.File != "lb01.conf" || len(d.Instances) != 2) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, %v", c.name, d, err)
		}
	}
}

// TestQuestions checks that the configuration, which has secrets, is only for those who ask for it. A client that asks
// nothing, as one of an older version, gets the status.
func TestQuestions(t *testing.T) {
	socket := stand(t, func(_ context.Context, q Question) (Document, error) {
		d := Document{Version: Version}
		if q == InForce {
			d.Configuration = []byte("global_defs")
		}
		return d, nil
	})
	for q, want := range map[Question]string{About: "", InForce: "global_defs", "": "", "something new": ""} {
		d, err := ask(t.Context(), socket, q)
		if err != nil || string(d.Configuration) != want {
			t.Errorf("%q: %v, %+v", q, err, d)
		}
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if text, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(text), `{"version":1`) {
		t.Errorf("who says nothing: %v, %s", err, text)
	}
}

// TestListen checks that a name belongs to the process that took it first; it is a director's if its user is trusted.
func TestListen(t *testing.T) {
	socket := stand(t, func(context.Context, Question) (Document, error) { return Document{}, nil })
	if l, err := listen(socket); l != nil || !errors.Is(err, ErrRuns) {
		t.Errorf("a second director: %v, %v", l, err)
	}
	mute := filepath.Join(t.TempDir(), "mute") // bound, and nothing listens
	if err := os.WriteFile(mute, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var taken *TakenError
	if l, err := listen(mute); l != nil || !errors.As(err, &taken) {
		t.Errorf("a name without a listener: %v, %v", l, err)
	}
}

// TestCrowd checks that clients that ask and do not listen do not keep a director from being stopped, and that excess
// clients are turned away.
func TestCrowd(t *testing.T) {
	began := make(chan struct{}, maxClients)
	socket := stand(t, func(ctx context.Context, _ Question) (Document, error) {
		began <- struct{}{}
		<-ctx.Done()
		return Document{}, ctx.Err()
	})
	for range maxClients {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		<-began
	}
	if _, err := ask(t.Context(), socket, About); err == nil || !strings.Contains(err.Error(), "too many ask at once") {
		t.Errorf("one too many: %v", err)
	}
}

// TestLeaving checks that a client which waited for a director that ended is told that none runs, not that too many ask.
func TestLeaving(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "keepc")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, err := l.Accept()
		_ = l.Close()
		if err == nil {
			_ = c.Close()
		}
	}()
	if _, err := ask(t.Context(), socket, About); !errors.Is(err, ErrNone) {
		t.Errorf("a director that ended: %v, want %v", err, ErrNone)
	}
}
