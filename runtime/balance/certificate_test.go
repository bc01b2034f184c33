package balance_test

import (
	"fmt"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/health"
)

// TestCertificates checks that a director tells once that the certificate of a server ends soon, while that can still be helped, and once that
// it is renewed. A server with several names may have a certificate for each.
func TestCertificates(t *testing.T) {
	const day = 24 * time.Hour
	valid := func(time, left time.Duration) health.Certificate {
		return health.Certificate{From: epoch.Add(left - time), Until: epoch.Add(left)}
	}
	none := health.Certificate{}
	ends, renewed := "10.0.0.0:80: its certificate ends at ", "10.0.0.0:80: its certificate is renewed: it ends at "
	at := func(left time.Duration) string {
		return epoch.Add(left).UTC().Format("2006-01-02 15:04") + " UTC; of tcp 192.0.0.0:80"
	}
	verified := &ir.Verification{}
	for _, c := range []struct {
		name  string
		v     *ir.Verification
		pages []health.Certificate // what one page after the other is shown, of two in turn
		notes []string
		end   time.Duration // of the first certificate to end, at last; 0: none is known
		soon  bool
	}{
		{"lasts", verified, []health.Certificate{valid(90*day, 30*day)}, nil, 30 * day, false},
		{"a week before its end", verified, []health.Certificate{valid(90*day, 6*day)}, []string{ends + at(6*day)}, 6 * day, true},
		{"of six days, in good time", verified, []health.Certificate{valid(6*day, 2*day)}, nil, 2 * day, false},
		{"of six days, late", verified, []health.Certificate{valid(6*day, day)}, []string{ends + at(day)}, day, true},
		{"the server is taken out before its end", &ir.Verification{Lasts: 3 * day}, []health.Certificate{valid(90*day, 9*day)}, []string{ends + at(9*day)}, 9 * day, true},
		{"has ended", verified, []health.Certificate{valid(90*day, -day)}, []string{ends + at(-day)}, -day, true},
		{"is not verified", nil, []health.Certificate{valid(90*day, day)}, nil, day, false},
		{"none was shown", verified, []health.Certificate{none}, nil, 0, false},
		{"told once", verified, []health.Certificate{valid(90*day, day), valid(90*day, day), none, valid(90*day, day)}, []string{ends + at(day)}, day, true},
		{"renewed", verified, []health.Certificate{valid(90*day, day), valid(90*day, 80*day), valid(90*day, 80*day)},
			[]string{ends + at(day), renewed + at(80*day)}, 80 * day, false},
		{"another name has another one", verified, []health.Certificate{valid(90*day, 20*day), valid(90*day, day), valid(90*day, 20*day)}, []string{ends + at(day)}, day, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := farm(1, 1)
			check := cfg.VirtualServers[0].RealServers[0].Checks[0]
			check.Checker = &ir.HTTPCheck{TLS: true, Verification: c.v, URLs: []*ir.URL{{Path: "/a"}, {Path: "/b"}}}
			m := balance.New(epoch, balance.Prepare(cfg, balance.Start(0)))
			var notes []string
			for _, shown := range c.pages {
				due, _ := m.Deadline()
				for _, f := range m.Step(due, balance.Tick{}) {
					if p, ok := f.(balance.StartProbe); ok {
						for _, f := range m.Step(due, balance.ProbeDone{ID: p.ID, Result: health.Result{Up: true, Certificate: shown}}) {
							if n, ok := f.(balance.Note); ok {
								notes = append(notes, n.String())
							}
						}
					}
				}
			}
			if fmt.Sprint(notes) != fmt.Sprint(c.notes) {
				t.Errorf("got %q, want %q", notes, c.notes)
			}
			var key state.DestinationKey
			for k := range m.Statistics() {
				key = k
			}
			want := balance.Ending{}
			if c.end != 0 {
				want = balance.Ending{At: epoch.Add(c.end), Soon: c.soon}
			}
			if got := m.Certificates()[key]; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}
