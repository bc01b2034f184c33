package daemon

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

const (
	// claimPeriod is how long a repeated claim is not reported.
	claimPeriod = 200 * time.Millisecond
	// claimsTold and claimsRead limit how many claims are reported and read in a period. The rest stays unread: the
	// kernel drops it.
	claimsTold = 32
	claimsRead = 256
)

// hearClaims lets the VRRP loop hear which other hosts claim addresses of ours: little more of a flood than of a few.
func (d *director) hearClaims(k kernel.Neighbours, cfg *ir.Config) (err error) {
	var claims claimSieve
	d.claimed, err = k.WatchClaims(d.work, func(c kernel.Claim) {
		count, rest := claims.hear(time.Now(), c)
		if count > 0 {
			select {
			case d.router.claims <- router.Claimed{Interface: c.Interface, Addr: c.Addr, MAC: c.MAC, Count: count}:
			case <-d.work.Done():
			}
		}
		if rest > 0 {
			select {
			case <-time.After(rest):
			case <-d.work.Done():
			}
		}
	})
	d.watchClaims(cfg)
	return err
}

// watchClaims follows a configuration.
func (d *director) watchClaims(cfg *ir.Config) {
	if d.claimed == nil {
		return
	}
	var addrs []netip.Addr
	for _, v := range cfg.Instances {
		for _, a := range v.Addresses {
			addrs = append(addrs, a.Prefix.Addr())
		}
	}
	d.claimed(addrs)
}

// A claimSieve holds back claims that are not news.
type claimSieve struct {
	mu    sync.Mutex
	last  map[kernel.Claim]heardClaim
	began time.Time // of the current period, and how many were read in it
	read  int
}

type heardClaim struct {
	told  time.Time
	count uint64 // claims since it was reported
}

// hear takes a claim. It returns how often this claim was heard since it was last reported, if it is to be reported
// now, otherwise 0; and how long the reader should pause.
func (s *claimSieve) hear(now time.Time, c kernel.Claim) (count uint64, rest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.began) >= claimPeriod {
		s.began, s.read = now, 0
	}
	if s.read++; s.read >= claimsRead {
		rest = s.began.Add(claimPeriod).Sub(now)
	}
	old, known := s.last[c]
	if !known && len(s.last) >= claimsTold {
		maps.DeleteFunc(s.last, func(_ kernel.Claim, h heardClaim) bool { return now.Sub(h.told) >= claimPeriod })
		if len(s.last) >= claimsTold {
			return 0, rest
		}
	}
	if s.last == nil {
		s.last = map[kernel.Claim]heardClaim{}
	}
	if old.count++; known && now.Sub(old.told) < claimPeriod {
		s.last[c] = old
		return 0, rest
	}
	s.last[c] = heardClaim{told: now}
	return old.count, rest
}
