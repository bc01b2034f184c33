package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
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

// GiveUp takes every capability but those to keep, of what it has, from all threads of this process, for ever; children that run as the same
// user inherit none. With forGood no program that is started gains any by its mode or by being run as root (no_new_privs). Errors:
// errors.ErrUnsupported in a program that is linked with the C library, as one built with cgo or the race detector: Go then does not know
// all threads, and nothing changes.
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
		h.Effective, h.Inheritable = h.Permitted, 0 // and with the inheritable ones the kernel takes the ambient ones
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

// Allowed tells what this machine allows everybody, in the network namespace of the calling thread.
func Allowed() Permissions {
	p := Permissions{Port: 1024}
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP); err == nil {
		p.Ping = true
		_ = unix.Close(fd) // nothing was written
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if port, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16); err == nil {
			p.Port = uint16(port)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mounts") // of a /proc that hides even this nothing can be told
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == "/proc" && strings.Contains(f[3], "hidepid=") {
			p.Hidden = !strings.Contains(f[3], "hidepid=0") && !strings.Contains(f[3], "hidepid=off")
		}
	}
	return p
}

// accessible reports whether this process may use a path (unix.R_OK, unix.X_OK) without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. What is
// not there is accessible.
func accessible(path string, mode uint32) bool {
	yes := true
	done := make(chan struct{})
	go func() { // ends at once, and with it its thread, which has less than the others
		defer close(done)
		runtime.LockOSThread()
		s, err := readCapabilities()
		if err != nil {
			return
		}
		for _, name := range []string{dacOverride, dacReadSearch} {
			s.halves[0].Effective &^= 1 << capabilityBits()[name]
		}
		if unix.Capset(&s.header, &s.halves[0]) == nil {
			yes = !errors.Is(unix.Faccessat(unix.AT_FDCWD, path, mode, unix.AT_EACCESS), unix.EACCES)
		}
	}()
	<-done
	return yes
}

// Readable reports whether this process may read a file without being exempt from its mode (CAP_DAC_READ_SEARCH).
func Readable(path string) bool { return accessible(path, unix.R_OK) }

// Runnable reports whether this process may run a file without being exempt from its mode (CAP_DAC_OVERRIDE).
func Runnable(path string) bool { return accessible(path, unix.X_OK) }
