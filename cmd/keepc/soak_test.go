package main

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestSoakFailover plays failures at random moments for as long as KEEPC_SOAK says: after each of them one director,
// the right one, holds the address.
func TestSoakFailover(t *testing.T) {
	limit, err := time.ParseDuration(os.Getenv("KEEPC_SOAK"))
	if err != nil {
		t.Skip("a test of hours: run it with make soak")
	}
	s := newPair(t)
	s.lb02 = s.start(s.LB02, keepc)
	s.lb01 = s.start(s.LB01, keepc)
	holds := func(name string) {
		t.Helper()
		s.eventually(12*time.Second, name+" alone holds the address", func() error { return s.held(name) })
	}
	holds("lb01")
	failures := 0
	for end := time.Now().Add(limit); time.Now().Before(end); failures++ {
		time.Sleep(rand.N(3 * time.Second))
		switch rand.IntN(4) {
		case 0:
			s.LB01.Link("eth0").Down()
			holds("lb02")
			s.LB01.Link("eth0").Up()
		case 1:
			s.lb01.Signal(syscall.SIGTERM)
			_ = s.lb01.Wait(10 * time.Second)
			holds("lb02")
			s.lb01 = s.start(s.LB01, keepc)
		case 2: // a crash leaves the address in place; the next start clears it
			s.lb01.Kill()
			s.firstFrom("10.0.0.6", time.Now(), 10*time.Second)
			s.lb01 = s.start(s.LB01, keepc)
		case 3:
			s.lb01.Signal(syscall.SIGHUP)
		}
		holds("lb01")
	}
	t.Logf("%d failures in %v on kernel %s", failures, limit, lab.Kernel())
}
