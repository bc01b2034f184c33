package kernel

import (
	"errors"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// DefaultTimeouts are those that a kernel starts with (net/netfilter/ipvs in its source).
func DefaultTimeouts() state.Timeouts {
	return state.Timeouts{Timeouts: ir.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}}
}

var errNoService = errors.New("no such virtual server")
