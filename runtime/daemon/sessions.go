package daemon

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/bfd"
	"keepc/runtime/kernel"
	"keepc/runtime/track"
)

// reopenSessions is how often a BFD socket that did not open is retried.
const reopenSessions = time.Second

// A sessionLoop owns the BFD machine, its time and its sockets. It shares nothing with the other loops except what it
// tells them: neither advertisements nor virtual servers make its packets late, and its packets delay neither. Only
// run touches the fields.
type sessionLoop struct {
	bell    bell
	kernel  kernel.Sessions
	machine *bfd.Machine
	notes   *notes
	do      chan func()
	work    chan func() // what collect has for the loop
	tell    []*news     // receivers of which sessions are up

	ports   [2]hearing // IPv4, IPv6
	callers map[bfd.Key]kernel.Caller
	calls   map[bfd.Key]kernel.Call // the wanted ones
	failed  map[bfd.Key]string      // why packets of a session are not sent, as reported
	reopen  time.Time               // when to try again; zero: everything is open
}

// hearing is the port that control packets arrive at.
type hearing struct {
	kernel.Port
	ear    *ear
	failed string // why it is not open, as reported
}

func newSessionLoop(k kernel.Sessions, b bell, seed uint64, n *notes, tell ...*news) *sessionLoop {
	return &sessionLoop{
		bell: b, kernel: k, machine: bfd.New(seed), notes: n, do: make(chan func()), work: make(chan func(), workPerTurn), tell: tell,
		callers: map[bfd.Key]kernel.Caller{}, calls: map[bfd.Key]kernel.Call{}, failed: map[bfd.Key]string{},
	}
}

// news is the sessions that are up: all of them, each time one changes, for one loop that has not taken them yet.
type news struct {
	bell    bell // the loop's; nil: it waits for rung
	rung    chan struct{}
	waiting atomic.Bool

	mu   sync.Mutex
	list []map[track.Thing]bool
}

func newNews(b bell) *news { return &news{bell: b, rung: make(chan struct{}, 1)} }

// put never blocks. The map must not change afterwards.
func (n *news) put(up map[track.Thing]bool) {
	n.mu.Lock()
	n.list = append(n.list, up)
	n.mu.Unlock()
	n.waiting.Store(true)
	if n.bell != nil {
		n.bell.Ring()
		return
	}
	select {
	case n.rung <- struct{}{}:
	default:
	}
}

// take returns what waits, the oldest first: a session that went down and came up again was down.
func (n *news) take() []map[track.Thing]bool {
	if !n.waiting.Swap(false) {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.list
	n.list = nil
	return list
}

// run works until ctx ends. stop tells the other ends.
func (l *sessionLoop) run(ctx context.Context) {
	var collector sync.WaitGroup
	collector.Go(func() { l.collect(ctx) })
	defer collector.Wait()
	defer context.AfterFunc(ctx, l.bell.Ring)()
	defer l.close()
	for ctx.Err() == nil {
		due, _ := l.machine.Deadline()
		if !l.reopen.IsZero() && (due.IsZero() || l.reopen.Before(due)) {
			due = l.reopen
		}
		l.bell.sleep(due)
		l.turn()
	}
}

// turn handles what waits: packets first, because what came before a Detection Time ended counts before its end.
func (l *sessionLoop) turn() {
	for i := range l.ports {
		l.hear(&l.ports[i])
	}
	now := time.Now()
	if due, some := l.machine.Deadline(); some && !now.Before(due) {
		l.step(bfd.Tick{})
	}
	if !l.reopen.IsZero() && !now.Before(l.reopen) {
		l.open()
	}
	for range workPerTurn {
		select {
		case f := <-l.work:
			f()
		default:
			return
		}
	}
	l.bell.Ring() // there may be more
}

func (l *sessionLoop) collect(ctx context.Context) {
	for {
		select {
		case f := <-l.do:
			select {
			case l.work <- f:
				l.bell.Ring()
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// hear takes a bounded number of the packets that wait.
func (l *sessionLoop) hear(p *hearing) {
	if p.Port == nil || !p.ear.waits.Swap(false) {
		return
	}
	for n := 0; ; n++ {
		if n == packetsMissed {
			p.ear.Ring() // there may be more
			return
		}
		packet, some, err := p.Poll()
		if err != nil {
			p.failed = err.Error()
			l.notes.tell(time.Now(), sessionsFail{what: "BFD", err: err})
			_ = p.Close() // closing loses nothing
			p.Port, l.reopen = nil, time.Now().Add(reopenSessions)
			return
		}
		if !some {
			return
		}
		l.step(bfd.PacketReceived{Src: packet.Src, Dst: packet.Dst, TTL: packet.TTL, Payload: packet.Payload})
	}
}

// step passes an event to the machine and carries out the effects: those who wait for a session hear of it before the
// log does.
func (l *sessionLoop) step(ev bfd.Event) {
	now := time.Now()
	effects := l.machine.Step(now, ev)
	_, changed := ev.(bfd.Configure)
	for _, e := range effects {
		if e, ok := e.(bfd.StateChanged); ok {
			changed = changed || e.From == bfd.Up || e.To == bfd.Up
		}
	}
	if changed {
		up := map[track.Thing]bool{}
		for b, is := range l.machine.Sessions {
			up[track.OfBFD(b)] = is
		}
		for _, n := range l.tell {
			n.put(up)
		}
	}
	for _, e := range effects {
		switch e := e.(type) {
		case bfd.Transmit:
			l.transmit(now, e)
		case bfd.StateChanged:
			l.notes.tell(now, e)
		}
	}
}

// transmit sends a packet. The first failure of a session is reported, and the end of the failures.
func (l *sessionLoop) transmit(now time.Time, e bfd.Transmit) {
	c := l.callers[e.Session]
	if c == nil {
		return // reported when it did not open
	}
	l.fails(now, e.Session, c.Send(e.Packet.Marshal()))
}

func (l *sessionLoop) fails(now time.Time, k bfd.Key, err error) {
	text := ""
	if err != nil {
		text = root(err).Error()
	}
	if l.failed[k] == text {
		return
	}
	if l.failed[k] = text; err == nil {
		delete(l.failed, k)
	}
	l.notes.tell(now, sessionsFail{what: "bfd " + k.Name, err: err})
}

// sessionsFail says that packets of a session begin to fail, or are sent again.
type sessionsFail struct {
	what string
	err  error // nil: they are sent again
}

func (e sessionsFail) text() string {
	if e.err != nil {
		return fmt.Sprintf("%v; trying again", e.err)
	}
	return "works again"
}

// configure sets the sessions. With keep, sessions that are not among them continue.
func (l *sessionLoop) configure(sessions []*ir.BFD, keep bool) {
	wanted := map[bfd.Key]kernel.Call{}
	for _, b := range sessions {
		if b.Neighbor.IsValid() {
			wanted[bfd.KeyOf(b)] = kernel.Call{
				Src: b.Source, Dst: b.Neighbor, DstPort: bfd.Port, First: bfd.FirstSourcePort, Last: bfd.LastSourcePort, TTL: uint8(b.TTL),
			}
		}
	}
	old := l.calls
	l.calls = wanted
	for k, c := range old {
		if _, stays := wanted[k]; !stays && keep {
			wanted[k] = c
		}
	}
	for k, c := range l.callers {
		if call, stays := wanted[k]; stays && call != old[k] { // a different TTL needs a new socket
			_ = c.Close()
			delete(l.callers, k)
		}
	}
	l.open()
	l.step(bfd.Configure{Sessions: sessions, Keep: keep})
	for k, c := range l.callers {
		if _, stays := wanted[k]; !stays {
			_ = c.Close()
			delete(l.callers, k)
			delete(l.failed, k)
		}
	}
}

// open opens the sockets that are wanted. What fails is retried after a while.
func (l *sessionLoop) open() {
	now := time.Now()
	l.reopen = time.Time{}
	for i := range l.ports {
		p, ipv6, needed := &l.ports[i], i == 1, false
		for _, c := range l.calls {
			needed = needed || c.Dst.Is6() == ipv6
		}
		if p.Port != nil || !needed {
			continue
		}
		p.ear = &ear{bell: l.bell}
		port, err := l.kernel.OpenPort(bfd.Port, ipv6, p.ear)
		if err != nil {
			if p.failed != err.Error() {
				l.notes.tell(now, sessionsFail{what: "BFD", err: err})
			}
			p.failed, l.reopen = err.Error(), now.Add(reopenSessions)
			continue
		}
		if p.Port = port; p.failed != "" {
			l.notes.tell(now, sessionsFail{what: "BFD"})
		}
		p.failed = ""
	}
	for k, call := range l.calls {
		if l.callers[k] != nil {
			continue
		}
		c, err := l.kernel.OpenCaller(call)
		l.fails(now, k, err)
		if err != nil {
			l.reopen = now.Add(reopenSessions)
			continue
		}
		l.callers[k] = c
	}
}

// stop tells the other ends that the sessions end on purpose. keepalived 2.2.7 ends silently, and is missed after the Detection Time.
func (l *sessionLoop) stop() { l.configure(nil, false) }

func (l *sessionLoop) close() {
	for i := range l.ports {
		if p := &l.ports[i]; p.Port != nil {
			_ = p.Close()
			p.Port = nil
		}
	}
	for _, c := range l.callers {
		_ = c.Close()
	}
}
