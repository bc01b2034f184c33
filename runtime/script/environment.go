package script

import (
	"slices"
	"strings"
)

// environment returns what a script finds in its environment: that of this process, as with keepalived, but for what was said to this process
// alone. A script that has NOTIFY_SOCKET could tell systemd that the director is ready, or stops.
func environment(own []string) []string {
	return slices.DeleteFunc(slices.Clone(own), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "KEEPC_") || slices.Contains([]string{
			"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
		}, name)
	})
}
