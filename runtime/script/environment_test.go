package script

import (
	"slices"
	"testing"
)

// TestEnvironment checks that a script has the environment of the director, without what systemd and keepc tell only
// the director.
func TestEnvironment(t *testing.T) {
	own := []string{"PATH=/bin", "NOTIFY_SOCKET=/run/systemd/notify", "WATCHDOG_USEC=30000000", "WATCHDOG_PID=7", "KEEPC_NAMESPACE=7 blue", "LANG=C", "LISTEN_FDS=1", "SITE=edge"}
	if got, want := environment(own), []string{"PATH=/bin", "LANG=C", "SITE=edge"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
