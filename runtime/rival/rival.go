// Package rival finds other directors of this network namespace: two would fight for the addresses.
package rival

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// An Error says that another director is running, and how to stop it.
type Error struct {
	Name string // "keepalived" or "another keepc"
	PID  int    // 0: unknown
	Unit string // of systemd, such as "keepalived.service"; empty: none
}

// A Running is a running keepalived.
type Running struct {
	PID     int
	Unit    string    // of systemd, such as "keepalived.service"; empty: none
	File    string    // its configuration file, with its directory
	ID      string    // that selects its @ID lines; empty: the host's name
	Started time.Time // zero: unknown
}

// defaultFile is the file that keepalived reads by default.
const defaultFile = "/etc/keepalived/keepalived.conf"

// withValue are the short options of keepalived that take a value, attached or as the next word; joinedValue those
// whose value must be attached.
const (
	withValue   = "SurpcbAsif"
	joinedValue = "Mt"
)

// arguments returns the file and the id among the arguments of a keepalived, as getopt does: the last one of each
// counts.
func arguments(args []string) (file, id string) {
	file = defaultFile
	note := func(option, value string) {
		switch option {
		case "f", "use-file":
			file = value
		case "i", "config-id":
			id = value
		}
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() (value string) {
			if i++; i < len(args) {
				value = args[i]
			}
			return value
		}
		if long, is := strings.CutPrefix(arg, "--"); is {
			name, value, joined := strings.Cut(long, "=")
			if !joined && slices.Contains([]string{"use-file", "config-id"}, name) {
				value = next()
			}
			note(name, value)
			continue
		}
		if len(arg) < 2 || arg[0] != '-' {
			continue
		}
		for at := 1; at < len(arg); at++ {
			if strings.Contains(joinedValue, arg[at:at+1]) {
				break
			}
			if !strings.Contains(withValue, arg[at:at+1]) {
				continue
			}
			value := arg[at+1:]
			if value == "" {
				value = next()
			}
			note(arg[at:at+1], value)
			break
		}
	}
	return file, id
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
