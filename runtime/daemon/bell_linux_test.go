package daemon

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestBells(t *testing.T) {
	thread, err := newThreadBell()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		bell
	}{{"timer", newTimerBell()}, {"thread", thread}} {
		t.Run(c.name, func(t *testing.T) {
			defer c.close()
			c.sleep(time.Now().Add(-time.Second)) // does not hang
			begun := time.Now()
			for due := begun.Add(20 * time.Millisecond); time.Now().Before(due); {
				c.sleep(due)
			}
			go func() {
				time.Sleep(20 * time.Millisecond)
				c.Ring()
			}()
			c.sleep(time.Time{})
			if slept := time.Since(begun); slept < 40*time.Millisecond {
				t.Errorf("two naps of 20 ms took %v", slept)
			}
			c.Ring()
			c.sleep(time.Now().Add(time.Hour)) // a ring wakes, and the next one is earlier
			begun = time.Now()
			for due := begun.Add(20 * time.Millisecond); time.Now().Before(due); {
				c.sleep(due)
			}
			for due, wakes := time.Now().Add(40*time.Millisecond), 0; time.Now().Before(due); wakes++ { // one is later
				if wakes > 3 {
					t.Errorf("%d times woken in one nap", wakes)
				}
				c.sleep(due)
			}
			c.Ring()
			c.Ring()
			c.sleep(time.Time{}) // a ring before the sleep counts
			c.Ring()
			c.sleep(time.Time{}) // and counts again
		})
	}
}

// TestBellOfAThreadWatches wakes for what can be read, as long as it can be read, until it is closed.
func TestBellOfAThreadWatches(t *testing.T) {
	b, err := newThreadBell()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	var readable atomic.Bool
	if err := b.watch(pipe[0], &readable); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(pipe[1], []byte("x")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if b.sleep(time.Time{}); !readable.Swap(false) {
			t.Error("it does not say what can be read")
		}
	}
	_ = unix.Close(pipe[0])
	_ = unix.Close(pipe[1])
	begun := time.Now()
	b.sleep(begun.Add(20 * time.Millisecond))
	if time.Since(begun) < 20*time.Millisecond {
		t.Error("a closed descriptor wakes")
	}
	if readable.Load() {
		t.Error("a closed descriptor can be read")
	}
}
