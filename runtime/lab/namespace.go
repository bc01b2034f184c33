package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// A namespace is the network, mount and UTS namespaces of one host, held only by file descriptors.
type namespace struct {
	name          string
	net, mnt, uts int
	id            string // such as "net:[4026532281]"
}

// onThread runs f on a new operating system thread, which ends with f: whatever f does to the thread's namespaces
// affects nothing else. Goroutines that f starts do not share them either.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the runtime ends the thread
		err := errors.New("the function left its goroutine early")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}

// newNamespace makes the namespaces of a host, with its own /run, a /sys that shows its own interfaces, and its name
// as the host name.
func newNamespace(name string) (*namespace, error) {
	ns := &namespace{name: name, net: -1, mnt: -1, uts: -1}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if err := unix.Sethostname([]byte(name)); err != nil {
			return fmt.Errorf("set the host name: %w", err)
		}
		for _, m := range []struct {
			fs, target string
			flags      uintptr
		}{
			{"", "/", unix.MS_REC | unix.MS_PRIVATE}, // from here on no mount affects the real host
			{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV},
			{"sysfs", "/sys", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		} {
			if err := unix.Mount(m.fs, m.target, m.fs, m.flags, ""); err != nil {
				return fmt.Errorf("mount %s on %s: %w", m.fs, m.target, err)
			}
		}
		for file, fd := range map[string]*int{"net": &ns.net, "mnt": &ns.mnt, "uts": &ns.uts} {
			var err error
			path := "/proc/thread-self/ns/" + file
			if *fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
				return fmt.Errorf("open %s: %w", path, err)
			}
		}
		var err error
		ns.id, err = os.Readlink("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		ns.close()
		return nil, err
	}
	return ns, nil
}

// enter moves the calling thread, which must be one of onThread's, into the
// namespace. The working directory stays.
func (ns *namespace) enter() error {
	wd, err := os.Getwd()
	if err != nil {
		return err
	}
	// Threads that share their root and working directory may not change
	// their mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("enter %s: unshare: %w", ns.name, err)
	}
	for _, s := range []struct{ fd, kind int }{
		{ns.net, unix.CLONE_NEWNET}, {ns.mnt, unix.CLONE_NEWNS}, {ns.uts, unix.CLONE_NEWUTS},
	} {
		if err := unix.Setns(s.fd, s.kind); err != nil {
			return fmt.Errorf("enter %s: setns: %w", ns.name, err)
		}
	}
	return unix.Chdir(wd)
}

// do runs f inside the namespace.
func (ns *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := ns.enter(); err != nil {
			return err
		}
		return f()
	})
}

// sysctl sets a kernel variable of the namespace, named with dots.
func (ns *namespace) sysctl(key, value string) error {
	path := filepath.Join("/proc/sys", strings.ReplaceAll(key, ".", "/"))
	return ns.do(func() error { return os.WriteFile(path, []byte(value), 0) })
}

// netlink opens a netlink handle whose sockets live in the namespace.
func (ns *namespace) netlink() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.net), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink of %s: %w", ns.name, err)
	}
	return h, nil
}

// pids lists the processes whose network is this namespace's.
func (ns *namespace) pids() []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		if id, err := os.Readlink(link); err != nil || id != ns.id {
			continue // another's, or gone in the meantime
		}
		if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// kill ends every process of the namespace, including those without a parent there, and waits until they are gone.
func (ns *namespace) kill() error {
	for deadline := time.Now().Add(Patience(5 * time.Second)); ; time.Sleep(5 * time.Millisecond) {
		pids := ns.pids()
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of %s do not end", pids, ns.name)
		}
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by itself
		}
	}
}

func (ns *namespace) close() {
	for _, fd := range []*int{&ns.net, &ns.mnt, &ns.uts} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
		}
		*fd = -1
	}
}
