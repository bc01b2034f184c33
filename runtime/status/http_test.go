package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keepc/runtime/bfd"
	"keepc/runtime/router"
)

func director(d Document, err error) Director {
	return Director{Version: "1.0", Document: func(context.Context, Question) (Document, error) { return d, err }}
}

func get(t *testing.T, d Director, method, path string) (*http.Response, string) {
	t.Helper()
	h, err := d.Handler()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

// TestMetrics compares what Prometheus gets of the sample with a file, besides what is the same for every program in Go;
// Prometheus's linter finds nothing wrong with the names. UPDATE=1 rewrites the file.
func TestMetrics(t *testing.T) {
	document := sample().Document("lb01.conf", 1234)
	document.Instances[0].Conditions = []Condition{{Name: "wrong password", Peer: netip.MustParseAddr("192.0.2.2"), Last: time.Unix(1777871560, 0), Count: 3}}
	document.Announcements = []Announcement{{Name: "edge", Address: netip.MustParseAddr("10.0.0.3"), Table: 198, Stage: "draining", Why: "an operator drains edge"}}
	document.Scripts = []Script{{Name: "web", Known: true, Good: true, Runs: 40, Failures: 2}}
	d := director(document, nil)
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(collector{d}); err != nil {
		t.Fatal(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	_, text := get(t, d, http.MethodGet, "/metrics")
	var lines []string
	for line := range strings.Lines(text) {
		if name := strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "); strings.HasPrefix(name, "keepc_") && !strings.Contains(line, "goversion") {
			lines = append(lines, line)
		}
	}
	golden := filepath.Join("testdata", "metrics.txt")
	got := strings.Join(lines, "")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// TestMetricsOfTwins checks that two subjects with the same labels do not cost the page: the first of them counts, which is the new one of the
// two sessions that there are while a reload changes a source_ip. Neither does a name that is not UTF-8.
func TestMetricsOfTwins(t *testing.T) {
	s := sample()
	leaving, arriving := s.Sessions[1], s.Sessions[1]
	changed := *arriving.Config
	changed.Source = netip.MustParseAddr("10.0.0.1")
	arriving.Config, arriving.State = &changed, bfd.Down
	s.Sessions = []bfd.Standing{s.Sessions[0], arriving, leaving}
	s.Scripts = []router.ScriptStanding{{Name: "web"}, {Name: "web"}}
	d := s.Document("lb01.conf", 1234)
	d.Instances[0].Conditions = []Condition{{Name: "wrong password", Peer: netip.MustParseAddr("192.0.2.2"), Count: 3}, {Name: "wrong password", Peer: netip.MustParseAddr("192.0.2.2"), Count: 4}}
	d.Services[0].Servers = append(d.Services[0].Servers, d.Services[0].Servers[0])
	d.Instances, d.Services, d.Kinds = append(d.Instances, d.Instances[0]), append(d.Services, d.Services[0]), append(d.Kinds, d.Kinds[0])
	d.Instances[1].Name = "B\xfcro"
	r, text := get(t, director(d, nil), http.MethodGet, "/metrics")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%.2000s", r.Status, text)
	}
	for _, want := range []string{`keepc_bfd_session_up{neighbor="10.0.0.8",session="c"} 0`, `vrrp_instance="B` + "\ufffd" + `ro"`, `peer="192.0.2.2",twin="0",vrid="62",vrrp_instance="oldboy"} 3`, "keepc_up 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if series, _, _ := strings.Cut(line, "} "); strings.HasPrefix(line, "keepc_") && seen[series] {
			t.Errorf("twice: %s", line)
		} else {
			seen[series] = true
		}
	}
}

// TestPage checks that the page shows what is wrong, roles with reasons, servers and events; that foreign text is
// shown as text; that it allows no changes, and that a browser runs nothing.
func TestPage(t *testing.T) {
	m := sample().Document("lb01.conf", 1234)
	m.Events = []Event{{At: m.At, Level: "WARN", Subject: "10.0.0.7:80", Text: `down: <script>alert("x")</script>`}}
	d := director(m, nil)
	r, page := get(t, d, http.MethodGet, "/")
	if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%v", r)
	}
	want := append([]string{"keepc enforces lb01.conf", "oldboy", "tcp 10.0.0.3:80", "10.0.0.8:80", "&lt;script&gt;", `name="viewport"`}, m.Instances[0].Role)
	for _, text := range want {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	if strings.Contains(page, "<script") {
		t.Error("the page has a script")
	}
	if n := strings.Count(page, "<li>"); n < len(m.Wrong()) {
		t.Errorf("%d lines in lists, %d are wrong", n, len(m.Wrong()))
	}
	var again Document
	if _, text := get(t, d, http.MethodGet, "/status.json"); json.Unmarshal([]byte(text), &again) != nil || again.File != "lb01.conf" {
		t.Errorf("status.json: %.200s", text)
	}
	for _, c := range []struct {
		method, path string
		director     Director
		want         int
	}{
		{http.MethodPost, "/", d, http.StatusMethodNotAllowed},
		{http.MethodDelete, "/status.json", d, http.StatusMethodNotAllowed},
		{http.MethodGet, "/etc/passwd", d, http.StatusNotFound},
		{http.MethodGet, "/", director(Document{}, errors.New("hangs")), http.StatusServiceUnavailable},
		{http.MethodGet, "/metrics", director(Document{}, errors.New("hangs")), http.StatusOK}, // with keepc_up 0
	} {
		if r, body := get(t, c.director, c.method, c.path); r.StatusCode != c.want {
			t.Errorf("%s %s: %s\n%s", c.method, c.path, r.Status, body)
		}
	}
	if _, text := get(t, director(Document{}, errors.New("hangs")), http.MethodGet, "/metrics"); !strings.Contains(text, "\nkeepc_up 0\n") {
		t.Errorf("a director that hangs:\n%s", text)
	}
}

// TestPageIsWellWhereNothingIsWrong checks that the page shows no router as odd while all is well: earlier drops are
// over, the two masters only crossed at a change, and an instance in FAULT, which is wrong by itself, does not listen.
func TestPageIsWellWhereNothingIsWrong(t *testing.T) {
	peer, at := netip.MustParseAddr("192.0.2.2"), time.Date(2026, 5, 4, 5, 12, 32, 0, time.Local)
	for _, c := range []struct {
		name     string
		instance Instance
		odd      int
		nobody   bool
	}{
		{"a drop that is over", Instance{Role: "MASTER", Dropped: []Dropped{{Peer: peer, Last: at.Add(-time.Hour), Count: 7}}}, 0, false},
		{"a drop", Instance{Role: "MASTER", Dropped: []Dropped{{Peer: peer, Last: at, Count: 7}}}, 1, false},
		{"a condition that is over", Instance{Role: "MASTER", Conditions: []Condition{{Name: "one-way", Peer: peer, Last: at.Add(-time.Hour), Count: 7}}}, 0, false},
		{"a drop after a condition", Instance{Role: "MASTER", Dropped: []Dropped{{Peer: peer, Last: at, Count: 7}},
			Conditions: []Condition{{Name: "one-way", Peer: peer, Last: at.Add(-time.Hour), Count: 7}}}, 1, false},
		{"a condition of what is dropped", Instance{Role: "MASTER", Dropped: []Dropped{{Peer: peer, Last: at, Count: 7}},
			Conditions: []Condition{{Name: "wrong password", Peer: peer, Last: at, Count: 7}}}, 1, false},
		{"two masters once", Instance{Role: "MASTER", Conditions: []Condition{{Name: "dual master", Peer: peer, Last: at, Count: 1}}}, 0, false},
		{"two masters", Instance{Role: "MASTER", Conditions: []Condition{{Name: "dual master", Peer: peer, Last: at, Count: 2}}}, 1, false},
		{"FAULT", Instance{Role: "FAULT"}, 0, false},
		{"a BACKUP that starts", Instance{Role: "BACKUP"}, 0, true},
		{"a BACKUP", Instance{Role: "BACKUP", Master: &Master{Address: peer}}, 0, false},
	} {
		d := Document{At: at, Instances: []Instance{c.instance}}
		_, page := get(t, director(d, nil), http.MethodGet, "/")
		if odd := strings.Count(page, "router odd"); odd != c.odd || (odd > 0) != (len(d.Wrong()) > 0 && c.instance.Role != "FAULT") {
			t.Errorf("%s: %d routers are odd, want %d; wrong is %q", c.name, odd, c.odd, d.Wrong())
		}
		if strings.Contains(page, "no MASTER is heard") != c.nobody {
			t.Errorf("%s: that no MASTER is heard is shown: %v", c.name, !c.nobody)
		}
	}
}

// TestEvents checks that a follower gets each event from then on, until the director ends.
func TestEvents(t *testing.T) {
	events, ended := make(chan Event, 1), make(chan struct{})
	socket := filepath.Join(t.TempDir(), "keepc")
	l, err := listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	served := make(chan struct{})
	go func() {
		defer close(served)
		Serve(ctx, l, Director{Follow: func() (<-chan Event, func()) { return events, func() { close(ended) } }})
	}()
	want := Event{At: time.Unix(1764000000, 0).UTC(), Level: "INFO", Subject: "VI_1 MASTER", Text: "no advert for 3.6s", Fields: map[string]any{"role": "MASTER"}}
	events <- want
	var got []Event
	err = eventsOf(t.Context(), socket, func(e Event) error {
		got = append(got, e)
		cancel() // the director ends
		return nil
	})
	if !errors.Is(err, io.EOF) || cmp.Diff([]Event{want}, got) != "" {
		t.Errorf("%v: %s", err, cmp.Diff([]Event{want}, got))
	}
	<-ended
	<-served
}
