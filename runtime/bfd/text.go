package bfd

import "fmt"

// Effects print as one line.

func (e Send) String() string { return "send " + e.Packet.String() }

func (e Changed) String() string {
	if e.Diagnostic == NoDiagnostic {
		return fmt.Sprintf("%v -> %v", e.From, e.To)
	}
	return fmt.Sprintf("%v -> %v (%v)", e.From, e.To, e.Diagnostic)
}

func (e Transmit) String() string { return e.Session.Name + " send " + e.Packet.String() }

func (e StateChanged) String() string { return e.Session.Name + " " + e.Changed.String() }

// Text says what happened, for the log.
func (e StateChanged) Text() string {
	switch {
	case e.To == Up:
		return fmt.Sprintf("up: %v answers", e.Session.Neighbor)
	case e.To == AdminDown:
		return "ends: the neighbour is told"
	case e.From != Up:
		return e.Changed.String()
	case e.Diagnostic == NeighborDown && e.Remote != NoDiagnostic:
		return fmt.Sprintf("down: %v; there: %v", e.Diagnostic, e.Remote)
	}
	return fmt.Sprintf("down: %v", e.Diagnostic)
}

func (e Ignored) String() string { return fmt.Sprintf("discard a packet from %v: %v", e.Src, e.Why) }
