package rival

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Keepalived returns an *Error when a keepalived has the network namespace of this process. It sees the processes that /proc has: not those
// of another PID namespace, nor, without the rights of root, those of other users.
func Keepalived() error {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("look up the network namespace: %w", err)
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("list the processes: %w", err)
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == os.Getpid() || !isKeepalived(pid) {
			continue
		}
		if space, err := os.Readlink(proc(pid, "ns/net")); err != nil || space != own { // it may have ended meanwhile
			continue
		}
		for up := parent(pid); up > 1 && isKeepalived(up); up = parent(pid) { // which ends its children, and starts them anew
			pid = up
		}
		return &Error{Name: "keepalived", PID: pid, Unit: unit(pid)}
	}
	return nil
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// isKeepalived reports whether a process is a keepalived that is at work, and not one that tests a file. The names of its processes are a
// matter of its configuration, so the program counts.
func isKeepalived(pid int) bool {
	exe, err := os.Readlink(proc(pid, "exe"))
	name := strings.TrimSuffix(filepath.Base(exe), " (deleted)") // by an upgrade
	if err != nil {
		comm, _ := os.ReadFile(proc(pid, "comm"))
		name = strings.TrimSpace(string(comm))
	}
	if name != "keepalived" {
		return false
	}
	line, err := os.ReadFile(proc(pid, "cmdline"))
	if err != nil || len(line) == 0 { // it has ended
		return false
	}
	return !slices.ContainsFunc(bytes.Split(line, []byte{0}), func(arg []byte) bool {
		return bytes.Equal(arg, []byte("-t")) || bytes.HasPrefix(arg, []byte("--config-test"))
	})
}

// parent returns the parent of a process; 0: it has ended.
func parent(pid int) int {
	stat, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // behind the name: state, parent
	if len(fields) < 2 {
		return 0
	}
	up, _ := strconv.Atoi(fields[1])
	return up
}

// unit returns the service of systemd that a process is; empty: none. One that was started from a shell can be in that of the SSH server.
func unit(pid int) string {
	groups, err := os.ReadFile(proc(pid, "cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(groups)) {
		if name := filepath.Base(strings.TrimSpace(line)); strings.HasSuffix(name, ".service") && strings.HasPrefix(name, "keep") {
			return name
		}
	}
	return ""
}
