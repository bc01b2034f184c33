package daemon

import (
	"net/netip"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// hearClaims makes the VRRP loop hear which other hosts say that they have addresses of ours.
func (d *director) hearClaims(k kernel.Neighbours, cfg *ir.Config) (err error) {
	d.claimed, err = k.WatchClaims(d.work, func(c kernel.Claim) {
		select {
		case d.router.claims <- c:
		case <-d.work.Done():
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
