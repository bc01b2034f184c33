package daemon

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"keepc/runtime/status"
)

// document answers who asks for the director's status. It asks the event loop for a snapshot and writes it down on the goroutine
// of who asks: however large the configuration is and however slow the client, no advertisement waits.
func (d *director) document(ctx context.Context) (status.Document, error) {
	reply := make(chan status.Snapshot, 1) // the loop never waits for who asked
	select {
	case d.asked <- reply:
	case <-ctx.Done():
		return status.Document{}, errors.New("its event loop does not answer")
	}
	select {
	case s := <-reply:
		for _, e := range []*enforcer{d.network, d.ipvs} {
			if problem := e.trouble(); problem != "" {
				s.Problems = append(s.Problems, e.name+": "+problem)
			}
			s.Made = slices.AppendSeq(s.Made, maps.Keys(e.owned()))
		}
		return s.Document(d.File, os.Getpid()), nil
	case <-ctx.Done():
		return status.Document{}, errors.New("its event loop does not answer")
	}
}

// snapshot is taken by the event loop.
func (d *director) snapshot() status.Snapshot {
	return status.Snapshot{
		First: d.first, Config: d.router.Config(), Situation: d.situation(), Standings: d.router.Standings(),
		At: time.Now(), Started: d.begun, Since: d.since, Reload: d.reloaded,
	}
}
