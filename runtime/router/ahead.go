package router

import (
	"cmp"
	"slices"
	"time"
)

// A Departure is an advertisement with the time at which it is to be sent.
type Departure struct {
	At     time.Time
	Advert SendAdvert
}

const (
	// aheadInstances is the number of instances that Ahead looks at.
	aheadInstances = 8
	// AheadAdverts is the number of advertisements of an instance that Ahead predicts: a backup waits for three.
	AheadAdverts = 3
)

// Ahead appends the advertisements that Ticks will send if nothing happens until then, sorted by time: the next ones
// of up to eight instances, including that of the next deadline. It is for a shell that can send on time by itself,
// however busy it is otherwise. Each Departure that was sent needs a Tick at its time, whose SendAdvert counts as
// done.
func (m *Machine) Ahead(list []Departure) []Departure {
	if m.stopping || !m.settled {
		return list
	}
	looked := 0
	for owner := range m.timers.Owners {
		if looked++; looked > aheadInstances {
			break
		}
		i, ok := owner.(*instance)
		if !ok {
			continue
		}
		for n := range AheadAdverts {
			next, at := i.machine.Next(n)
			for _, f := range next {
				if advert, ok := i.advert(f).(SendAdvert); ok {
					list = append(list, Departure{At: at, Advert: advert})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Departure) int { return cmp.Compare(a.At.Sub(b.At), 0) })
	return list
}
