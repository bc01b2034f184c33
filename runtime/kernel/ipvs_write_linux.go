package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// command makes changes with IPVS commands, at most ipvsBatch, and returns the result of each.
func (l *Linux) command(changes []Change) []error {
	errs := make([]error, len(changes))
	err := l.table.use(func() error {
		of := func(c Change) commander { return l.side(c.Key).(commander) } // Apply has checked this
		adds := make([]command, len(changes))
		for i, c := range changes {
			adds[i] = of(c).commandOf(c, true)
		}
		errs = l.table.writer.do(adds)

		// What exists is edited in place: if it were deleted and added again, it would lose its connections.
		var edits []command
		var edited []int
		for i, err := range errs {
			if errors.Is(err, unix.EEXIST) {
				edits = append(edits, of(changes[i]).commandOf(changes[i], false))
				edited = append(edited, i)
			}
		}
		for j, err := range l.table.writer.do(edits) {
			errs[edited[j]] = err
		}
		for i, c := range changes {
			errs[i] = of(c).explained(c, errs[i])
		}
		return errors.Join(errs...)
	})
	if err != nil && errors.Join(errs...) == nil { // the table did not open: nothing was done
		for i, c := range changes {
			errs[i] = fmt.Errorf("%s: %w", c, err)
		}
	}
	return errs
}

func serviceCommand(k ir.ServiceKey, s *state.Service, add bool) command {
	return command{pick(s != nil, add, cmdNewService, cmdSetService, cmdDelService), appendService(nil, k, s)}
}

func destinationCommand(k state.DestinationKey, d *state.Destination, add bool) command {
	attrs := appendService(make([]byte, 0, destinationSize), k.Service, nil)
	return command{pick(d != nil, add, cmdNewDest, cmdSetDest, cmdDelDest), appendDestination(attrs, k.Server, d)}
}

func timeoutsCommand(_ state.TimeoutsKey, t *state.Timeouts, _ bool) command {
	if t == nil {
		return command{} // the kernel answers EOPNOTSUPP
	}
	return command{cmdSetConfig, appendTimeouts(nil, *t)}
}

// pick returns the number of the command that adds, edits or deletes.
func pick(set, add bool, adds, edits, deletes uint8) uint8 {
	switch {
	case !set:
		return deletes
	case add:
		return adds
	}
	return edits
}

// What is absent needs no deletion.

func explainService(s *state.Service, err error) error {
	switch {
	case s == nil && (errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT)):
		return nil
	case s != nil && errors.Is(err, unix.ENOENT):
		what := fmt.Sprintf("scheduler %q", s.Scheduler)
		if s.Engine != "" {
			what += fmt.Sprintf(", or no persistence engine %q", s.Engine)
		}
		return fmt.Errorf("the kernel has no %s: %w", what, err)
	case errors.Is(err, unix.ESRCH):
		return errNoService
	}
	return err
}

func explainDestination(d *state.Destination, err error) error {
	switch {
	case d == nil && (errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT)): // no such service; no such server
		return nil
	case errors.Is(err, unix.ESRCH):
		return errNoService
	}
	return err
}

// Commands and attributes of the IPVS family (linux/ip_vs.h).
const (
	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetService = 4
	cmdGetDest    = 8
	cmdSetConfig  = 12

	ipvsVersion = 1

	attrService = 1
	attrDest    = 2
	attrTCP     = 4 // timeouts
	attrTCPFin  = 5
	attrUDP     = 6

	svcFamily    = 1
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcEngine    = 11
	svcTraffic   = 12

	dstAddr        = 1
	dstPort        = 2
	dstForwarding  = 3
	dstWeight      = 4
	dstUpper       = 5
	dstLower       = 6
	dstActive      = 7
	dstInactive    = 8
	dstPersistent  = 9
	dstFamily      = 11
	dstTraffic     = 12
	dstTunnelType  = 13
	dstTunnelPort  = 14
	dstTunnelFlags = 15
)

// destinationSize is enough for the attributes of a real server, including those that identify its service.
const destinationSize = 192

// appendService describes a service by its key and, for commands that set it, its settings.
func appendService(b []byte, k ir.ServiceKey, s *state.Service) []byte {
	b, start := openAttr(b, attrService)
	v6 := k.IPv6
	if k.FWMark != 0 {
		b = append32(b, svcFWMark, k.FWMark)
	} else {
		v6 = k.Addr.Is6()
		b = append16(b, svcProtocol, uint16(k.Protocol))
		b = appendAddr(b, svcAddr, k.Addr)
		b = appendPort(b, svcPort, k.Port)
	}
	b = append16(b, svcFamily, family(v6))
	if s == nil {
		return closeAttr(b, start)
	}
	// The kernel reads the timeout only with the flag, but the mask always.
	flags := s.Flags &^ (svcPersistent | svcHashed)
	if s.Persistence > 0 {
		flags |= svcPersistent
	}
	b = appendString(b, svcScheduler, s.Scheduler)
	if s.Engine != "" {
		b = appendString(b, svcEngine, s.Engine)
	}
	b, words := openAttr(b, svcFlags) // values, mask
	b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, flags), ^uint32(svcHashed))
	b = closeAttr(b, words)
	b = append32(b, svcTimeout, uint32(s.Persistence.Seconds()))
	b = append32(b, svcNetmask, netmask(s.Mask, v6))
	return closeAttr(b, start)
}

// appendDestination describes a real server by its key and, for commands that set it, its settings. The family lets a
// tunnel lead to a server of the other family.
func appendDestination(b []byte, k netip.AddrPort, d *state.Destination) []byte {
	b, start := openAttr(b, attrDest)
	b = appendAddr(b, dstAddr, k.Addr())
	b = appendPort(b, dstPort, k.Port())
	b = append16(b, dstFamily, family(k.Addr().Is6()))
	if d == nil {
		return closeAttr(b, start)
	}
	b = append32(b, dstForwarding, forwarding(d.Forwarding))
	b = append32(b, dstWeight, uint32(d.Weight))
	b = append32(b, dstUpper, d.UpperThreshold)
	b = append32(b, dstLower, d.LowerThreshold)
	if d.Tunnel != (ir.Tunnel{}) {
		b = append8(b, dstTunnelType, uint8(d.Tunnel.Type))
		b = appendPort(b, dstTunnelPort, d.Tunnel.Port)
		b = append16(b, dstTunnelFlags, uint16(d.Tunnel.Checksum))
	}
	return closeAttr(b, start)
}

// appendTimeouts describes the timeouts; the kernel leaves those of 0 unchanged.
func appendTimeouts(b []byte, t state.Timeouts) []byte {
	b = append32(b, attrTCP, uint32(t.TCP.Seconds()))
	b = append32(b, attrTCPFin, uint32(t.TCPFin.Seconds()))
	return append32(b, attrUDP, uint32(t.UDP.Seconds()))
}

func family(v6 bool) uint16 {
	if v6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func forwarding(f ir.Forwarding) uint32 {
	switch f {
	case ir.DR:
		return ipvs.ConnFwdDirectRoute
	case ir.TUN:
		return ipvs.ConnFwdTunnel
	}
	return ipvs.ConnFwdMasq
}

// A command of the IPVS family with its attributes.
type command struct {
	number uint8
	attrs  []byte // encoded
}

// An ipvsWriter sends IPVS commands on its own generic-netlink socket, many in one message.
type ipvsWriter struct {
	family uint16
	fd     int
	seq    uint32 // of the last command sent
	buf    []byte // answers
	// message is what was last sent; its memory is reused.
	message []byte
}

// ipvsBatch is the number of commands in one message. The answers to all of them fit into the default receive buffer
// even if all fail.
const ipvsBatch = 64

func newIPVSWriter(family uint16) (*ipvsWriter, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	limit := unix.NsecToTimeval(ipvsPatience.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // an answer need not repeat the command
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
	)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return &ipvsWriter{family: family, fd: fd, buf: make([]byte, 1<<16)}, nil
}

func (w *ipvsWriter) close() { _ = unix.Close(w.fd) }

// do sends commands and returns the kernel's verdict on each: nil or an errno. EAGAIN: no verdict came in time.
func (w *ipvsWriter) do(commands []command) []error {
	errs := make([]error, 0, len(commands))
	for batch := range slices.Chunk(commands, ipvsBatch) {
		errs = append(errs, w.batch(batch)...)
	}
	return errs
}

// batch sends commands in one message. The kernel answers those that fail, and the last one in any case.
func (w *ipvsWriter) batch(commands []command) []error {
	errs := make([]error, len(commands))
	fail := func(err error) []error {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
		return errs
	}
	message := w.message[:0]
	first := w.seq + 1
	for i, c := range commands {
		w.seq++
		flags := uint16(unix.NLM_F_REQUEST)
		if i == len(commands)-1 {
			flags |= unix.NLM_F_ACK
		}
		message = binary.NativeEndian.AppendUint32(message, uint32(unix.NLMSG_HDRLEN+nl.SizeofGenlmsg+len(c.attrs)))
		message = binary.NativeEndian.AppendUint16(message, w.family)
		message = binary.NativeEndian.AppendUint16(message, flags)
		message = binary.NativeEndian.AppendUint32(message, w.seq)
		message = append(message, 0, 0, 0, 0, c.number, ipvsVersion, 0, 0) // the sender is known to the kernel
		message = append(message, c.attrs...)
	}
	w.message = message
	if err := unix.Sendto(w.fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fail(err)
	}
	for {
		n, _, err := unix.Recvfrom(w.fd, w.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fail(err)
		}
		answers, err := syscall.ParseNetlinkMessage(w.buf[:n])
		if err != nil {
			return fail(err)
		}
		for _, m := range answers {
			i := m.Header.Seq - first
			if m.Header.Type != unix.NLMSG_ERROR || i >= uint32(len(commands)) || len(m.Data) < 4 {
				continue
			}
			if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
				errs[i] = unix.Errno(errno)
			}
			if m.Header.Seq == w.seq {
				return errs
			}
		}
	}
}
