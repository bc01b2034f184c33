package balance

import (
	"net/netip"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// An Effect is something to do once, in order. State is not an effect: after each Step the director makes Want true.
type Effect interface {
	// CarryOut calls the method of a handler that is named after the effect.
	CarryOut(Handler)
}

// A Handler carries out effects. There are two: the director's loop and the one of simulate. A new effect needs a method
// here, and then neither of them compiles until it says what happens to it.
type Handler interface {
	Note(Note)
	Told(Told)
	ServerChanged(ServerChanged)
	WeightChanged(WeightChanged)
	QuorumChanged(QuorumChanged)
	AnnouncementChanged(AnnouncementChanged)
	StartProbe(StartProbe)
}

// ServerChanged says that a real server came or went.
type ServerChanged struct {
	Server state.DestinationKey
	Up     bool
	Reason string
}

// WeightChanged says that checks, or an operator, gave a real server a different weight.
type WeightChanged struct {
	Server        state.DestinationKey
	Weight, Files int  // the weight now, and that of the file
	Operator      bool // an operator sets it, or did so until now
}

// QuorumChanged says that a service lost its quorum, so that its sorry server serves, or regained it.
type QuorumChanged struct {
	Service ir.ServiceKey
	Lost    bool
	Reason  string // e.g. "weight 1 of 3 is alive, quorum 2"
}

// AnnouncementChanged says that an address enters a different stage of its announcement.
type AnnouncementChanged struct {
	Name   string
	Addr   netip.Addr
	Stage  state.Stage
	Reason string
}

// StartProbe asks for one probe; its result comes back as ProbeDone.
type StartProbe struct {
	ID      CheckID
	Server  state.DestinationKey
	Check   *ir.Check // what to ask; it is immutable
	Page    int       // for a check of pages: which one to ask for, from 0
	Timeout time.Duration
}

// Note is a line for the log.
type Note struct {
	Subject string // what it is about
	Text    string
	Fine    bool // good news
}

// CarryOut implements Effect.
func (e Note) CarryOut(h Handler) { h.Note(e) }

// CarryOut implements Effect.
func (e Told) CarryOut(h Handler) { h.Told(e) }

// CarryOut implements Effect.
func (e ServerChanged) CarryOut(h Handler) { h.ServerChanged(e) }

// CarryOut implements Effect.
func (e WeightChanged) CarryOut(h Handler) { h.WeightChanged(e) }

// CarryOut implements Effect.
func (e QuorumChanged) CarryOut(h Handler) { h.QuorumChanged(e) }

// CarryOut implements Effect.
func (e AnnouncementChanged) CarryOut(h Handler) { h.AnnouncementChanged(e) }

// CarryOut implements Effect.
func (e StartProbe) CarryOut(h Handler) { h.StartProbe(e) }
