// Package rival finds out who else is a director of this network namespace: two would fight for the addresses.
package rival

import "fmt"

// An Error says that another director is at work, and how to stop it.
type Error struct {
	Name string // "keepalived" or "another keepc"
	PID  int    // 0: unknown
	Unit string // of systemd, as "keepalived.service"; empty: none
}

func (e *Error) Error() string {
	text := e.Name + " runs here already"
	if e.PID == 0 {
		return text
	}
	stop := fmt.Sprintf("kill %d", e.PID)
	if e.Unit != "" {
		stop = "systemctl stop " + e.Unit
	}
	return fmt.Sprintf("%s (process %d), and two directors would fight for the addresses; stop it first: %s", text, e.PID, stop)
}
