package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/layers"

	"keepc/runtime/lab"
)

// virtual has instances with virtual MAC addresses of all kinds: made-up names, a name and a MAC address from the
// file, advertisements from the interface below, addresses on other interfaces.
const virtual = `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 7
    use_vmac
    virtual_ipaddress {
        10.0.0.10/24
        10.0.0.11/24 label lab:1
        10.1.0.10/32 dev eth1 use_vmac
        10.1.0.12/32 dev eth1
    }
}
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 8
    use_vmac v6
    virtual_ipaddress {
        fe80::8
        2001:db8::8/64
    }
}
vrrp_instance VI_base {
    interface eth0
    virtual_router_id 9
    use_vmac own 02:11:22:33:44
    vmac_xmit_base
    virtual_ipaddress {
        10.0.0.20
    }
}
vrrp_instance VI_line {
    interface eth0
    virtual_router_id 10
    use_vmac_addr
    virtual_ipaddress {
        10.0.0.30
        10.1.0.30 dev eth1
        10.0.0.31 use_vmac
    }
}
`

// A sight is what can be observed of a host with virtual MAC addresses.
type sight struct {
	links, addrs, settings []string
	wire                   []string // senders of advertisements, and the MAC addresses that are announced for addresses
}

// TestSameVirtualMAC checks that keepc makes the links that keepalived makes, with the same addresses and settings,
// and sends from the same MAC addresses; nothing is left behind, not even the settings of the interfaces below that
// keepalived 2.2.7 leaves.
func TestSameVirtualMAC(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	seen := map[program]sight{}
	for _, p := range []program{keepalived, keepc} {
		n := lab.New(t)
		lan, other := n.Segment("lan"), n.Segment("other")
		h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24"), lab.On(other, "eth1", "10.1.0.1/24"))
		peer := n.Host("peer", lab.On(lan, "eth0", "10.0.0.2/24"))
		h.Sysctl("net.ipv4.conf.all.rp_filter", "1")
		atRest(t, h)
		before := look(h)
		capture := peer.Capture("eth0")
		director := startVirtual(t, h, p, virtual)
		lab.Eventually(t, 20*time.Second, string(p)+" to hold all", func() bool {
			addrs := h.Run("ip", "-brief", "addr")
			return strings.Contains(addrs, "10.0.0.31/32") && strings.Contains(addrs, "2001:db8::8/64") && strings.Contains(addrs, "10.0.0.20/32")
		})
		time.Sleep(1200 * time.Millisecond) // the second advertisement of each
		s := look(h)
		s.wire = speakers(capture.Frames(), h.Link("eth0").MAC())
		seen[p] = s
		director.Signal(syscall.SIGTERM)
		<-director.Done()
		after := look(h)
		if d := cmp.Diff(before, after, cmp.AllowUnexported(sight{})); d != "" && p == keepc {
			t.Errorf("left behind: -before +after:\n%s", d)
		}
	}
	if d := cmp.Diff(seen[keepalived], seen[keepc], cmp.AllowUnexported(sight{})); d != "" {
		t.Errorf("-keepalived +keepc:\n%s", d)
	}
	t.Logf("%+v", seen[keepc])
}

func startVirtual(t *testing.T, h *lab.Host, p program, text string) *lab.Process {
	t.Helper()
	file := filepath.Join(h.Dir(), "vmac.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	line := keepcArgs(t, "run", "-v", file)
	if p == keepalived {
		line = append([]string{"keepalived"}, lab.KeepalivedFlags(h.Dir(), file, "-P")...)
	}
	return h.Start(line[0], line[1:]...)
}

var (
	virtualLink = regexp.MustCompile(`(?m)^\d+: ([^ @]+)@(\S+): .*\n +link/ether (\S+) .*\n +(macvlan mode \w+).*addrgenmode (\w+)`)
	heldAddress = regexp.MustCompile(`(?m)^\d+: (\S+) +(inet6? .*?) *\\`)
)

// atRest waits until an interface has its link-local address, which the kernel first checks for duplicates.
func atRest(t *testing.T, h *lab.Host) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, "a link-local address", func() bool {
		return strings.Contains(h.Run("ip", "-6", "addr", "show", "dev", "eth0", "-tentative"), "fe80")
	})
}

// look observes a host, without: the address of the interface below on a link for IPv6, which keepalived needs to
// send, and the IPv4 settings of such a link; and the reverse path filters of the interfaces below: both programs move
// that of all interfaces there, keepalived not to all of them, and leave it.
func look(h *lab.Host) (s sight) {
	for _, m := range virtualLink.FindAllStringSubmatch(h.Run("ip", "-d", "link"), -1) {
		s.links = append(s.links, strings.Join(m[1:], " "))
	}
	own := h.Run("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link")
	for _, m := range heldAddress.FindAllStringSubmatch(h.Run("ip", "-o", "addr"), -1) {
		if fields := strings.Fields(m[2]); m[1] == "v6" && strings.Contains(own, fields[1]) {
			continue
		}
		s.addrs = append(s.addrs, m[1]+" "+m[2])
	}
	for _, line := range strings.Split(h.Run("sh", "-c", "sysctl -a 2>/dev/null"), "\n") {
		interesting := regexp.MustCompile(`\.(arp_ignore|arp_filter|rp_filter|accept_local|promote_secondaries|disable_ipv6|addr_gen_mode|forwarding) = `).MatchString(line)
		if !interesting || !strings.HasPrefix(line, "net.ipv") || strings.HasPrefix(line, "net.ipv4.conf.v6.") ||
			regexp.MustCompile(`\.(eth.|lo)\.rp_filter`).MatchString(line) {
			continue
		}
		s.settings = append(s.settings, line)
	}
	slices.Sort(s.links)
	slices.Sort(s.addrs)
	slices.Sort(s.settings)
	return s
}

// speakers lists who sends what, once each.
func speakers(frames []lab.Frame, base net.HardwareAddr) (list []string) {
	for _, f := range frames {
		p := f.Packet()
		eth, ok := p.LinkLayer().(*layers.Ethernet)
		if !ok {
			continue
		}
		from := eth.SrcMAC.String()
		if from == base.String() {
			from = "base"
		}
		text := ""
		if ip, ok := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4); ok && ip.Protocol == layers.IPProtocolVRRP {
			text = fmt.Sprintf("advert of %d from %s", ip.Payload[1], ip.SrcIP)
		} else if ip, ok := p.Layer(layers.LayerTypeIPv6).(*layers.IPv6); ok && ip.NextHeader == layers.IPProtocolVRRP {
			text = fmt.Sprintf("advert of %d from a link-local address: %v", ip.Payload[1], ip.SrcIP.IsLinkLocalUnicast())
		} else if arp, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && slices.Equal(arp.SourceProtAddress, arp.DstProtAddress) {
			text = fmt.Sprintf("%s is at %s", net.IP(arp.SourceProtAddress), net.HardwareAddr(arp.SourceHwAddress))
			text = strings.ReplaceAll(text, base.String(), "base")
		}
		if text += " by " + from; !strings.HasPrefix(text, " ") && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return list
}

// TestVirtualLinks checks that a link that somebody deletes or takes down is restored; that those of a killed director
// are reused by the next one, or removed if its file does not have them; and that a reload adds and removes them.
func TestVirtualLinks(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "ip")
	h := lab.New(t)
	host := h.Host("lb01", lab.On(h.Segment("lan"), "eth0", "10.0.0.1/24"))
	instance := func(id int, more string) string {
		return fmt.Sprintf("vrrp_instance VI_%d {\n interface eth0\n version 3\n advert_int 0.1\n virtual_router_id %d\n%s virtual_ipaddress {\n  10.0.0.%d/24\n }\n}\n", id, id, more, id)
	}
	expect := func(what string, links ...string) {
		t.Helper()
		lab.Eventually(t, 10*time.Second, what, func() bool {
			s := look(host)
			for _, l := range links {
				if name, addr, _ := strings.Cut(l, " "); !slices.Contains(s.addrs, fmt.Sprintf("%s inet %s/24 scope global %s", name, addr, name)) {
					return false
				}
			}
			return len(s.links) == len(links)
		})
	}
	atRest(t, host)
	before := look(host)
	d := startVirtual(t, host, keepc, instance(7, " use_vmac\n")+instance(8, " use_vmac\n"))
	expect("both", "vrrp.7 10.0.0.7", "vrrp.8 10.0.0.8")
	host.Run("ip", "link", "del", "vrrp.7")
	expect("the deleted one again", "vrrp.7 10.0.0.7", "vrrp.8 10.0.0.8")
	host.Run("ip", "link", "set", "vrrp.8", "down")
	lab.Eventually(t, 5*time.Second, "the other one to be up again", func() bool {
		return strings.Contains(host.Run("ip", "link", "show", "vrrp.8"), ",UP")
	})
	host.Sysctl("net.ipv4.conf.eth0.arp_ignore", "0")
	host.Run("ip", "link", "set", "vrrp.8", "down") // changes of settings are not reported; this makes keepc look
	lab.Eventually(t, 5*time.Second, "the setting again", func() bool { return strings.Contains(host.Run("sysctl", "net.ipv4.conf.eth0.arp_ignore"), "= 1") })
	d.Signal(syscall.SIGKILL)
	<-d.Done()
	d = startVirtual(t, host, keepc, instance(8, " use_vmac\n"))
	expect("one after a kill", "vrrp.8 10.0.0.8")
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(host.Dir(), "vmac.conf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.Signal(syscall.SIGHUP)
	}
	write(instance(8, ""))
	expect("none after a reload")
	write(instance(8, " use_vmac\n"))
	expect("one after a reload", "vrrp.8 10.0.0.8")
	d.Stop()
	if d := cmp.Diff(before, look(host), cmp.AllowUnexported(sight{})); d != "" {
		t.Errorf("left behind: -before +after:\n%s", d)
	}
}

// TestSameAddressFlags checks that the options of address lines that the kernel takes as flags or lifetimes are as with keepalived.
func TestSameAddressFlags(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	text := `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 7
    virtual_ipaddress {
        10.0.0.10/24 noprefixroute
        10.0.0.11/32 preferred_lft 0
        10.2.0.13/24 noprefixroute home mngtmpaddr
    }
    virtual_ipaddress_excluded {
        2001:db8::10/64 home noprefixroute
        2001:db8:1::11/64 mngtmpaddr
        2001:db8::13/128 preferred_lft forever
        2001:db8::14/128
        2001:db8::15/64 preferred_lft 0
        ff05::99/128 autojoin
        239.1.1.1/32 autojoin
    }
}
static_ipaddress {
    10.3.0.1/24 dev eth0 noprefixroute preferred_lft 0
}
`
	seen := map[program][]string{}
	for _, p := range []program{keepalived, keepc} {
		h := oneHost(t)
		director := startVirtual(t, h, p, text)
		list := func() (addrs []string) {
			for line := range strings.Lines(h.Run("ip", "-o", "addr", "show", "dev", "eth0")) {
				addrs = append(addrs, strings.Join(strings.Fields(line), " "))
			}
			slices.Sort(addrs)
			return addrs
		}
		lab.Eventually(t, 20*time.Second, string(p)+" to hold all", func() bool { return len(list()) == 13 })
		seen[p] = list()
		director.Stop()
	}
	if d := cmp.Diff(seen[keepalived], seen[keepc]); d != "" {
		t.Errorf("-keepalived +keepc:\n%s", d)
	}
}
