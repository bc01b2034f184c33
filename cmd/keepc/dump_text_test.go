package main

import (
	"fmt"
	"strings"

	"keepc/compiler/ir"
	"keepc/runtime/dumps"
	"keepc/runtime/script"
	"keepc/runtime/status"
)

// A dumpBlock is one object of a dump: the line that names it and the lines about it, in any order.
type dumpBlock struct {
	head  string
	lines []string
}

// lvsDump returns what the dump of a director says about the configuration of virtual servers, checkers and BFD
// sessions, without later events.
func lvsDump(cfg *ir.Config) []dumpBlock {
	runs, _ := script.Vet(cfg)
	w := &dumpWriter{told(string(dumps.Checkers(status.Snapshot{Config: runs})))}
	if withSessions(cfg) {
		for _, b := range cfg.BFDs {
			w.session(b)
		}
	}
	return w.blocks
}

// A dumpWriter writes what keepc's dump lacks: BFD sessions.
type dumpWriter struct{ blocks []dumpBlock }

func (w *dumpWriter) block(format string, args ...any) {
	w.blocks = append(w.blocks, dumpBlock{head: fmt.Sprintf(format, args...)})
}

func (w *dumpWriter) line(format string, args ...any) {
	b := &w.blocks[len(w.blocks)-1]
	b.lines = append(b.lines, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// where writes a line that the dump has only sometimes.
func (w *dumpWriter) where(there bool, format string, args ...any) {
	if there {
		w.line(format, args...)
	}
}

func (w *dumpWriter) session(b *ir.BFD) {
	w.block("BFD Instance = %s", b.Name)
	w.line("Neighbor IP = %s", b.Neighbor)
	w.where(b.Source.IsValid(), "Source IP = %s", b.Source)
	w.line("Required min RX interval = %d us", b.MinRX.Microseconds())
	w.line("Desired min TX interval = %d us", b.MinTX.Microseconds())
	w.line("Desired idle TX interval = %d us", b.IdleTX.Microseconds())
	w.line("Detection multiplier = %d", b.Multiplier)
	w.line("%s = %d", choose(b.Neighbor.Is6(), "hoplimit", "TTL"), b.TTL)
	w.line("max_hops = %d", b.MaxHops)
	w.line("passive = %v", b.Passive)
	w.line("send event to checker process = %s", choose(b.Checker, "Yes", "No"))
}

func choose[V any](b bool, yes, no V) V {
	if b {
		return yes
	}
	return no
}

func yesNo(b bool) string { return choose(b, "yes", "no") }
