package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// What moby/ipvs does not tell of a table is read here: persistence engines and kinds of tunnels.

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

// tunnels sets the tunnels of those of a service's real servers that have one.
func (t *ipvsTable) tunnels(k ir.ServiceKey, servers map[state.DestinationKey]state.Destination) error {
	return t.dump(cmdGetDest, serviceAttrs(k, nil), attrDest, func(a attributes) {
		key := state.DestinationKey{Service: k, Server: netip.AddrPortFrom(a.addr(dstAddr, dstFamily), a.port(dstPort))}
		d, ok := servers[key]
		if !ok || d.Forwarding != ir.TUN {
			return
		}
		d.Tunnel = ir.Tunnel{Port: a.port(dstTunnelPort)}
		if kind := a[dstTunnelType]; len(kind) > 0 {
			d.Tunnel.Type = ir.TunnelType(kind[0])
		}
		d.Tunnel.Checksum = ir.TunnelChecksum(a.uint16(dstTunnelFlags))
		servers[key] = d
	})
}

// attributes are those of a service or a destination by their number.
type attributes map[uint16][]byte

func (a attributes) uint16(n uint16) uint16 {
	if len(a[n]) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(a[n])
}

// port is a number in network byte order.
func (a attributes) port(n uint16) uint16 {
	if len(a[n]) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(a[n])
}

// addr is an address, which stands in 16 bytes, with its family.
func (a attributes) addr(n, family uint16) netip.Addr {
	b := a[n]
	if len(b) >= 4 && a.uint16(family) == unix.AF_INET {
		b = b[:4]
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

func (a attributes) service() ir.ServiceKey {
	if mark := a[svcFWMark]; len(mark) == 4 {
		return ir.ServiceKey{FWMark: binary.NativeEndian.Uint32(mark), IPv6: a.uint16(svcFamily) == unix.AF_INET6}
	}
	return ir.ServiceKey{Protocol: ir.Protocol(a.uint16(svcProtocol)), Addr: a.addr(svcAddr, svcFamily), Port: a.port(svcPort)}
}

// dump asks for all objects of a kind, and calls each with the attributes of one.
func (t *ipvsTable) dump(number uint8, about *nl.RtAttr, kind uint16, each func(attributes)) error {
	req := nl.NewNetlinkRequest(int(t.first), unix.NLM_F_DUMP)
	req.AddData(&nl.Genlmsg{Command: number, Version: ipvsVersion})
	if about != nil {
		req.AddData(about)
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
