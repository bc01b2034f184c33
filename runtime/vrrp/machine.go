package vrrp

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/ir"
)

// A Machine is one virtual router of one director: the state machine of RFC 9568 section 6.4 for both versions, with
// keepalived's additions: a delay before preemption, and gratuitous ARPs again a while after a transition and after a
// contest with a worse master.
//
// Time advances only through the arguments of Step. Timers run in Tick alone: a shell that has both a packet and a due
// deadline passes the packet first, because it may be the advertisement that the deadline waits for.
type Machine struct {
	cfg      *ir.VRRPInstance
	priority uint8 // the effective priority: that of the configuration, as changed by trackers
	role     Role
	source   netip.Addr // of our advertisements

	// A backup takes over when it has heard no acceptable advertisement for wait() since silent.
	silent   time.Time
	interval time.Duration // of the master that is followed; version 3 learns it
	resigned netip.Addr    // the master that resigned with priority 0, which shortens the wait
	rival    *rival        // the master of lower priority that will be preempted
	preempt  time.Time     // when the preempt delay ends; zero: it has not started

	// A master's timers; zero: not running.
	advert  time.Time // the next advertisement
	second  time.Time // the second burst after the transition
	refresh time.Time
	contest time.Time // the second burst after a contest with a lower priority
	extra   time.Time // garp_extra_if

	answered time.Time // the last answer to a lower priority

	sending []*Send // what is sent as long as source, priority and configuration stay: one Send for the group, or one for each peer
	sendsAs uint8   // its priority
	seq     uint32  // the last sequence number that was sent or heard, with auth_type AH
	signed  []signed
	stamp   stamp     // the last one that was sent, with auth_hmac
	senders []sender  // of stamps that were heard, the last one last
	clock   time.Time // of the step under way
	heard   heard     // the last accepted advertisement: most that follow are the same
	spoken  spoken
	sum     Sum // the checksum that peers want and we send

	// A start that found the addresses here is on trial until it has been MASTER for an interval: before that it
	// announces nothing. courteous: it lets another master stay, whatever its priority, and has not advertised yet.
	trial, courteous bool

	elected *Reason // why it would be MASTER, if its sync group were; nil: it would not be

	noted      [noteKinds]time.Time // when each kind of Note was last reported; zero: never
	statistics Statistics
	unheard    unheard
	odd        conditions
	claims     claims
	out        []Effect // of the current step; reused
}

// heard is an advertisement with the result of reading it.
type heard struct {
	Received
	packet Packet
	odd    bool // its addresses differ from ours
}

type rival struct {
	addr     netip.Addr
	priority uint8
}

// notePeriod is how long the same Note is not repeated.
const notePeriod = time.Minute

// New returns a router that waits for Ready or Fault about its interface. The compiler must have corrected the
// configuration, for example removed nopreempt of an owner; it must not change while the machine uses it.
func New(cfg *ir.VRRPInstance) *Machine {
	return &Machine{cfg: cfg, priority: cfg.Priority, interval: cfg.AdvertInterval, sum: sumOf(cfg)}
}

// Role returns the current role of the router.
func (m *Machine) Role() Role { return m.role }

// Priority returns the effective priority.
func (m *Machine) Priority() uint8 { return m.priority }

// Interval returns the time between advertisements: its own, or that of the master it follows.
func (m *Machine) Interval() time.Duration { return m.interval }

// Statistics returns the counters since the machine was made.
func (m *Machine) Statistics() Statistics { return m.statistics }

// Master returns who advertised last, and with which priority, as a BACKUP heard it; otherwise the address is invalid.
func (m *Machine) Master() (addr netip.Addr, priority uint8) {
	if m.role != Backup || m.heard.Payload == nil {
		return netip.Addr{}, 0
	}
	return m.heard.Src, m.heard.packet.Priority
}

// Step takes an event and returns what to do about it, in order: an advertisement precedes the transition that it
// belongs to. The slice is valid until the next Step. The machine keeps nothing of a Received.
func (m *Machine) Step(now time.Time, ev Event) []Effect {
	m.out, m.clock = m.out[:0], now
	if m.role == Stopped {
		return nil
	}
	switch ev := ev.(type) {
	case Tick:
		m.tick(now)
	case Ready:
		m.ready(now, ev)
	case Fault:
		m.leave(now, Faulty, ev.Reason)
	case Received:
		m.received(now, ev)
	case Claimed:
		m.claimed(now, ev)
	case Reprioritize:
		m.priority = ev.Priority
	case Reconfigure:
		m.reconfigure(now, ev.Config)
	case Speak:
		if m.role == Master && !m.courteous { // a courteous one must listen first
			m.advertise(now)
		}
	case Lead:
		m.lead(now)
	case Follow:
		m.follow(now, ev.Reason)
	case Stop:
		m.leave(now, Stopped, ev.Reason)
	}
	return m.out
}

// Deadline returns when the machine needs its next Tick; false: it waits for other events only.
func (m *Machine) Deadline() (time.Time, bool) {
	switch m.role {
	case Backup:
		return m.silent.Add(m.wait()), true
	case Master:
		first := m.advert
		for _, t := range [...]time.Time{m.second, m.refresh, m.contest, m.extra} {
			if !t.IsZero() && t.Before(first) {
				first = t
			}
		}
		return first, true
	}
	return time.Time{}, false
}

// Next returns the advertisement that a Tick at the time sends, to the group or to each peer, if nothing else happens
// until then: the next one, or the one n intervals later; nil: none, or one that must be made first.
func (m *Machine) Next(n int) (s []*Send, at time.Time) {
	if m.role != Master || m.sendsAs != m.priority || m.sending == nil {
		return nil, at
	}
	s, at = m.sending, m.advert.Add(time.Duration(n)*m.cfg.AdvertInterval)
	if m.cfg.Auth.Type == ir.AuthAH {
		s = m.sign(n)
	}
	if m.signsTrailers() {
		s = m.seal(n, at)
	}
	return s, at
}

// skew lets the higher priority advertise first: RFC 3768 section 6.1, RFC 9568 section 6.1.
func (m *Machine) skew() time.Duration { return skew(m.cfg.Version, m.priority, m.interval) }

func skew(version, priority uint8, interval time.Duration) time.Duration {
	unit := time.Second
	if version == 3 {
		unit = interval
	}
	return time.Duration(256-int(priority)) * unit / 256
}

// wait returns the length of the silence after which a backup takes over.
func (m *Machine) wait() time.Duration {
	if m.resigned.IsValid() {
		return m.skew()
	}
	return m.down()
}

// down returns the length of the silence after which a master that has not resigned is considered gone: the
// Master_Down_Interval.
func (m *Machine) down() time.Duration {
	return time.Duration(m.cfg.DownTimerAdverts)*m.interval + m.skew()
}

func (m *Machine) ready(now time.Time, r Ready) {
	if m.source != r.Source {
		m.source, m.sending = r.Source, nil
	}
	switch m.role {
	case Init:
		if r.Here {
			m.adopt(now)
			return
		}
		m.start(now, "starts", r.Held)
	case Faulty:
		m.start(now, "works again", r.Held)
	}
}

func (m *Machine) start(now time.Time, how string, held bool) {
	if m.cfg.State == ir.Master && m.cfg.Priority == 255 && !held {
		m.becomeMaster(now, Reason{kind: owns, told: how})
		return
	}
	m.listen(now, m.cfg.AdvertInterval)
	m.become(now, Backup, Reason{kind: listens, told: how, wait: m.wait()})
}

func (m *Machine) tick(now time.Time) {
	switch m.role {
	case Backup:
		if at := m.silent.Add(m.wait()); !now.Before(at) {
			m.win(now)
		}
	case Master:
		if m.overslept(now) {
			m.listen(now, m.cfg.AdvertInterval)
			m.become(now, Backup, Reason{kind: overslept, wait: now.Sub(m.advert) + m.cfg.AdvertInterval})
			return
		}
		if due(now, m.advert) {
			if now.Sub(m.advert) > late {
				m.statistics.AdvertisementLate++
			}
			m.send(now, m.priority)
			m.advert = next(now, m.advert, m.cfg.AdvertInterval)
		}
		if due(now, m.second) {
			m.second = time.Time{}
			m.announce(m.cfg.Addresses, m.cfg.GARPMasterRepeat)
			if m.trial {
				m.trial, m.second = false, after(now, m.cfg.GARPMasterDelay)
			}
		}
		if due(now, m.refresh) {
			m.refresh = next(now, m.refresh, m.cfg.GARPMasterRefresh)
			m.announce(m.cfg.Addresses, m.cfg.GARPMasterRefreshRepeat)
		}
		if due(now, m.contest) {
			m.contest = time.Time{}
			m.announce(m.cfg.Addresses, m.cfg.GARPLowerPrioRepeat)
		}
		if due(now, m.extra) {
			m.extra = next(now, m.extra, m.cfg.GARPExtraInterface.Every)
			m.announce(elsewhere(m.cfg), 1)
		}
	}
}

// why returns the reason for which a backup takes over.
func (m *Machine) why(now time.Time) Reason {
	switch {
	case m.resigned.IsValid():
		return Reason{kind: resigned, peer: m.resigned}
	case m.rival != nil:
		return Reason{kind: preempts, peer: m.rival.addr, ours: m.priority, theirs: m.rival.priority}
	}
	return Reason{kind: silence, wait: now.Sub(m.silent)}
}

func (m *Machine) received(now time.Time, r Received) {
	if m.role != Backup && m.role != Master || m.cfg.OwnerIgnoreAdverts && m.cfg.Priority == 255 {
		return
	}
	known := m.heard.Src == r.Src
	if m.cfg.AuthHMAC != nil || !m.heard.same(r) {
		p, wrong := m.accept(r)
		if wrong.Defect != 0 {
			m.statistics.drop(wrong.Defect)
			if u := m.unheard.drop(now, r.Src, wrong); u != nil && disjoint(p.Addresses, m.cfg.Advertised()) {
				u.Foreign = slices.Clone(p.Addresses)
				m.note(now, Note{kind: foreignCluster, peer: r.Src, advertised: u.Foreign})
			}
			m.note(now, Note{kind: dropped + noteKind(wrong.Defect), peer: r.Src, drop: wrong})
			return
		}
		r.Payload = append(m.heard.Payload[:0], r.Payload...)
		m.heard = heard{r, p, !sameAddresses(p.Addresses, m.cfg.Advertised())}
	}
	p := m.heard.packet
	beside := m.spoken.beside(now, r, p.Interval)
	m.spoken = spokenIn(r, now)
	m.statistics.AdvertisementRcvd++
	if len(m.unheard) > 0 {
		m.unheard.hear(r.Src)
	}
	if p.Priority == 0 {
		m.statistics.PriorityZeroPktsRcvd++
	}
	if m.heard.odd {
		m.oddAddresses(now, r.Src, p.Addresses)
	}
	if m.heard.odd && !(known && m.cfg.SkipCheckAdvAddr) {
		m.statistics.AddressListErrors++
		m.note(now, Note{kind: addressesOdd, peer: r.Src, advertised: p.Addresses, expected: m.cfg.Advertised()})
	}
	if m.role == Backup {
		m.heardAsBackup(now, r.Src, p)
	} else {
		m.heardAsMaster(now, r.Src, p, beside)
	}
}

// same reports whether an advertisement equals the last one, byte for byte.
func (h *heard) same(r Received) bool {
	return h.Payload != nil && !r.AH && !h.AH && h.Src == r.Src && h.Dst == r.Dst && h.TTL == r.TTL && bytes.Equal(h.Payload, r.Payload)
}

func (m *Machine) heardAsBackup(now time.Time, src netip.Addr, p Packet) {
	switch {
	case p.Priority == 0:
		m.silent, m.resigned = now, src
	case p.Priority >= m.priority:
		m.preempt = time.Time{}
		m.listen(now, p.Interval)
	case m.cfg.NoPreempt:
		m.listen(now, p.Interval)
	case m.preemptDelayed(now):
		m.listen(now, p.Interval)
	default:
		// The timer continues: this router takes over when it ends, and no advertisement of the rival can postpone
		// that.
		m.rival = &rival{src, p.Priority}
	}
}

// preemptDelayed reports whether a lower priority may stay MASTER for now. The first one that is heard starts the
// delay.
func (m *Machine) preemptDelayed(now time.Time) bool {
	if m.cfg.PreemptDelay > 0 && m.preempt.IsZero() {
		m.preempt = now.Add(m.cfg.PreemptDelay)
	}
	return now.Before(m.preempt)
}

// reconfigure applies a new configuration of the same router. Timers keep the time that has passed.
func (m *Machine) reconfigure(now time.Time, cfg *ir.VRRPInstance) {
	old := m.cfg
	m.cfg, m.sending, m.heard, m.sum = cfg, nil, heard{}, sumOf(cfg)
	if cfg.Priority != old.Priority {
		m.priority = cfg.Priority
	}
	if learnt := cfg.Version == 3 && m.interval != old.AdvertInterval; !learnt {
		m.interval = cfg.AdvertInterval
	}
	if cfg.PreemptDelay != old.PreemptDelay {
		m.preempt = time.Time{}
	}
	m.dropDuplicates()
	if m.role != Master {
		return
	}
	if cfg.AdvertInterval != old.AdvertInterval {
		m.advert = m.advert.Add(cfg.AdvertInterval - old.AdvertInterval)
	}
	if cfg.GARPMasterRefresh != old.GARPMasterRefresh {
		m.refresh = after(now, cfg.GARPMasterRefresh)
	}
	if cfg.GARPExtraInterface != old.GARPExtraInterface {
		m.extra = after(now, cfg.GARPExtraInterface.Every)
	}
	if added := addedAddresses(old.Addresses, cfg.Addresses); len(added) > 0 {
		m.announce(added, cfg.GARPMasterRepeat)
		m.second = after(now, cfg.GARPMasterDelay)
	}
}

func (m *Machine) becomeMaster(now time.Time, reason Reason) {
	m.advertise(now)
	m.become(now, Master, reason)
	m.announce(m.cfg.Addresses, m.cfg.GARPMasterRepeat)
	m.second = after(now, m.cfg.GARPMasterDelay)
	m.refresh = after(now, m.cfg.GARPMasterRefresh)
	m.extra = after(now, m.cfg.GARPExtraInterface.Every)
	m.contest, m.answered = time.Time{}, time.Time{}
}

// leave ends the work, temporarily or permanently. A master says so with priority 0, so that the next one need not
// wait for its silence.
func (m *Machine) leave(now time.Time, to Role, reason string) {
	if m.role == to {
		return
	}
	if m.role == Master {
		m.send(now, 0)
	}
	m.become(now, to, Because(reason))
}

// become makes all transitions.
func (m *Machine) become(now time.Time, to Role, reason Reason) {
	m.role = to
	m.preempt, m.elected, m.trial, m.courteous = time.Time{}, nil, false, false
	m.noted = [noteKinds]time.Time{}
	m.settle(now)
	m.dropDuplicates()
	m.statistics.Transitions++
	if to == Master {
		m.statistics.MasterTransitions++
	}
	m.out = append(m.out, Become{Role: to, Reason: reason})
}

// listen starts a silence. A version 3 master announces its interval, and its backups wait accordingly.
func (m *Machine) listen(now time.Time, interval time.Duration) {
	m.silent, m.resigned, m.rival, m.elected = now, netip.Addr{}, nil, nil
	m.interval = m.cfg.AdvertInterval
	if m.cfg.Version == 3 {
		m.interval = interval
	}
}

// advertise sends an advertisement at once; the next one comes an interval later.
func (m *Machine) advertise(now time.Time) {
	m.send(now, m.priority)
	m.advert = now.Add(m.cfg.AdvertInterval)
}

func (m *Machine) send(now time.Time, priority uint8) {
	if m.sending == nil || m.sendsAs != priority {
		p := Packet{
			Version: m.cfg.Version, VRID: m.cfg.VRID, Priority: priority, Interval: m.cfg.AdvertInterval,
			Addresses: m.cfg.Advertised(), AuthType: m.cfg.Auth.Type, Sum: m.sum,
		}
		if p.AuthType == ir.AuthPass {
			p.Auth = m.cfg.Auth.Pass
		}
		m.sending, m.sendsAs, m.signed = nil, priority, nil
		for _, to := range m.receivers() {
			payload, err := p.Marshal(m.source, to.Dst)
			if err != nil {
				m.note(now, Note{kind: unsent, err: err})
				return
			}
			to.Src, to.Payload = m.source, payload
			m.sending = append(m.sending, to)
		}
	}
	m.courteous = false
	m.statistics.AdvertisementSent++
	if priority == 0 {
		m.statistics.PriorityZeroPktsSent++
	}
	sends := m.sending
	if m.cfg.Auth.Type == ir.AuthAH {
		sends = m.signNext()
	}
	if m.signsTrailers() {
		sends = m.sealNext(now)
	}
	for _, s := range sends {
		m.out = append(m.out, s)
	}
}

// receivers returns the destinations of an advertisement, with their TTL.
func (m *Machine) receivers() (all []*Send) {
	if group := m.cfg.Group(); group.IsValid() {
		return []*Send{{Dst: group, TTL: 255}}
	}
	ttl := uint8(0)
	if m.cfg.UnicastTTL != nil {
		ttl = *m.cfg.UnicastTTL
	}
	for _, p := range m.cfg.Unicast {
		all = append(all, &Send{Dst: p.Addr, TTL: ttl})
	}
	return all
}

// note reports an oddity, at a limited rate.
func (m *Machine) note(now time.Time, n Note) {
	if last := &m.noted[n.kind]; last.IsZero() || now.Sub(*last) >= notePeriod {
		*last = now
		m.out = append(m.out, n)
	}
}
