package health

// A Quorum reports whether enough of a service is up. It is lost below Need - Hysteresis, or when nothing is left; it
// is regained at Need + Hysteresis. The zero Quorum is held.
type Quorum struct {
	Need       uint32 // weight
	Hysteresis uint32 // weight
	Lost       bool
}

// Judge takes the total weight of the live servers and reports whether that loses or regains the quorum.
func (q *Quorum) Judge(live uint64) (changed bool) {
	was := q.Lost
	if q.Lost {
		q.Lost = live == 0 || live < uint64(q.Need)+uint64(q.Hysteresis)
	} else {
		q.Lost = live == 0 || live+uint64(q.Hysteresis) < uint64(q.Need)
	}
	return q.Lost != was
}
