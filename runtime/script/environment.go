package script

import (
	"slices"
	"strings"
)

// environment returns the environment of scripts: that of this process, as with keepalived, except for what is meant
// only for this process. A script with NOTIFY_SOCKET could tell systemd that the director is ready, or stops.
func environment(own []string) []string {
	return slices.DeleteFunc(slices.Clone(own), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return strings.HasPrefix(name, "KEEPC_") || slices.Contains([]string{
			"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
		}, name)
	})
}
