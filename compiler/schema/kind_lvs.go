package schema

import (
	"time"

	"keepc/compiler/ir"
)

// timeouts is one or more IPVS timeouts, each after its name. The last one of each name counts.
var timeouts = Kind[ir.Timeouts]{"tcp, tcpfin or udp and 0..2678400 seconds", func(r *reader) (t ir.Timeouts, ok bool) {
	name, seconds := Choice("tcp", "tcpfin", "udp"), Seconds(0, 2678400)
	for first := true; first || len(r.rest) > 0; first = false {
		which, ok := name.read(r)
		if !ok {
			return t, false
		}
		d, ok := seconds.read(r)
		if !ok {
			return t, false
		}
		*map[string]*time.Duration{"tcp": &t.TCP, "tcpfin": &t.TCPFin, "udp": &t.UDP}[which] = d
	}
	return t, true
}}
