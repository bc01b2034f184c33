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
	// claimPeriod is how long the same claim stays untold.
	claimPeriod = 200 * time.Millisecond
	// claimsTold and claimsRead bound what is told and what is read in a period. Nobody reads more: the kernel drops it.
	claimsTold = 32
	claimsRead = 256
)

// hearClaims makes the VRRP loop hear which other hosts say that they have addresses of ours: of a flood little more than of a few.
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

// A claimSieve holds back what says nothing new.
type claimSieve struct {
	mu    sync.Mutex
	last  map[kernel.Claim]heardClaim
	began time.Time // of a period, in which so many were read
	read  int
}

type heardClaim struct {
	told  time.Time
	count uint64 // of those since
}

// hear takes a claim. It returns how often this one was heard since it was told, if it is to be told now, else 0; and how long the reader is to rest.
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
