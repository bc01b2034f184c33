package status

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keepc/runtime/vrrp"
)

// TestWrong checks that each trouble is reported by itself, and none that is over.
func TestWrong(t *testing.T) {
	all := sample()
	all.Standings[0].Unheard = []vrrp.Unheard{{Peer: netip.MustParseAddr("10.0.0.6"), Drop: vrrp.Drop{Defect: vrrp.ErrAuth}, First: all.At.Add(-time.Hour), Last: all.At.Add(-time.Second), Count: 3600}}
	wrong := all.Document("lb01.conf", 1).Wrong()
	for i, want := range []string{
		"six has been in FAULT since 05:12:32: eth0 has no IPv6 link-local address",
		"oldboy has dropped the advertisements of 10.0.0.6 since 06:12:32, 3600 so far: wrong password",
		"the BFD session b with 10.0.0.9 has been Down since 05:13:32: Control Detection Time Expired",
		"tcp 10.0.0.3:80 has lost its quorum",
		"address 10.0.0.3/24 dev eth0 has failed since 05:13:32, 7 tries: no such interface: eth0",
		"the reload of 06:12:32 was refused: lb01.conf:4:14: error: priority 300",
		"10.0.0.8:80 of tcp 10.0.0.3:80 is down: connect: connection refused",
		"the certificate of 10.0.0.7:80 of tcp 10.0.0.3:80 ends at 2026-05-09 ",
	} {
		if i >= len(wrong) || !strings.HasPrefix(wrong[i], want) {
			t.Fatalf("no %q in\n%s", want, strings.Join(wrong, "\n"))
		}
	}
	fine := all
	fine.Standings = all.Standings[:1]
	fine.Standings[0].Unheard[0].Last = all.At.Add(-time.Hour)
	fine.Objects, fine.Problems, fine.Reload, fine.Situation = nil, nil, nil, sample().Situation
	fine.Situation.Down, fine.Situation.NoQuorum, fine.Certificates = nil, nil, nil
	fine.Sessions = all.Sessions[1:]
	if wrong := fine.Document("lb01.conf", 1).Wrong(); len(wrong) > 0 {
		t.Errorf("all is over, and wrong is %q", wrong)
	}
}

func TestWish(t *testing.T) {
	for text, want := range map[string]Wish{"VI_1 MASTER": {"VI_1", "MASTER"}, " VI_1  fault ": {"VI_1", "FAULT"}} {
		if w, err := ParseWish(text); err != nil || w != want {
			t.Errorf("%q: %v, %v", text, w, err)
		}
	}
	for _, text := range []string{"", "VI_1", "VI_1 LEADER", "VI_1 MASTER now"} {
		if w, err := ParseWish(text); err == nil {
			t.Errorf("%q is %v", text, w)
		}
	}
}

// TestWatch waits for a director, and for a role.
func TestWatch(t *testing.T) {
	var role atomic.Value
	role.Store("BACKUP")
	socket := stand(t, func(context.Context, Question) (Document, error) {
		return Document{Version: Version, Instances: []Instance{{Name: "VI_1", Role: role.Load().(string), Why: "starts"}}}, nil
	})
	wish, seen := Wish{"VI_1", "MASTER"}, []string{}
	err := watch(t.Context(), socket, About, time.Millisecond, func(d *Document) (bool, error) {
		met, instead := wish.Holds(d)
		seen = append(seen, instead)
		role.Store("MASTER")
		return met, nil
	})
	if err != nil || len(seen) != 2 || seen[0] != "VI_1 is BACKUP: starts" {
		t.Errorf("%v: %q", err, seen)
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	err = watch(ctx, "@keepc-nobody", About, time.Millisecond, func(d *Document) (bool, error) {
		if met, instead := wish.Holds(d); met || instead != ErrNone.Error() {
			t.Errorf("nobody: %v, %s", met, instead)
		}
		return false, nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if _, instead := (Wish{"VI_2", "MASTER"}).Holds(&Document{}); instead != "there is no instance VI_2" {
		t.Error(instead)
	}
}
