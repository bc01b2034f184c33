package router_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keepc/runtime/router"
)

// TestAhead compares the predicted advertisements of two masters with what their ticks send. Every scenario checks
// that no tick sends fewer.
func TestAhead(t *testing.T) {
	m := router.New(epoch, router.Prepare(mustParse(t, "A vrid 51 priority 150 addresses 192.0.2.10/24\nB vrid 52 priority 150 version 3 interval 300ms addresses 192.0.2.11/24"), nil))
	m.Step(epoch, eth0("192.0.2.2"))
	if list := m.Ahead(nil); len(list) > 0 {
		t.Errorf("before the first tick: %v", list)
	}
	m.Step(epoch, router.Tick{})
	if list := m.Ahead(nil); len(list) > 0 {
		t.Errorf("backups: %v", list)
	}
	for {
		at, some := m.Deadline()
		if !some || at.After(epoch.Add(10*time.Second)) {
			break
		}
		m.Step(at, router.Tick{})
	}
	var want, sent strings.Builder
	list := m.Ahead(nil)
	for _, d := range list {
		fmt.Fprintln(&want, d.At.Sub(epoch), d.Advert)
	}
	if n := 2 * router.AheadAdverts; len(list) != n {
		t.Errorf("%d are foreseen, want %d", len(list), n)
	}
	for range list {
		at, _ := m.Deadline()
		for _, e := range m.Step(at, router.Tick{}) {
			fmt.Fprintln(&sent, at.Sub(epoch), e)
		}
	}
	if !strings.HasPrefix(sent.String(), strings.Join(strings.SplitAfter(want.String(), "\n")[:4], "")) {
		t.Errorf("foreseen:\n%s\nsent:\n%s", &want, &sent)
	}
	m.Step(epoch.Add(time.Minute), router.Stop{})
	if list := m.Ahead(nil); len(list) > 0 {
		t.Errorf("after the end: %v", list)
	}
}
