package kernel_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// Here keepalived is the reference: it becomes master on one host, and this package does the same on another with the
// same names and addresses.

const oracleConf = `
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    virtual_ipaddress {
        10.0.0.3/24 dev eth0 label eth0:0
        10.0.0.4
        10.0.1.5/24 brd 10.0.1.255 scope link
        10.0.2.11 peer 10.0.2.12
    }
}
vrrp_instance VI_6 {
    state MASTER
    interface eth0
    virtual_router_id 52
    priority 255
    virtual_ipaddress {
        fe80::3/64
        2001:db8::3/64
        2001:db8::4
    }
}
`

var oracleAddresses = []struct {
	key state.AddressKey
	state.Address
}{
	{key("10.0.0.3/24"), state.Address{Label: "eth0:0"}},
	{key("10.0.0.4/32"), state.Address{}},
	{key("10.0.1.5/24"), state.Address{Scope: 253, Broadcast: addr("10.0.1.255")}},
	{key("10.0.2.11/32"), state.Address{Peer: netip.MustParsePrefix("10.0.2.12/32")}},
	{key("fe80::3/64"), state.Address{}},
	{key("2001:db8::3/64"), state.Address{}},
	{key("2001:db8::4/128"), state.Address{Lifetime: state.Lifetime{Limited: true}}}, // /128: preferred_lft 0
}

// oracle starts keepalived on a host of its own segment and returns what it sends, from the beginning.
func oracle(t *testing.T, n *lab.Net) (*lab.Host, *lab.Capture) {
	t.Helper()
	lab.NeedPrograms(t, "keepalived", "ip")
	lan := n.Segment("theirs")
	h := n.Host("theirs", lab.On(lan, "eth0", "10.0.0.1/24"))
	sent := h.Capture("eth0")
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	check(t, os.WriteFile(conf, []byte(oracleConf), 0o600))
	h.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P", "-D")...)
	for _, a := range oracleAddresses {
		lab.Eventually(t, 10*time.Second, a.key.String(), func() bool { return h.HasAddr(a.key.Prefix.Addr()) })
	}
	return h, sent
}

func TestAddressesAsKeepalived(t *testing.T) {
	n := lab.New(t)
	theirs, _ := oracle(t, n)
	lan := n.Segment("ours")
	ours := n.Host("ours", lab.On(lan, "eth0", "10.0.0.1/24"))
	k := open(t, ours)
	for _, a := range oracleAddresses {
		check(t, kernel.Set(k, a.key, a.Address))
	}
	if d := cmp.Diff(listed(t, theirs), listed(t, ours)); d != "" {
		t.Errorf("-keepalived +keepc:\n%s", d)
	}
}

// listed is what ip shows of eth0's addresses, in order, without the one derived from the hardware address.
func listed(t *testing.T, h *lab.Host) (all []map[string]any) {
	t.Helper()
	var links []struct {
		Addrs []map[string]any `json:"addr_info"`
	}
	check(t, json.Unmarshal([]byte(h.Run("ip", "-j", "addr", "show", "eth0")), &links))
	for _, a := range links[0].Addrs {
		if !strings.HasPrefix(fmt.Sprint(a["local"]), "fe80::ff:") {
			all = append(all, a)
		}
	}
	return all
}

func TestFramesAsKeepalived(t *testing.T) {
	n := lab.New(t)
	host, theirs := oracle(t, n)
	lan := n.Segment("ours")
	h := n.Host("ours", lab.On(lan, "eth0", "10.0.0.1/24"))
	h.Run("ip", "link", "set", "eth0", "down")
	h.Run("ip", "link", "set", "eth0", "address", host.Link("eth0").MAC().String())
	h.Run("ip", "link", "set", "eth0", "up")
	ours := h.Capture("eth0")
	k := open(t, h)
	for _, a := range oracleAddresses {
		check(t, kernel.Set(k, a.key, a.Address))
	}

	compare := func(what string, match func(lab.Frame) bool, send func(theirs []byte) error) {
		t.Helper()
		want := theirs.Find("keepalived's "+what, 10*time.Second, match).Data
		check(t, send(want))
		got := ours.Find("our "+what, time.Second, match).Data
		if d := cmp.Diff(fmt.Sprintf("% x", neutral(want)), fmt.Sprintf("% x", neutral(got))); d != "" {
			t.Errorf("%s: -keepalived +keepc:\n%s", what, d)
		}
	}
	wire4, wire6 := wire(t, k, kernel.IPv4), wire(t, k, kernel.IPv6)
	compare("IPv4 advertisement", starts(12, 0x08, 0x00, 0x45, 0xc0), func(f []byte) error {
		return wire4.Send(here4, all4, 255, f[14+20:])
	})
	compare("IPv6 advertisement", starts(12, 0x86, 0xdd, 0x6c), func(f []byte) error {
		return wire6.Send(netip.AddrFrom16([16]byte(f[14+8:])), all6, 255, f[14+40:])
	})
	for _, a := range oracleAddresses {
		ip := a.key.Prefix.Addr()
		match := starts(28, ip.AsSlice()...) // sender address of ARP
		if ip.Is6() {
			match = starts(62, ip.AsSlice()...) // target of a neighbour advertisement
		}
		compare("announcement of "+ip.String(), match, func([]byte) error { return k.Announce("eth0", ip) })
	}
}

func starts(at int, b ...byte) func(lab.Frame) bool {
	return func(f lab.Frame) bool { return len(f.Data) > at && bytes.HasPrefix(f.Data[at:], b) }
}

// neutral removes the flow label that the kernel chooses for an IPv6 packet.
func neutral(frame []byte) []byte {
	if starts(12, 0x86, 0xdd)(lab.Frame{Data: frame}) {
		frame = bytes.Clone(frame)
		frame[15], frame[16], frame[17] = frame[15]&0xf0, 0, 0
	}
	return frame
}
