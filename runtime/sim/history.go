package sim

import (
	"net/netip"
	"slices"
	"time"
)

// A History records who held each address when, with addresses in order. A node holds an address while its kernel has
// it on a working interface.
type History []AddressHistory

// An AddressHistory is the history of one address. Spans are contiguous in time; there are none while no file has the
// address.
type AddressHistory struct {
	Address netip.Addr
	Spans   []Span
}

// A Span is a period in which the same nodes held an address.
type Span struct {
	From, To time.Duration
	Nodes    []int // in order
}

// An Outcome is what happened to an address in a period.
type Outcome struct {
	Address netip.Addr
	Gap     time.Duration // without a holder, in all
	Overlap time.Duration // with more than one, in all
	// Flaps counts how often a node took the address, minus the moves needed to get from the first holders to the
	// last; one move is always allowed.
	Flaps   int
	Holders []int // in the end
}

// brief is the length up to which a gap or overlap does not count: a handover on a good wire.
const brief = time.Millisecond

// Outcomes returns the outcome for every address from one time to another. An event at the first instant is included,
// one at the last is not. Addresses that no file had in that time are left out.
func (h History) Outcomes(from, to time.Duration) (list []Outcome) {
	for _, a := range h {
		if o, ok := a.Outcome(from, to); ok {
			list = append(list, o)
		}
	}
	return list
}

// Outcome returns the outcome for one address; false if no file had it in that time.
func (h AddressHistory) Outcome(from, to time.Duration) (Outcome, bool) {
	o := Outcome{Address: h.Address}
	var first, last []int
	taken, seen := 0, false
	for _, s := range h.Spans {
		switch {
		case s.From >= to:
		case s.From < from && s.To <= from:
			first = s.Nodes
			last = first
		case s.From < from:
			first, last = s.Nodes, s.Nodes
			o.count(Span{from, min(s.To, to), s.Nodes})
			seen = true
		default:
			taken += len(without(s.Nodes, last))
			last = s.Nodes
			o.count(Span{s.From, min(s.To, to), s.Nodes})
			seen = true
		}
	}
	o.Holders = last
	o.Flaps = max(0, taken-max(1, len(without(last, first))))
	return o, seen
}

// Outcomes returns the outcome for every address in the whole run. Flaps are those between one deed and the next: a
// deed is a reason to move.
func (r Run) Outcomes() (list []Outcome) {
	for _, a := range r.History {
		if o, ok := a.overDeeds(r.Trace, 0, r.End); ok {
			list = append(list, o)
		}
	}
	return list
}

func (h AddressHistory) overDeeds(trace []Entry, from, to time.Duration) (Outcome, bool) {
	whole, ok := h.Outcome(from, to)
	whole.Flaps = 0
	since := from
	part := func(until time.Duration) {
		o, _ := h.Outcome(since, until)
		whole.Flaps += o.Flaps
		since = until
	}
	for _, e := range trace {
		if at := time.Duration(e.At); e.Kind == Done && at > since && at < to {
			part(at)
		}
	}
	part(to)
	return whole, ok
}

func (o *Outcome) count(s Span) {
	d := s.To - s.From
	switch {
	case d < brief:
	case len(s.Nodes) == 0:
		o.Gap += d
	case len(s.Nodes) > 1:
		o.Overlap += d
	}
}

func without(list, other []int) (rest []int) {
	for _, x := range list {
		if !slices.Contains(other, x) {
			rest = append(rest, x)
		}
	}
	return rest
}

// A history is an AddressHistory under construction.
type history struct {
	spans   []Span
	holders []int
	since   time.Duration
	watched bool
}

// watch starts the record of an address, unless it has started.
func (r *recorder) watch(now time.Duration, a netip.Addr) {
	if h := r.history(a); !h.watched {
		h.watched, h.since = true, now
	}
}

// unwatch ends it.
func (r *recorder) unwatch(now time.Duration, a netip.Addr) {
	h := r.history(a)
	h.close(now)
	h.watched = false
}

// holds records that a node took or gave up an address.
func (r *recorder) holds(now time.Duration, a netip.Addr, node int, yes bool) {
	h := r.history(a)
	h.close(now)
	// Spans share the old list.
	h.holders = slices.DeleteFunc(slices.Clone(h.holders), func(n int) bool { return n == node })
	if yes {
		h.holders = append(h.holders, node)
		slices.Sort(h.holders)
	}
}

func (r *recorder) history(a netip.Addr) *history {
	h := r.histories[a]
	if h == nil {
		h = &history{}
		r.histories[a] = h
	}
	return h
}

// close ends the current span. A span of zero length is dropped, and equal neighbours are merged.
func (h *history) close(now time.Duration) {
	if !h.watched || now == h.since {
		return
	}
	if n := len(h.spans); n > 0 && h.spans[n-1].To == h.since && slices.Equal(h.spans[n-1].Nodes, h.holders) {
		h.spans[n-1].To = now
	} else {
		h.spans = append(h.spans, Span{h.since, now, h.holders})
	}
	h.since = now
}

// end closes all and returns the whole.
func (r *recorder) end(now time.Duration) (all History) {
	for a, h := range r.histories {
		h.close(now)
		if len(h.spans) > 0 {
			all = append(all, AddressHistory{a, h.spans})
		}
	}
	slices.SortFunc(all, func(a, b AddressHistory) int { return a.Address.Compare(b.Address) })
	return all
}
