package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// SetService implements IPVS.
func (l *Linux) SetService(k ir.ServiceKey, s state.Service) error {
	attrs := serviceAttrs(k, &s)
	return l.write("set "+k.String(), func(w *ipvsWriter) error {
		err := w.do(cmdNewService, attrs)
		if errors.Is(err, unix.EEXIST) {
			err = w.do(cmdSetService, attrs)
		}
		if errors.Is(err, unix.ENOENT) {
			err = fmt.Errorf("the kernel has no scheduler %q: %w", s.Scheduler, err)
		}
		return err
	})
}

// DeleteService implements IPVS.
func (l *Linux) DeleteService(k ir.ServiceKey) error {
	return l.write("delete "+k.String(), func(w *ipvsWriter) error {
		return unless(unix.ESRCH, w.do(cmdDelService, serviceAttrs(k, nil)))
	})
}

// SetDestination implements IPVS.
func (l *Linux) SetDestination(k state.DestinationKey, d state.Destination) error {
	service, server := serviceAttrs(k.Service, nil), destinationAttrs(k.Server, &d)
	return l.write("set "+k.String(), func(w *ipvsWriter) error {
		err := w.do(cmdNewDest, service, server)
		if errors.Is(err, unix.EEXIST) {
			err = w.do(cmdSetDest, service, server)
		}
		return err
	})
}

// DeleteDestination implements IPVS.
func (l *Linux) DeleteDestination(k state.DestinationKey) error {
	return l.write("delete "+k.String(), func(w *ipvsWriter) error {
		err := w.do(cmdDelDest, serviceAttrs(k.Service, nil), destinationAttrs(k.Server, nil))
		return unless(unix.ENOENT, unless(unix.ESRCH, err)) // no such server; no such service
	})
}

func (l *Linux) write(what string, f func(*ipvsWriter) error) error {
	if err := l.table.use(func() error { return f(l.table.writer) }); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func unless(allowed, err error) error {
	if errors.Is(err, allowed) {
		return nil
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

	ipvsVersion = 1

	attrService = 1
	attrDest    = 2

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

	dstAddr       = 1
	dstPort       = 2
	dstForwarding = 3
	dstWeight     = 4
	dstUpper      = 5
	dstLower      = 6
	dstFamily     = 11
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
	return a
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

// An ipvsWriter sends IPVS commands on a generic-netlink socket of its own.
type ipvsWriter struct {
	family uint16
	sock   *nl.NetlinkSocket
}

func newIPVSWriter(family uint16) (*ipvsWriter, error) {
	sock, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_GENERIC)
	if err != nil {
		return nil, err
	}
	limit := unix.NsecToTimeval(ipvsPatience.Nanoseconds())
	_ = sock.SetReceiveTimeout(&limit) // stores a number, never fails
	return &ipvsWriter{family: family, sock: sock}, nil
}

func (w *ipvsWriter) close() { w.sock.Close() }

// do sends a command and waits for the kernel's verdict, an errno. EAGAIN: there was none in time.
func (w *ipvsWriter) do(cmd uint8, attrs ...*nl.RtAttr) error {
	req := nl.NewNetlinkRequest(int(w.family), unix.NLM_F_ACK)
	req.AddData(&nl.Genlmsg{Command: cmd, Version: ipvsVersion})
	for _, a := range attrs {
		req.AddData(a)
	}
	if err := w.sock.Send(req); err != nil {
		return err
	}
	for {
		messages, _, err := w.sock.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if m.Header.Seq != req.Seq || m.Header.Type != unix.NLMSG_ERROR || len(m.Data) < 4 {
				continue
			}
			if errno := -int32(binary.NativeEndian.Uint32(m.Data)); errno != 0 {
				return unix.Errno(errno)
			}
			return nil
		}
	}
}
