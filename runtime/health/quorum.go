package health

// A Quorum tells whether enough of a service is alive. It is lost below Need - Hysteresis, or when nothing is left; it is back
// from Need + Hysteresis on. The zero Quorum holds.
type Quorum struct {
	Need       uint32 // weight
	Hysteresis uint32 // weight
	Lost       bool
}

// Judge takes the sum of the live servers' weights and tells whether the quorum was lost or regained by it.
func (q *Quorum) Judge(live uint64) (changed bool) {
	was := q.Lost
	if q.Lost {
		q.Lost = live == 0 || live < uint64(q.Need)+uint64(q.Hysteresis)
	} else {
		q.Lost = live == 0 || live+uint64(q.Hysteresis) < uint64(q.Need)
	}
	return q.Lost != was
}
