package status

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

//go:embed page.html
var files embed.FS

// Handler answers GET: / is a page for people, /status.json the Document, /metrics for Prometheus. Every answer is
// made on request.
func (d Director) Handler() (http.Handler, error) {
	page, err := template.New("page.html").Funcs(template.FuncMap{"ago": ago, "clock": clock, "bytes": inBytes}).ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("read the page: %w", err)
	}
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{collector{d}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("prepare the metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxClients}))
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, r *http.Request) {
		if m, ok := d.document(w, r); ok {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(m)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if m, ok := d.document(w, r); ok {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			v := view{Document: m, Program: d.Version}
			if d.Plan != nil {
				v.Plan = d.Plan()
			}
			_ = page.Execute(w, v)
		}
	})
	return headers(mux), nil
}

func (d Director) document(w http.ResponseWriter, r *http.Request) (Document, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	m, err := d.Document(ctx, Counted)
	if err != nil {
		http.Error(w, "the director does not answer: "+err.Error(), http.StatusServiceUnavailable)
		return Document{}, false
	}
	return m, true
}

// headers forbids browsers everything that the page does not need.
func headers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

// ServePage answers browsers until ctx ends; then it closes the listener. A slow client is dropped.
func ServePage(ctx context.Context, l net.Listener, d Director) error {
	h, err := d.Handler()
	if err != nil {
		return err
	}
	s := &http.Server{Handler: h, ReadTimeout: patience, WriteTimeout: 10 * patience, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })() // closing loses nothing
	if err := s.Serve(netutil.LimitListener(l, 8*maxClients)); ctx.Err() == nil {
		return fmt.Errorf("answer browsers: %w", err)
	}
	return nil
}

// A view is what the page shows.
type view struct {
	Document
	Program string // its version
	Plan    string // for files that are changed and not applied; empty: there are none
}

// Alive returns how many servers of a service are up, for the page.
func (s Service) Alive() (n int) {
	for _, r := range s.Servers {
		if r.Up {
			n++
		}
	}
	return n
}

// ago formats a duration in the two largest units that fit.
func ago(t, now time.Time) string {
	d := now.Sub(t).Round(time.Second)
	switch {
	case d < 2*time.Minute:
		return d.String()
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// inBytes formats an amount in the largest unit that it reaches.
func inBytes(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	x, i := float64(n), 0
	for ; x >= 1024 && i < len(units)-1; i++ {
		x /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[i])
}

// latestEvents is how many events the page shows.
const latestEvents = 50

// Latest returns the last events, the newest first, for the page.
func (d Document) Latest() []Event {
	list := slices.Clone(d.Events[max(0, len(d.Events)-latestEvents):])
	slices.Reverse(list)
	return list
}
