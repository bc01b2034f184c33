package rival

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Keepalived returns an *Error when a keepalived has the network namespace of this process. It sees the processes that Find sees.
func Keepalived() error {
	found, err := Find()
	if found == nil {
		return err
	}
	return &Error{Name: "keepalived", PID: found.PID, Unit: found.Unit}
}

// Find returns the keepalived that has the network namespace of this process; nil: there is none. It sees the
// processes in /proc, by their program, and one that a pid file of keepalived names: its program may have a name with
// a version, and without root a user may not see which program it is. Processes of another PID namespace are not seen.
func Find() (*Running, error) {
	own, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("look up the network namespace: %w", err)
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == os.Getpid() || !isKeepalived(pid) {
			continue
		}
		if space, err := os.Readlink(proc(pid, "ns/net")); err != nil || space != own { // it may have ended meanwhile
			continue
		}
		for up := parent(pid); up > 1 && isKeepalived(up); up = parent(pid) { // the parent ends its children, and restarts them
			pid = up
		}
		return running(pid), nil
	}
	for _, name := range pidFiles() {
		text, err := os.ReadFile(name)
		pid, failed := strconv.Atoi(strings.TrimSpace(string(text)))
		if err == nil && failed == nil && pid != os.Getpid() && written(pid, own) {
			return running(pid), nil
		}
	}
	return nil, nil
}

// pidFiles are where a keepalived writes its pid by default: without use_pid_dir, and with it.
func pidFiles() []string { return []string{"/run/keepalived.pid", "/run/keepalived/keepalived.pid"} }

// written reports whether the process that a pid file names is a keepalived of a network namespace. The pid may have
// been reused.
func written(pid int, space string) bool {
	if there, err := os.Readlink(proc(pid, "ns/net")); err == nil && there != space {
		return false
	}
	name, err := os.Readlink(proc(pid, "exe"))
	if err != nil {
		comm, unseen := os.ReadFile(proc(pid, "comm"))
		if name = strings.TrimSpace(string(comm)); unseen != nil { // /proc may hide other users' processes
			return errors.Is(unix.Kill(pid, 0), unix.EPERM)
		}
	}
	own, failed := os.Stat("/proc/self/exe")
	other, err := os.Stat(proc(pid, "exe"))
	ours := failed == nil && err == nil && os.SameFile(own, other) // keepc under that name
	return strings.HasPrefix(filepath.Base(name), "keepalived") && !ours
}

// running describes a keepalived by its command line. A file without a directory is in its working directory.
func running(pid int) *Running {
	line, _ := os.ReadFile(proc(pid, "cmdline")) // it may have ended: then this is unknown
	r := &Running{PID: pid, Unit: unit(pid), Started: started(pid)}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	r.File, r.ID = arguments(args[1:])
	if dir, err := os.Readlink(proc(pid, "cwd")); err == nil && !filepath.IsAbs(r.File) {
		r.File = filepath.Join(dir, r.File)
	}
	return r
}

// started returns when a process started; zero: unknown.
func started(pid int) time.Time {
	fields := stat(pid)
	kernel, err := os.ReadFile("/proc/stat")
	_, boot, found := bytes.Cut(kernel, []byte("\nbtime "))
	if err != nil || !found || len(fields) < 20 {
		return time.Time{}
	}
	line, _, _ := bytes.Cut(boot, []byte("\n"))
	seconds, _ := strconv.ParseInt(string(line), 10, 64)
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil || seconds == 0 {
		return time.Time{}
	}
	const ticksPerSecond = 100 // USER_HZ of all architectures that Go runs on
	return time.Unix(seconds, 0).Add(time.Duration(ticks) * (time.Second / ticksPerSecond))
}

func proc(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// isKeepalived reports whether a process is a keepalived at work, and not one that tests a file. Its configuration
// decides the names of its processes, so its program counts.
func isKeepalived(pid int) bool {
	exe, err := os.Readlink(proc(pid, "exe"))
	name := strings.TrimSuffix(filepath.Base(exe), " (deleted)") // deleted by an upgrade
	if err != nil {
		comm, _ := os.ReadFile(proc(pid, "comm"))
		name = strings.TrimSpace(string(comm))
	}
	if name != "keepalived" {
		return false
	}
	own, failed := os.Stat("/proc/self/exe")
	if other, err := os.Stat(proc(pid, "exe")); failed == nil && err == nil && os.SameFile(own, other) { // keepc under that name
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
	fields := stat(pid)
	if len(fields) < 2 {
		return 0
	}
	up, _ := strconv.Atoi(fields[1])
	return up
}

// stat returns the fields of /proc/PID/stat after the name: state, parent, …; nil: it has ended.
func stat(pid int) []string {
	text, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// unit returns the systemd service that a process belongs to; empty: none. A process that was started from a shell can
// be in that of the SSH server.
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
