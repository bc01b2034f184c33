package daemon

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

// TestClaimFlood checks that the VRRP loop hears of a flood of claims at a bounded pace, and how many there were.
func TestClaimFlood(t *testing.T) {
	const sent = 20 * claimsRead // in as many periods
	claim := kernel.Claim{Interface: "eth0", Addr: netip.MustParseAddr("192.0.2.10"), MAC: [6]byte{2}}
	for _, c := range []struct {
		name string
		nth  func(n int) kernel.Claim
		told int
	}{
		{"one host", func(int) kernel.Claim { return claim }, 20},
		{"one host, two addresses", func(n int) kernel.Claim {
			c := claim
			if n%2 == 1 {
				c.Addr = c.Addr.Next()
			}
			return c
		}, 40},
		{"ever different hosts", func(n int) kernel.Claim {
			c := claim
			c.MAC[4], c.MAC[5] = byte(n>>8), byte(n)
			return c
		}, 20 * claimsTold},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				d := &director{work: ctx, router: &routerLoop{claims: make(chan router.Claimed)}}
				start := time.Now()
				ended := make(chan struct{})
				flood := claimed(func(told func(kernel.Claim)) {
					defer close(ended)
					for n := range sent {
						told(c.nth(n))
					}
				})
				if err := d.hearClaims(flood, &ir.Config{}); err != nil {
					t.Fatal(err)
				}
				told, count := 0, uint64(0)
				for running := true; running; {
					select {
					case c := <-d.router.claims:
						told++
						count += c.Count
					case <-ended:
						running = false
					}
				}
				if took := time.Since(start); told != c.told || took != 20*claimPeriod {
					t.Errorf("told %d times in %v, want %d times in %v", told, took, c.told, 20*claimPeriod)
				}
				if held := uint64(sent) - count; c.told <= 40 && held > 2*claimsRead {
					t.Errorf("told of %d claims of %d", count, sent)
				}
			})
		})
	}
}

// claimed is a kernel that reports claims.
type claimed func(told func(kernel.Claim))

func (f claimed) Announce(string, netip.Addr) error { return nil }

func (f claimed) WatchClaims(_ context.Context, told func(kernel.Claim)) (about func([]netip.Addr), err error) {
	go f(told)
	return func([]netip.Addr) {}, nil
}
