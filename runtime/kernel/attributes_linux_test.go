package kernel

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// TestAttributes compares the encoding of commands with that of the library.
func TestAttributes(t *testing.T) {
	t.Parallel()
	four, six := netip.MustParseAddr("10.0.0.3"), netip.MustParseAddr("2001:db8::3")
	service := func(set bool) *nl.RtAttr {
		a := nl.NewRtAttr(attrService, nil)
		a.AddRtAttr(svcProtocol, nl.Uint16Attr(6))
		a.AddRtAttr(svcAddr, four.AsSlice())
		a.AddRtAttr(svcPort, nl.BEUint16Attr(80))
		a.AddRtAttr(svcFamily, nl.Uint16Attr(unix.AF_INET))
		if set {
			a.AddRtAttr(svcScheduler, nl.ZeroTerminated("wlc"))
			a.AddRtAttr(svcFlags, append(nl.Uint32Attr(0x8), nl.Uint32Attr(^uint32(svcHashed))...))
			a.AddRtAttr(svcTimeout, nl.Uint32Attr(0))
			a.AddRtAttr(svcNetmask, nl.Uint32Attr(netmask(0, false)))
		}
		return a
	}
	key := ir.ServiceKey{Protocol: ir.TCP, Addr: four, Port: 80}
	if got, want := appendService(nil, key, &state.Service{Scheduler: "wlc", Flags: 0x8}), service(true).Serialize(); !bytes.Equal(got, want) {
		t.Errorf("a service:\n%x, want\n%x", got, want)
	}
	d := nl.NewRtAttr(attrDest, nil)
	d.AddRtAttr(dstAddr, six.AsSlice())
	d.AddRtAttr(dstPort, nl.BEUint16Attr(8080))
	d.AddRtAttr(dstFamily, nl.Uint16Attr(unix.AF_INET6))
	d.AddRtAttr(dstForwarding, nl.Uint32Attr(2))
	d.AddRtAttr(dstWeight, nl.Uint32Attr(70000))
	d.AddRtAttr(dstUpper, nl.Uint32Attr(9))
	d.AddRtAttr(dstLower, nl.Uint32Attr(3))
	d.AddRtAttr(dstTunnelType, nl.Uint8Attr(uint8(ir.GUE)))
	d.AddRtAttr(dstTunnelPort, nl.BEUint16Attr(6080))
	d.AddRtAttr(dstTunnelFlags, nl.Uint16Attr(2))
	o := state.Destination{Weight: 70000, Forwarding: ir.TUN, UpperThreshold: 9, LowerThreshold: 3, Tunnel: ir.Tunnel{Type: ir.GUE, Port: 6080, Checksum: 2}}
	got := destinationCommand(state.DestinationKey{Service: key, Server: netip.AddrPortFrom(six, 8080)}, &o, true).attrs
	if want := append(service(false).Serialize(), d.Serialize()...); !bytes.Equal(got, want) {
		t.Errorf("a real server:\n%x, want\n%x", got, want)
	}
	if len(got) > destinationSize {
		t.Errorf("a real server takes %d bytes", len(got))
	}
}

// BenchmarkCommands encodes commands for a table of 10,000 servers.
func BenchmarkCommands(b *testing.B) {
	key := state.DestinationKey{
		Service: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.0.0.3"), Port: 80}, Server: netip.MustParseAddrPort("10.0.0.7:80"),
	}
	for b.Loop() {
		for range 10_000 {
			destinationCommand(key, &state.Destination{Weight: 1}, true)
		}
	}
}

// TestFamilyNumber asks this kernel for the number of each of its families, and for a family that does not exist.
func TestFamilyNumber(t *testing.T) {
	t.Parallel()
	if n, err := familyNumber("nlctrl"); n != unix.GENL_ID_CTRL || err != nil {
		t.Errorf("nlctrl: %d, %v; it is %d everywhere", n, err, unix.GENL_ID_CTRL)
	}
	if n, err := familyNumber("keepc"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("keepc: %d, %v; want %v", n, err, unix.ENOENT)
	}
}
