package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/moby/ipvs"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// This reads what moby/ipvs does not report about a table: persistence engines, and real servers with their full
// weight and their tunnels.

// engines returns the persistence engines of the services that have one.
func (t *ipvsTable) engines() (map[ir.ServiceKey]string, error) {
	engines := map[ir.ServiceKey]string{}
	err := t.dump(cmdGetService, nil, attrService, func(a attributes) {
		if name := a[svcEngine]; len(name) > 0 {
			engines[a.service()] = unix.ByteSliceToString(name)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list persistence engines: %w", err)
	}
	return engines, nil
}

// attributes are those of a service or a destination, by number.
type attributes map[uint16][]byte

func (a attributes) uint16(n uint16) uint16 {
	if len(a[n]) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(a[n])
}

func (a attributes) uint32(n uint16) uint32 {
	if len(a[n]) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a[n])
}

// port is a number in network byte order.
func (a attributes) port(n uint16) uint16 {
	if len(a[n]) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(a[n])
}

// addr is an address in 16 bytes, with its family.
func (a attributes) addr(n, family uint16) netip.Addr {
	b := a[n]
	if len(b) >= 4 && a.uint16(family) == unix.AF_INET {
		b = b[:4]
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// traffic reads 64-bit counters, which are attributes of their own; those that this kernel lacks are 0.
func (a attributes) traffic(n uint16) (t Traffic) {
	inner, err := nl.ParseRouteAttr(a[n])
	if err != nil {
		return t
	}
	for _, c := range inner {
		to := map[uint16]*uint64{1: &t.Connections, 2: &t.PacketsIn, 3: &t.PacketsOut, 4: &t.BytesIn, 5: &t.BytesOut}[c.Attr.Type&nl.NLA_TYPE_MASK]
		if to != nil && len(c.Value) >= 8 {
			*to = binary.NativeEndian.Uint64(c.Value)
		}
	}
	return t
}

func (a attributes) service() ir.ServiceKey {
	if mark := a[svcFWMark]; len(mark) == 4 {
		return ir.ServiceKey{FWMark: binary.NativeEndian.Uint32(mark), IPv6: a.uint16(svcFamily) == unix.AF_INET6}
	}
	return ir.ServiceKey{Protocol: ir.Protocol(a.uint16(svcProtocol)), Addr: a.addr(svcAddr, svcFamily), Port: a.port(svcPort)}
}

// server is the address of a destination.
func (a attributes) server() netip.AddrPort {
	return netip.AddrPortFrom(a.addr(dstAddr, dstFamily), a.port(dstPort))
}

func (a attributes) destination() state.Destination {
	d := state.Destination{Weight: int(a.uint32(dstWeight)), UpperThreshold: a.uint32(dstUpper), LowerThreshold: a.uint32(dstLower)}
	switch a.uint32(dstForwarding) & ipvs.ConnFwdMask {
	case ipvs.ConnFwdDirectRoute:
		d.Forwarding = ir.DR
	case ipvs.ConnFwdTunnel:
		d.Forwarding = ir.TUN
		d.Tunnel = ir.Tunnel{Port: a.port(dstTunnelPort), Checksum: ir.TunnelChecksum(a.uint16(dstTunnelFlags))}
		if kind := a[dstTunnelType]; len(kind) > 0 {
			d.Tunnel.Type = ir.TunnelType(kind[0])
		}
	}
	return d
}

// A genericHeader is that of generic netlink: command, version, and two unused bytes. The one of package nl lacks
// these, and is read beyond its end.
type genericHeader [nl.SizeofGenlmsg]byte

// Len implements nl.NetlinkRequestData.
func (h genericHeader) Len() int { return len(h) }

// Serialize implements nl.NetlinkRequestData.
func (h genericHeader) Serialize() []byte { return h[:] }

// familyNumber asks the kernel for the number of a generic netlink family. ENOENT: there is no such family.
func familyNumber(name string) (uint16, error) {
	req := nl.NewNetlinkRequest(nl.GENL_ID_CTRL, 0)
	req.AddData(genericHeader{nl.GENL_CTRL_CMD_GETFAMILY, nl.GENL_CTRL_VERSION})
	req.AddData(nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(name)))
	messages, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		attrs, err := nl.ParseRouteAttr(m[min(len(m), nl.SizeofGenlmsg):])
		if err != nil {
			return 0, err
		}
		for _, a := range attrs {
			if a.Attr.Type == nl.GENL_CTRL_ATTR_FAMILY_ID && len(a.Value) == 2 {
				return binary.NativeEndian.Uint16(a.Value), nil
			}
		}
	}
	return 0, fmt.Errorf("the kernel's answer about family %s has no number", name)
}

// dump asks for all objects of a kind, and calls each with the attributes of each object.
func (t *ipvsTable) dump(number uint8, about []byte, kind uint16, each func(attributes)) error {
	req := nl.NewNetlinkRequest(int(t.first), unix.NLM_F_DUMP)
	req.AddData(genericHeader{number, ipvsVersion})
	if about != nil {
		req.AddRawData(about)
	}
	messages, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return err
	}
	for _, m := range messages {
		outer, err := nl.ParseRouteAttr(m[min(len(m), nl.SizeofGenlmsg):])
		if err != nil {
			return err
		}
		for _, o := range outer {
			if o.Attr.Type&nl.NLA_TYPE_MASK != kind {
				continue
			}
			inner, err := nl.ParseRouteAttr(o.Value)
			if err != nil {
				return err
			}
			a := attributes{}
			for _, i := range inner {
				a[i.Attr.Type&nl.NLA_TYPE_MASK] = i.Value
			}
			each(a)
		}
	}
	return nil
}
