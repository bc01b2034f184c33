package bfd

import (
	"math/rand/v2"
	"time"
)

// A Config is the configuration of a session. Times are whole microseconds.
type Config struct {
	MinTX      time.Duration // the shortest time between packets that are sent, once the session is up
	IdleTX     time.Duration // the time between packets before that: at least a second (RFC 5880 section 6.8.3)
	MinRX      time.Duration // the shortest time between packets that can be received
	Multiplier uint8         // bfd.DetectMult
	Passive    bool          // sends nothing before it has heard the other end: RFC 5880 section 6.1
}

// A Session is one end of a session. Its fields are the variables of RFC 5880 section 6.8.1.
type Session struct {
	Config

	SessionState          State
	RemoteSessionState    State
	LocalDiscr            uint32
	RemoteDiscr           uint32 // 0: not known
	LocalDiag             Diagnostic
	RemoteDiag            Diagnostic    // that of the last packet
	DesiredMinTxInterval  time.Duration // as announced to the other end
	RequiredMinRxInterval time.Duration // likewise
	RemoteMinRxInterval   time.Duration // 0: the other end wants no periodic packets
	RemoteMinTxInterval   time.Duration // the last received Desired Min TX Interval
	RemoteDetectMult      uint8
	RemoteDemandMode      bool

	// A Poll Sequence is in progress (section 6.5). Until it ends, the slower of the old and the new timing applies
	// (section 6.8.3).
	polling        bool
	txUntilPolled  time.Duration // what a longer DesiredMinTxInterval replaces; 0: nothing
	rxUntilPolled  time.Duration // what a shorter RequiredMinRxInterval replaces; 0: nothing
	sent           time.Time     // the last periodic packet
	pause          time.Duration // from it to the next one, including jitter
	heard          time.Time     // when the last accepted packet came; zero: none
	random         *rand.Rand
	since          time.Time // of SessionState
	counts         Statistics
	administrative bool // AdminDown: after Stop
}

// Statistics are the counters of a session since it was made, with the names of RFC 9314.
type Statistics struct {
	ReceivePacketCount        uint64 // accepted
	SendPacketCount           uint64
	ReceiveInvalidPacketCount uint64 // discarded, by any rule
	UpCount                   uint64
	DownCount                 uint64
}

// The intervals of RFC 5880.
const (
	slowest       = time.Second      // the minimum DesiredMinTxInterval of a session that is not up: section 6.8.3
	initialMinRx  = time.Microsecond // bfd.RemoteMinRxInterval before anything is heard: section 6.8.1
	jitterPercent = 25               // the most that is subtracted: section 6.8.7
)

// NewSession returns an end that starts now. localDiscr must not be 0 and must be unique among the director's
// sessions; seed is for the jitter.
func NewSession(now time.Time, c Config, localDiscr uint32, seed uint64) *Session {
	s := &Session{
		Config: c, SessionState: Down, RemoteSessionState: Down, LocalDiscr: localDiscr, RemoteMinRxInterval: initialMinRx,
		RequiredMinRxInterval: c.MinRX, random: rand.New(rand.NewPCG(seed, uint64(localDiscr))), since: now,
	}
	s.DesiredMinTxInterval = s.idle()
	// The first packet comes within an interval, so that directors that start together do not send together.
	s.sent, s.pause = now, time.Duration(s.random.Int64N(int64(firstWithin)))
	return s
}

// firstWithin is the longest wait before the first packet of a session.
const firstWithin = 100 * time.Millisecond

func (s *Session) idle() time.Duration { return max(s.IdleTX, slowest) }

// An Event is something that happened to a session.
type Event interface{ event() }

// Tick says that the deadline has come.
type Tick struct{}

// Received is a packet for the session that Unmarshal has accepted.
type Received struct{ Packet }

// Reconfigure gives the session a new Config. The session continues.
type Reconfigure struct{ Config }

// Stop ends the session on purpose: the other end is told AdminDown.
type Stop struct{}

func (Tick) event()        {}
func (Received) event()    {}
func (Reconfigure) event() {}
func (Stop) event()        {}

// An Effect is something to do once, in order.
type Effect interface{ effect() }

// Send sends a packet.
type Send struct{ Packet }

// Changed says that the session changed its state.
type Changed struct {
	From, To   State
	Diagnostic Diagnostic // bfd.LocalDiag
	Remote     Diagnostic // that of the other end's last packet
}

func (Send) effect()    {}
func (Changed) effect() {}

// Statistics are the counters.
func (s *Session) Statistics() Statistics { return s.counts }

// Since returns when the session entered its state.
func (s *Session) Since() time.Time { return s.since }

// Discard counts a packet that was for the session, or seemed to be, and was discarded.
func (s *Session) Discard() { s.counts.ReceiveInvalidPacketCount++ }

// DetectionTime returns how long nothing may be heard (section 6.8.4); 0: nothing has been heard yet.
func (s *Session) DetectionTime() time.Duration {
	if s.heard.IsZero() {
		return 0
	}
	return time.Duration(s.RemoteDetectMult) * max(s.RequiredMinRxInterval, s.rxUntilPolled, s.RemoteMinTxInterval)
}

// TransmitInterval is the time between periodic packets before jitter (section 6.8.7).
func (s *Session) TransmitInterval() time.Duration {
	tx := s.DesiredMinTxInterval
	if s.txUntilPolled > 0 {
		tx = s.txUntilPolled
	}
	return max(tx, s.RemoteMinRxInterval)
}

// Deadline returns when the session needs its next Tick; false: it waits for a packet.
func (s *Session) Deadline() (at time.Time, some bool) {
	if s.administrative {
		return at, false
	}
	if s.transmits() {
		at, some = s.sent.Add(s.pause), true
	}
	if expires, runs := s.expires(); runs && (!some || expires.Before(at)) {
		at, some = expires, true
	}
	return at, some
}

// expires returns when the Detection Time ends, for a session that has heard the other end and so knows its
// discriminator.
func (s *Session) expires() (time.Time, bool) {
	return s.heard.Add(s.DetectionTime()), !s.heard.IsZero()
}

// transmits reports whether periodic packets are sent: section 6.8.7.
func (s *Session) transmits() bool {
	switch {
	case s.RemoteDiscr == 0 && s.Passive, s.RemoteMinRxInterval == 0:
		return false
	case s.RemoteDemandMode && s.SessionState == Up && s.RemoteSessionState == Up && !s.polling:
		return false
	}
	return true
}

// Step takes an event and returns what to do about it. A stopped session does nothing.
func (s *Session) Step(now time.Time, ev Event) (out []Effect) {
	if s.administrative {
		return nil
	}
	switch ev := ev.(type) {
	case Tick:
		out = s.tick(now)
	case Received:
		out = s.received(now, ev.Packet)
	case Reconfigure:
		out = s.reconfigure(now, ev.Config)
	case Stop:
		out = s.become(now, AdminDown, AdministrativelyDown)
		s.administrative = true
		if s.RemoteDiscr != 0 || !s.Passive {
			out = append(out, s.send(false))
		}
	}
	return out
}

func (s *Session) tick(now time.Time) (out []Effect) {
	if at, runs := s.expires(); runs && !now.Before(at) {
		out = s.expire(now)
	}
	if s.transmits() && !now.Before(s.sent.Add(s.pause)) {
		out = append(out, s.periodic(now))
	}
	return out
}

// expire ends the Detection Time: section 6.8.4, and section 6.8.1 about bfd.RemoteDiscr. From then on nothing is
// known about the other end.
func (s *Session) expire(now time.Time) (out []Effect) {
	s.heard = time.Time{}
	s.RemoteDiscr, s.RemoteSessionState, s.RemoteMinRxInterval, s.RemoteDemandMode = 0, Down, initialMinRx, false
	if s.SessionState == Init || s.SessionState == Up {
		out = s.change(now, Down, DetectionTimeExpired)
	}
	return out
}

// received follows section 6.8.6 from the point where a packet belongs to a session.
func (s *Session) received(now time.Time, p Packet) (out []Effect) {
	s.counts.ReceivePacketCount++
	interval := s.TransmitInterval()
	s.RemoteDiscr, s.RemoteSessionState, s.RemoteDiag = p.MyDiscriminator, p.State, p.Diagnostic
	s.RemoteDemandMode, s.RemoteMinRxInterval = p.Demand, p.RequiredMinRxInterval
	s.RemoteMinTxInterval, s.RemoteDetectMult = p.DesiredMinTxInterval, p.DetectMult
	s.heard = now
	if s.polling && p.Final {
		s.polled()
	}
	switch {
	case p.State == AdminDown:
		if s.SessionState != Down {
			out = s.change(now, Down, NeighborDown)
		}
	case s.SessionState == Down && p.State == Down:
		out = s.change(now, Init, s.LocalDiag)
	case s.SessionState == Down && p.State == Init, s.SessionState == Init && (p.State == Init || p.State == Up):
		out = s.change(now, Up, s.LocalDiag)
	case s.SessionState == Up && p.State == Down:
		out = s.change(now, Down, NeighborDown)
	}
	switch {
	case p.Poll:
		out = append(out, s.send(true)) // at once, whatever the interval
	case s.TransmitInterval() < interval:
		s.hasten(now)
	}
	return out
}

// change enters another state. The other end hears of it before the interval has passed: section 6.8.7, last
// paragraph.
func (s *Session) change(now time.Time, to State, why Diagnostic) []Effect {
	out := s.become(now, to, why)
	if s.transmits() {
		out = append(out, s.periodic(now))
	}
	return out
}

func (s *Session) become(now time.Time, to State, why Diagnostic) []Effect {
	e := Changed{From: s.SessionState, To: to, Diagnostic: why, Remote: s.RemoteDiag}
	s.SessionState, s.since = to, now
	if s.LocalDiag = why; to == Up {
		s.LocalDiag, e.Diagnostic = NoDiagnostic, NoDiagnostic
	}
	switch {
	case to == Up:
		s.counts.UpCount++
		s.DesiredMinTxInterval, s.polling = s.MinTX, true // the interval changes: section 6.8.3
	case e.From == Up:
		s.counts.DownCount++
		s.DesiredMinTxInterval = s.idle()
		s.polled()
	}
	return []Effect{e}
}

// polled ends a Poll Sequence: everything that was announced applies.
func (s *Session) polled() { s.polling, s.txUntilPolled, s.rxUntilPolled = false, 0, 0 }

// reconfigure follows section 6.8.3: while a session is up, the timing that is safer for the other end applies until
// that has confirmed the new one.
func (s *Session) reconfigure(now time.Time, c Config) (out []Effect) {
	old := s.Config
	s.Config = c
	up := s.SessionState == Up
	tx, rx := s.idle(), c.MinRX
	if up {
		tx = c.MinTX
	}
	interval := s.TransmitInterval()
	if up && tx > s.DesiredMinTxInterval && s.txUntilPolled == 0 {
		s.txUntilPolled = s.DesiredMinTxInterval
	}
	if up && rx < s.RequiredMinRxInterval {
		s.rxUntilPolled = max(s.rxUntilPolled, s.RequiredMinRxInterval)
	}
	if up && (tx != s.DesiredMinTxInterval || rx != s.RequiredMinRxInterval) {
		s.polling = true
	}
	differs := tx != s.DesiredMinTxInterval || rx != s.RequiredMinRxInterval || c.Multiplier != old.Multiplier
	s.DesiredMinTxInterval, s.RequiredMinRxInterval = tx, rx
	switch {
	case differs && s.transmits() && s.RemoteDiscr != 0:
		out = append(out, s.periodic(now)) // it carries new values
	case s.TransmitInterval() < interval:
		s.hasten(now)
	}
	return out
}

// periodic returns the next periodic packet.
func (s *Session) periodic(now time.Time) Effect {
	s.sent, s.pause = now, s.jittered(s.TransmitInterval())
	return s.send(false)
}

// hasten moves the next packet forward if its new interval requires it.
func (s *Session) hasten(now time.Time) {
	s.pause = min(s.pause, max(s.jittered(s.TransmitInterval()), now.Sub(s.sent)))
}

// jittered subtracts up to a quarter; with a multiplier of 1, at least a tenth: section 6.8.7.
func (s *Session) jittered(d time.Duration) time.Duration {
	least, most := d-d*jitterPercent/100, d
	if s.Multiplier == 1 {
		most = d - d*10/100
	}
	return least + time.Duration(s.random.Int64N(int64(most-least)+1))
}

// send returns a packet with the current values. One with F has no P.
func (s *Session) send(final bool) Effect {
	s.counts.SendPacketCount++
	return Send{Packet{
		Diagnostic: s.LocalDiag, State: s.SessionState, Poll: s.polling && !final, Final: final, DetectMult: s.Multiplier,
		MyDiscriminator: s.LocalDiscr, YourDiscriminator: s.RemoteDiscr,
		DesiredMinTxInterval: s.DesiredMinTxInterval, RequiredMinRxInterval: s.RequiredMinRxInterval,
	}}
}
