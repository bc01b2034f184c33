package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// command makes changes with commands of IPVS, no more than ipvsBatch, and returns the outcome of each.
func (l *Linux) command(changes []Change) []error {
	errs := make([]error, len(changes))
	err := l.table.use(func() error {
		of := func(c Change) commander { return l.side(c.Key).(commander) } // Apply has looked
		adds := make([]command, len(changes))
		for i, c := range changes {
			adds[i] = of(c).commandOf(c, true)
		}
		errs = l.table.writer.do(adds)

		// What is there already is edited in place: deleted and added again, it would lose its connections.
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
	attrs := []*nl.RtAttr{serviceAttrs(k, s)}
	return command{pick(s != nil, add, cmdNewService, cmdSetService, cmdDelService), attrs}
}

func destinationCommand(k state.DestinationKey, d *state.Destination, add bool) command {
	attrs := []*nl.RtAttr{serviceAttrs(k.Service, nil), destinationAttrs(k.Server, d)}
	return command{pick(d != nil, add, cmdNewDest, cmdSetDest, cmdDelDest), attrs}
}

func timeoutsCommand(_ state.TimeoutsKey, t *state.Timeouts, _ bool) command {
	if t == nil {
		return command{} // the kernel answers EOPNOTSUPP
	}
	return command{cmdSetConfig, timeoutAttrs(*t)}
}

// pick is the number of the command that adds, edits or deletes.
func pick(set, add bool, adds, edits, deletes uint8) uint8 {
	switch {
	case !set:
		return deletes
	case add:
		return adds
	}
	return edits
}

// What is absent already needs no deletion.

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
	dstTunnelType  = 13
	dstTunnelPort  = 14
	dstTunnelFlags = 15
)

// serviceAttrs describes a service by its key and, for those commands that set it, its settings.
func serviceAttrs(k ir.ServiceKey, s *state.Service) *nl.RtAttr {
	a := nl.NewRtAttr(attrService, nil)
	v6 := k.IPv6
	if k.FWMark != 0 {
		a.AddRtAttr(svcFWMark, nl.Uint32Attr(k.FWMark))
	} else {
		v6 = k.Addr.Is6()
		a.AddRtAttr(svcProtocol, nl.Uint16Attr(uint16(k.Protocol)))
		a.AddRtAttr(svcAddr, k.Addr.AsSlice())
		a.AddRtAttr(svcPort, nl.BEUint16Attr(k.Port))
	}
	a.AddRtAttr(svcFamily, nl.Uint16Attr(family(v6)))
	if s == nil {
		return a
	}
	// The kernel reads the timeout only beside the flag, and the mask always.
	flags := s.Flags &^ (svcPersistent | svcHashed)
	if s.Persistence > 0 {
		flags |= svcPersistent
	}
	a.AddRtAttr(svcScheduler, nl.ZeroTerminated(s.Scheduler))
	if s.Engine != "" {
		a.AddRtAttr(svcEngine, nl.ZeroTerminated(s.Engine))
	}
	a.AddRtAttr(svcFlags, append(nl.Uint32Attr(flags), nl.Uint32Attr(^uint32(svcHashed))...)) // values, mask
	a.AddRtAttr(svcTimeout, nl.Uint32Attr(uint32(s.Persistence.Seconds())))
	a.AddRtAttr(svcNetmask, nl.Uint32Attr(netmask(s.Mask, v6)))
	return a
}

// destinationAttrs describes a real server by its key and, for those commands that set it, its settings. The family lets a
// tunnel lead to a server of the other family.
func destinationAttrs(k netip.AddrPort, d *state.Destination) *nl.RtAttr {
	a := nl.NewRtAttr(attrDest, nil)
	a.AddRtAttr(dstAddr, k.Addr().AsSlice())
	a.AddRtAttr(dstPort, nl.BEUint16Attr(k.Port()))
	a.AddRtAttr(dstFamily, nl.Uint16Attr(family(k.Addr().Is6())))
	if d == nil {
		return a
	}
	a.AddRtAttr(dstForwarding, nl.Uint32Attr(forwarding(d.Forwarding)))
	a.AddRtAttr(dstWeight, nl.Uint32Attr(uint32(d.Weight)))
	a.AddRtAttr(dstUpper, nl.Uint32Attr(d.UpperThreshold))
	a.AddRtAttr(dstLower, nl.Uint32Attr(d.LowerThreshold))
	if d.Tunnel != (ir.Tunnel{}) {
		a.AddRtAttr(dstTunnelType, nl.Uint8Attr(uint8(d.Tunnel.Type)))
		a.AddRtAttr(dstTunnelPort, nl.BEUint16Attr(d.Tunnel.Port))
		a.AddRtAttr(dstTunnelFlags, nl.Uint16Attr(uint16(d.Tunnel.Checksum)))
	}
	return a
}

// timeoutAttrs describes the timeouts; the kernel leaves those of 0 as they are.
func timeoutAttrs(t state.Timeouts) []*nl.RtAttr {
	seconds := func(attr int, d time.Duration) *nl.RtAttr {
		return nl.NewRtAttr(attr, nl.Uint32Attr(uint32(d.Seconds())))
	}
	return []*nl.RtAttr{seconds(attrTCP, t.TCP), seconds(attrTCPFin, t.TCPFin), seconds(attrUDP, t.UDP)}
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
	attrs  []*nl.RtAttr
}

// An ipvsWriter sends IPVS commands on a generic-netlink socket of its own, many in one message.
type ipvsWriter struct {
	family uint16
	fd     int
	seq    uint32 // of the last command sent
	buf    []byte
}

// ipvsBatch is how many commands go in one message. The answers to all, should all fail, fit into the default receive buffer.
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

// batch sends commands in one message. The kernel answers to those that fail, and to the last one in any case.
func (w *ipvsWriter) batch(commands []command) []error {
	errs := make([]error, len(commands))
	fail := func(err error) []error {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
		return errs
	}
	var message []byte
	first := w.seq + 1
	for i, c := range commands {
		w.seq++
		req := nl.NewNetlinkRequest(int(w.family), 0)
		req.Seq = w.seq
		if i == len(commands)-1 {
			req.Flags |= unix.NLM_F_ACK
		}
		req.AddData(&nl.Genlmsg{Command: c.number, Version: ipvsVersion})
		for _, a := range c.attrs {
			req.AddData(a)
		}
		message = append(message, req.Serialize()...)
	}
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
