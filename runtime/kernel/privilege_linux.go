package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"keepc/compiler/privilege"
)

// capabilityBits has the number of each capability that a file can need.
func capabilityBits() map[string]uint {
	return map[string]uint{
		netAdmin: unix.CAP_NET_ADMIN, netRaw: unix.CAP_NET_RAW, sysNice: unix.CAP_SYS_NICE, ipcLock: unix.CAP_IPC_LOCK, sysAdmin: unix.CAP_SYS_ADMIN,
		"CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE, "CAP_SETUID": unix.CAP_SETUID, "CAP_SETGID": unix.CAP_SETGID, "CAP_KILL": unix.CAP_KILL,
		"CAP_CHOWN": unix.CAP_CHOWN, dacOverride: unix.CAP_DAC_OVERRIDE, dacReadSearch: unix.CAP_DAC_READ_SEARCH, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE,
	}
}

const (
	dacOverride   = "CAP_DAC_OVERRIDE"
	dacReadSearch = "CAP_DAC_READ_SEARCH"
)

// A capabilitySet is what capget(2) and capset(2) exchange: 64 bits in two halves.
type capabilitySet struct {
	header unix.CapUserHeader
	halves [2]unix.CapUserData
}

func readCapabilities() (*capabilitySet, error) {
	s := &capabilitySet{header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}
	if err := unix.Capget(&s.header, &s.halves[0]); err != nil {
		return nil, fmt.Errorf("read the capabilities of this process: %w", err)
	}
	return s, nil
}

// Held returns which of the capabilities that a file can need are effective in the calling thread.
func Held() (map[string]bool, error) {
	s, err := readCapabilities()
	if err != nil {
		return nil, err
	}
	held := map[string]bool{}
	for name, bit := range capabilityBits() {
		held[name] = s.halves[bit/32].Effective&(1<<(bit%32)) != 0
	}
	return held, nil
}

// GiveUp drops every capability that is not in keep from all threads of this process, permanently; children that run
// as the same user inherit none. With forGood no started program gains any by its mode or by running as root
// (no_new_privs). Errors: errors.ErrUnsupported in a program that is linked with the C library, as one built with cgo
// or the race detector: Go then does not know all threads, and nothing changes.
func GiveUp(keep []string, forGood bool) error {
	s, err := readCapabilities()
	if err != nil {
		return err
	}
	var wanted [2]uint32
	for _, name := range keep {
		bit := capabilityBits()[name]
		wanted[bit/32] |= 1 << (bit % 32)
	}
	for i := range s.halves {
		h := &s.halves[i]
		h.Permitted &= wanted[i]
		h.Effective, h.Inheritable = h.Permitted, 0 // with the inheritable ones the kernel drops the ambient ones
	}
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&s.header)), uintptr(unsafe.Pointer(&s.halves[0])), 0)
	if errno == 0 && forGood {
		_, _, errno = syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	}
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return errors.ErrUnsupported
	}
	return fmt.Errorf("give up capabilities: %w", errno)
}

// Allowed returns what this machine allows everybody, in the network namespace of the calling thread.
func Allowed() Permissions {
	p := Permissions{Port: 1024}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP); err == nil {
		p.Ping = true
		_ = unix.Close(fd) // nothing was written
	}
	_ = without(func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return
		}
		p.Bind = unix.BindToDevice(fd, "lo") == nil
		_ = unix.Close(fd) // nothing was written
	}, netRaw)
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16); err == nil {
			p.Port = uint16(port)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts") // if /proc hides even this, it is unknown
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "/proc" && strings.Contains(f[3], "hidepid=") {
			p.Hidden = !strings.Contains(f[3], "hidepid=0") && !strings.Contains(f[3], "hidepid=off")
		}
	}
	return p
}

// without calls f on a thread that temporarily lacks these capabilities; what it starts has them. If it returns an
// error, f was not called.
func without(f func(), names ...string) error {
	failed := make(chan error)
	go func() { // ends with f
		runtime.LockOSThread()
		s, err := readCapabilities()
		if err != nil {
			failed <- err
			return
		}
		less := *s
		for _, name := range names {
			bit := capabilityBits()[name]
			less.halves[bit/32].Effective &^= 1 << (bit % 32)
		}
		if err := unix.Capset(&less.header, &less.halves[0]); err != nil {
			failed <- fmt.Errorf("go without %s: %w", names, err)
			return
		}
		f()
		if unix.Capset(&s.header, &s.halves[0]) == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
		}
		failed <- nil
	}()
	return <-failed
}

// Unexempt calls f on a thread for which the modes of files count: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
// If it returns an error, f was not called.
func Unexempt(f func()) error { return without(f, dacOverride, dacReadSearch) }

// AccessTo returns what this process may do with a file. What cannot be determined counts as not allowed.
func AccessTo(path string) (a privilege.Access) {
	var stat unix.Stat_t
	a.There = unix.Stat(path, &stat) == nil
	a.Own = a.There && int(stat.Uid) == os.Geteuid() && int(stat.Gid) == os.Getegid()
	_ = Unexempt(func() {
		dir := filepath.Dir(path)
		a.Read = accessible(path, unix.R_OK) && accessible(dir, unix.R_OK)
		a.Write = accessible(path, unix.R_OK|unix.W_OK) && accessible(dir, unix.W_OK|unix.X_OK)
	})
	return a
}

// accessible reports whether the modes let the calling thread use a path (unix.R_OK, unix.X_OK). What does not exist
// is accessible.
func accessible(path string, mode uint32) bool {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return true // no file has such a name
	}
	at := unix.AT_FDCWD
	switch _, _, errno := unix.Syscall6(unix.SYS_FACCESSAT2, uintptr(at), uintptr(unsafe.Pointer(name)), uintptr(mode), unix.AT_EACCESS, 0, 0); errno {
	case unix.EACCES:
		return false
	case unix.ENOSYS, unix.EPERM: // Linux before 5.8, or a sandbox that does not know it; the older call ignores which capabilities the thread lacks
		return allowed(path, mode)
	}
	return true
}

// allowed is accessible, judging by the mode bits; it knows no access control lists.
func allowed(path string, mode uint32) bool {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0) // the directories decide, and the file's mode does not matter
	if err != nil {
		return !errors.Is(err, unix.EACCES)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil {
		return false
	}
	groups, err := os.Getgroups()
	if err != nil {
		return false
	}
	bits := stat.Mode
	switch {
	case int(stat.Uid) == os.Geteuid():
		bits >>= 6
	case int(stat.Gid) == os.Getegid(), slices.Contains(groups, int(stat.Gid)):
		bits >>= 3
	}
	return bits&mode == mode
}
