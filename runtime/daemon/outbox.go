package daemon

import (
	"bytes"
	"slices"
	"time"

	"keepc/runtime/kernel"
	"keepc/runtime/router"
)

// An outbox sends the next advertisements on time, whatever the loop waits for meanwhile. A nil outbox does nothing:
// the loop sends everything itself.
type outbox struct {
	departures *kernel.Departures
	ahead      []router.Departure // what is armed, or was when it was last taken back
	times      []time.Time
	done       []router.SendAdvert // sent, but not known to the machine yet
	armed      bool
}

// arm prepares the next advertisements, unless they are prepared.
func (o *outbox) arm(m *router.Machine, w *wires) {
	if o == nil || o.armed {
		return
	}
	o.ahead, o.times = m.Ahead(o.ahead[:0]), o.times[:0]
	for _, d := range o.ahead {
		if len(o.times) == kernel.MaxDepartures || !w.arm(o.departures.Datagram(len(o.times)), d.Advert) {
			break // the loop sends it, or reports why it cannot
		}
		o.times = append(o.times, d.At)
	}
	if len(o.times) > 0 {
		o.armed = o.departures.Arm(o.times) == nil
	}
}

// left takes back what is armed, and yields the time of each advertisement that was sent: the machine must get a Tick
// with that time, which accounts for it.
func (o *outbox) left(yield func(at time.Time) bool) {
	if o == nil || !o.armed {
		return
	}
	o.armed, o.times = false, o.times[:0]
	for i := range o.departures.Disarm() {
		at, err := o.departures.Left(i)
		if err != nil {
			continue // the loop sends it and reports the error
		}
		o.done, o.times = append(o.done, o.ahead[i].Advert), append(o.times, at)
	}
	for _, at := range o.times {
		if !yield(at) {
			break
		}
	}
	o.done = o.done[:0]
}

// has reports whether an advertisement that the machine wants to send has been sent already. It does so once for each.
func (o *outbox) has(e router.SendAdvert) bool {
	if o == nil || len(o.done) == 0 {
		return false
	}
	i := slices.IndexFunc(o.done, func(d router.SendAdvert) bool {
		return d.Leaves == e.Leaves && d.Src == e.Src && d.Dst == e.Dst && d.TTL == e.TTL && bytes.Equal(d.Payload, e.Payload)
	})
	if i >= 0 {
		o.done = slices.Delete(o.done, i, i+1)
	}
	return i >= 0
}

// stop ends the sending thread. The loop has ended.
func (o *outbox) stop() {
	if o != nil {
		o.departures.Disarm()
		o.departures.Stop()
	}
}
