package kernel

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Linux is the kernel of this host, in the network namespace of the thread that opened it. Its methods may be called
// concurrently.
type Linux struct {
	routes     *netlink.Handle
	strict     *nl.SocketHandle // for lists that the kernel filters
	rules      *nl.SocketHandle
	table      ipvsTable
	sides      []anySide
	neighbours neighbours
	places     places
	firewall   firewall
	batch      batch
}

var _ Kernel = (*Linux)(nil)

// Open opens the kernel of this host. It needs no privileges: each verb reports what it lacks with ErrPermission.
func Open() (*Linux, error) { return OpenWith("") }

// OpenWith is Open with the IPVS table of a different network namespace, given by the path of its file.
func OpenWith(ipvs string) (*Linux, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	strict, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	_ = unix.SetsockoptInt(strict.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1) // a kernel before 4.20 does not filter, and says so
	rules, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		h.Close()
		strict.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	l := &Linux{routes: h, strict: &nl.SocketHandle{Socket: strict}, rules: &nl.SocketHandle{Socket: rules}, sides: sides(), table: ipvsTable{space: ipvs}}
	l.firewall.open()
	return l, nil
}

// Close closes the sockets. Wires and watches are closed separately.
func (l *Linux) Close() error {
	l.routes.Close()
	l.strict.Close()
	l.rules.Close()
	l.table.close()
	l.firewall.close()
	return l.neighbours.close()
}

// within calls f on a thread in a different network namespace, given by the path of its file; empty: that of the
// process. Sockets that f opens stay there.
func within(space string, f func() error) error {
	if space == "" {
		return f()
	}
	there, err := os.Open(space)
	if err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	defer there.Close()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	defer home.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the network namespace %s: %w", space, permission(err, sysAdmin))
	}
	failed := f()
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread() // otherwise the thread ends with its goroutine
	}
	return failed
}

// Namespace identifies the network namespace of this process: by its inode and, if the kernel has it (5.14), a number
// that no other namespace gets until the next boot, because inodes are reused.
func Namespace() (string, error) {
	link, err := os.Readlink("/proc/self/ns/net") // net:[4026531840]
	if err != nil {
		return "", fmt.Errorf("look up the network namespace: %w", err)
	}
	name := strings.Trim(link, "net:[]")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return name, nil
	}
	defer unix.Close(fd)
	if cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err == nil {
		name += "-" + strconv.FormatUint(cookie, 10)
	}
	return name, nil
}

const (
	netAdmin = "CAP_NET_ADMIN"
	netRaw   = "CAP_NET_RAW"
	sysNice  = "CAP_SYS_NICE"
	ipcLock  = "CAP_IPC_LOCK"
	sysAdmin = "CAP_SYS_ADMIN"
)

func lacks(capability string) error {
	return fmt.Errorf("%w: this needs %s", ErrPermission, capability)
}

// permission turns the kernel's EPERM into an ErrPermission that names the capability; other errors are unchanged.
func permission(err error, capability string) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return lacks(capability)
	}
	return err
}

// link returns an interface by name. Errors: ErrNoInterface.
func (l *Linux) link(name string) (*netlink.LinkAttrs, error) {
	found, err := l.routes.LinkByName(name)
	if _, absent := errors.AsType[netlink.LinkNotFoundError](err); absent {
		return nil, fmt.Errorf("%w: %s", ErrNoInterface, name)
	}
	if err != nil {
		return nil, fmt.Errorf("look up interface %s: %w", name, err)
	}
	return found.Attrs(), nil
}

// dump repeats a listing that changed while the kernel read it.
func dump[T any](list func() ([]T, error)) (all []T, err error) {
	for range 10 {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}
