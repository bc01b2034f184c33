package bfd

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/timer"
)

// A Machine is all BFD sessions of a director. It is a value without goroutines, clocks or sockets.
type Machine struct {
	sessions []*member // in the order of the file
	timers   timer.Timers
	random   *rand.Rand
	ignored  uint64 // packets for no session
	out      []Effect
}

// A member is one session of a director.
type member struct {
	timer.Timer
	*Session
	key Key
	cfg *ir.BFD
}

// A Key identifies a session, also over a reload: if an end changes, it is a different session.
type Key struct {
	Name     string
	Neighbor netip.Addr
	Source   netip.Addr // zero: any
}

// KeyOf is the Key of a bfd_instance.
func KeyOf(b *ir.BFD) Key { return Key{b.Name, b.Neighbor, b.Source} }

// New returns a machine without sessions. The seed makes discriminators and jitter.
func New(seed uint64) *Machine { return &Machine{random: rand.New(rand.NewPCG(seed, 0))} }

// PacketReceived is a UDP payload that arrived at Port. It is an event of a Machine.
type PacketReceived struct {
	Src, Dst netip.Addr
	TTL      int
	Payload  []byte
}

// Configure sets the sessions. A session with the same Key continues. It is an event of a Machine.
type Configure struct {
	Sessions []*ir.BFD
	// What is not among them continues too, until the next Configure: those that follow a session must forget it
	// first.
	Keep bool
}

func (PacketReceived) event() {}
func (Configure) event()      {}

// Transmit sends a packet of a session. It is an effect of a Machine.
type Transmit struct {
	Session Key
	Packet  Packet
}

// StateChanged says that a session changed its state. It is an effect of a Machine.
type StateChanged struct {
	Session *ir.BFD
	Changed
}

// Ignored describes a discarded packet. It is an effect of a Machine.
type Ignored struct {
	Src netip.Addr
	Why error
}

func (Transmit) effect()     {}
func (StateChanged) effect() {}
func (Ignored) effect()      {}

// Deadline is when the machine needs its next Tick; false: it waits for packets.
func (m *Machine) Deadline() (time.Time, bool) { return m.timers.First() }

// Step takes an event and returns what to do about it, in order: Tick, PacketReceived, Configure or Stop. A stopped
// machine has no sessions.
func (m *Machine) Step(now time.Time, ev Event) []Effect {
	m.out = nil
	switch ev := ev.(type) {
	case Tick:
		m.timers.Run(now)
	case PacketReceived:
		m.receive(now, ev)
	case Configure:
		m.configure(now, ev)
	case Stop:
		m.configure(now, Configure{})
	}
	return m.out
}

func (m *Machine) configure(now time.Time, c Configure) {
	var next []*member
	for _, b := range c.Sessions {
		if !b.Neighbor.IsValid() || slices.ContainsFunc(next, func(s *member) bool { return s.key.Name == b.Name }) {
			continue // keepalived makes no session without a neighbour, nor for a second block with the same name
		}
		s := m.find(KeyOf(b))
		if s == nil {
			s = &member{key: KeyOf(b), cfg: b, Session: NewSession(now, configOf(b), m.discriminator(next), m.random.Uint64())}
			s.Do = func(now time.Time) { m.drive(now, s, Tick{}) }
			m.await(s)
		} else {
			s.cfg = b
			m.drive(now, s, Reconfigure{configOf(b)})
		}
		next = append(next, s)
	}
	for _, s := range m.sessions {
		switch {
		case slices.Contains(next, s):
		case c.Keep:
			next = append(next, s)
		default:
			m.drive(now, s, Stop{})
		}
	}
	m.sessions = next
}

func (m *Machine) find(k Key) *member {
	for _, s := range m.sessions {
		if s.key == k {
			return s
		}
	}
	return nil
}

func configOf(b *ir.BFD) Config {
	return Config{MinTX: b.MinTX, IdleTX: b.IdleTX, MinRX: b.MinRX, Multiplier: uint8(b.Multiplier), Passive: b.Passive}
}

// discriminator returns one that no session has: section 6.8.1.
func (m *Machine) discriminator(others []*member) uint32 {
	has := func(d uint32) func(*member) bool { return func(s *member) bool { return s.LocalDiscr == d } }
	for {
		if d := m.random.Uint32(); d != 0 && !slices.ContainsFunc(m.sessions, has(d)) && !slices.ContainsFunc(others, has(d)) {
			return d
		}
	}
}

// Why a packet is discarded that Unmarshal accepts.
var (
	ErrNoSession = errors.New("there is no session with it")
	ErrTTL       = errors.New("its TTL is too low: it came through too many routers")
)

// receive finds the session of a packet: section 6.8.6, and RFC 5881 sections 3 to 5.
func (m *Machine) receive(now time.Time, p PacketReceived) {
	src, dst := plain(p.Src), plain(p.Dst)
	packet, err := Unmarshal(p.Payload)
	if err != nil {
		m.ignore(m.between(src, dst), src, err)
		return
	}
	var s *member
	if packet.YourDiscriminator == 0 {
		s = m.between(src, dst)
	} else {
		i := slices.IndexFunc(m.sessions, func(s *member) bool { return s.LocalDiscr == packet.YourDiscriminator })
		if i >= 0 && plain(m.sessions[i].key.Neighbor) == src {
			s = m.sessions[i]
		}
	}
	switch {
	case s == nil:
		m.ignore(nil, src, ErrNoSession)
	case s.cfg.MaxHops >= 0 && p.TTL < s.cfg.TTL-s.cfg.MaxHops:
		// keepalived requires a TTL derived from the one that it sends itself. RFC 5881 section 5 requires 255, which
		// is the result with the defaults.
		m.ignore(s, src, ErrTTL)
	default:
		m.drive(now, s, Received{packet})
	}
}

// between returns the session of two addresses; one with this source is preferred to one with any. nil: there is none.
func (m *Machine) between(src, dst netip.Addr) (best *member) {
	for _, s := range m.sessions {
		switch {
		case plain(s.key.Neighbor) != src:
		case s.key.Source.IsValid() && plain(s.key.Source) == dst:
			return s
		case !s.key.Source.IsValid() && best == nil:
			best = s
		}
	}
	return best
}

func (m *Machine) ignore(s *member, src netip.Addr, why error) {
	if s == nil {
		m.ignored++
	} else {
		s.Discard()
	}
	m.out = append(m.out, Ignored{src, why})
}

// plain returns an address as packets carry it: without a zone, and IPv4 as IPv4.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// drive passes an event to a session and handles its effects.
func (m *Machine) drive(now time.Time, s *member, ev Event) {
	for _, e := range s.Step(now, ev) {
		switch e := e.(type) {
		case Send:
			m.out = append(m.out, Transmit{s.key, e.Packet})
		case Changed:
			m.out = append(m.out, StateChanged{s.cfg, e})
		}
	}
	m.await(s)
}

func (m *Machine) await(s *member) {
	at, running := s.Deadline()
	m.timers.Set(&s.Timer, at, running)
}

// Sessions yields every session, and whether it is up.
func (m *Machine) Sessions(yield func(b *ir.BFD, up bool) bool) {
	for _, s := range m.sessions {
		if !yield(s.cfg, s.SessionState == Up) {
			return
		}
	}
}

// Ignored counts the packets that are for no session.
func (m *Machine) Ignored() uint64 { return m.ignored }

// A Standing is the state of a session.
type Standing struct {
	Config           *ir.BFD
	State, Remote    State
	Since            time.Time
	Diagnostic       Diagnostic // bfd.LocalDiag
	RemoteDiagnostic Diagnostic
	LocalDiscr       uint32
	RemoteDiscr      uint32
	DetectionTime    time.Duration // 0: nothing was heard
	TransmitInterval time.Duration
	Statistics       Statistics
}

// Standings lists the sessions in the order of the file; those that are kept until the next Configure come last.
func (m *Machine) Standings() (list []Standing) {
	for _, s := range m.sessions {
		list = append(list, Standing{
			Config: s.cfg, State: s.SessionState, Remote: s.RemoteSessionState, Since: s.Since(), Diagnostic: s.LocalDiag, RemoteDiagnostic: s.RemoteDiag,
			LocalDiscr: s.LocalDiscr, RemoteDiscr: s.RemoteDiscr, DetectionTime: s.DetectionTime(), TransmitInterval: s.TransmitInterval(),
			Statistics: s.counts,
		})
	}
	return list
}
