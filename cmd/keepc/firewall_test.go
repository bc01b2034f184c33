package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"keepc/runtime/lab"
)

// closed has instances of both families whose addresses accept no packets, with addresses of the other family, of
// another interface and of a virtual one; and an instance that accepts them.
const closed = `global_defs {
    vrrp_version 3
    OPTIONS
}
vrrp_instance VI_4 {
    interface eth0
    virtual_router_id 7
    advert_int 0.1
    no_accept
    virtual_ipaddress {
        10.0.0.10/24
        10.1.0.10/24 dev eth1
    }
    virtual_ipaddress_excluded {
        fd00::77/64
        fe80::9/64
    }
}
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 8
    advert_int 0.1
    strict_mode on
    virtual_ipaddress {
        fe80::8/64
        fd00::8/64
    }
}
vrrp_instance VI_mac {
    interface eth0
    virtual_router_id 9
    advert_int 0.1
    use_vmac
    no_accept
    virtual_ipaddress {
        10.0.0.20/24
    }
}
vrrp_instance VI_open {
    interface eth0
    virtual_router_id 10
    advert_int 0.1
    accept
    virtual_ipaddress {
        10.0.0.30/24
        10.0.0.31/24
    }
}
vrrp_instance VI_own {
    interface eth0
    virtual_router_id 11
    priority 255
    advert_int 0.1
    no_accept
    virtual_ipaddress {
        10.0.0.40/24
    }
}
`

// TestSameFirewall checks that keepc makes the nftables tables that keepalived makes as MASTER, drops and passes the
// same packets, and leaves nothing when it stops. keepalived 2.2.7 was seen to take vrrp_iptables for nftables, with
// which Debian builds it; to leave the owner of an address open, whatever the file says; and to keep an empty table
// while BACKUP, which keepc does not. An IPv4 instance with a virtual MAC address and an IPv6 address silences its
// interface in both families, though the address is not on it; keepc, which has IPv6 disabled there, only in one.
func TestSameFirewall(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip", "nft", "ping")
	for _, c := range []struct{ name, options string }{
		{"plain", "vrrp_iptables IN OUT"},
		{"options", "nftables mine\n nftables_priority 5\n nftables_counters\n nftables_ifindex"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			type outcome struct {
				rules   string
				answers map[string]bool
			}
			seen := map[program]outcome{}
			for _, p := range []program{keepalived, keepc} {
				n := lab.New(t)
				lan, other := n.Segment("lan"), n.Segment("other")
				h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24"), lab.On(other, "eth1", "10.1.0.1/24"))
				client := n.Host("client", lab.On(lan, "eth0", "10.0.0.2/24"))
				client.AddAddr("eth0", "fd00::2/64")
				h.Run("nft", "add table inet foreign; add chain inet foreign mine { type filter hook input priority 3; }; add rule inet foreign mine udp dport 9 drop")
				before := h.Run("nft", "list", "ruleset")
				d := startVirtual(t, h, p, strings.Replace(closed, "OPTIONS", c.options, 1))
				lab.Eventually(t, 20*time.Second, string(p)+" to hold all", func() bool {
					addrs, rules := h.Run("ip", "-brief", "addr"), h.Run("nft", "list", "ruleset")
					held := []string{"10.0.0.10/", "10.1.0.10/", "fd00::77/", "fe80::8/", "fd00::8/", "10.0.0.20/", "fe80::9/", "10.0.0.31/", "10.0.0.40/"}
					return !slices.ContainsFunc(held, func(a string) bool { return !strings.Contains(addrs, a) }) && strings.Contains(rules, "fd00::8")
				})
				o := outcome{rules: ruleset(h.Run("nft", "list", "ruleset")), answers: map[string]bool{}}
				asked := "10.0.0.1 10.0.0.10 fd00::77 fe80::8%eth0 fd00::8 10.0.0.20 10.0.0.30 10.0.0.31 10.0.0.40"
				answered := client.Run("sh", "-c", "for a in "+asked+"; do ping -c1 -w2 $a >/dev/null && echo $a & done; wait")
				for _, a := range strings.Fields(asked) {
					o.answers[a] = slices.Contains(strings.Fields(answered), a)
				}
				_, err := h.Try("ping", "-c1", "-w2", "-I", "10.0.0.10", "10.0.0.2")
				o.answers["from 10.0.0.10"] = err == nil
				for _, a := range []string{"fd00::8", "fd00::77", "10.0.0.10"} { // found all the same
					o.answers["neighbour "+a] = strings.Contains(client.Run("ip", "neigh", "show", a), "lladdr")
				}
				seen[p] = o
				d.Signal(syscall.SIGTERM)
				<-d.Done()
				if d := cmp.Diff(before, h.Run("nft", "list", "ruleset")); d != "" {
					t.Errorf("%s left behind: -before +after:\n%s", p, d)
				}
			}
			if d := cmp.Diff(seen[keepalived].rules, seen[keepc].rules); d != "" {
				t.Errorf("-keepalived +keepc:\n%s", d)
			}
			if d := cmp.Diff(seen[keepalived].answers, seen[keepc].answers); d != "" {
				t.Errorf("packets: -keepalived +keepc:\n%s", d)
			}
			t.Logf("%s\n%v", seen[keepc].rules, seen[keepc].answers)
		})
	}
}

var counted = regexp.MustCompile(`packets \d+ bytes \d+`)

// ruleset returns what nft lists, with sets and chains sorted by name: nft lists them in the order in which they were
// made.
func ruleset(text string) string {
	var tables []string
	text = strings.ReplaceAll(text, " : 33554432 ", ` : "eth0" `) // the interface with index 2, which nft shows like this if google/nftables wrote it
	for _, table := range strings.Split(counted.ReplaceAllString(text, "packets 0 bytes 0"), "\n}\n") {
		head, body, _ := strings.Cut(table, "{\n")
		parts := strings.Split(body, "\n\t}\n")
		for i := range parts {
			parts[i] = strings.Trim(parts[i], "\n")
		}
		slices.Sort(parts)
		tables = append(tables, head+strings.Join(parts, "\n"))
	}
	slices.Sort(tables)
	return strings.Join(tables, "\n")
}

// TestFirewallStays checks that rules that somebody removes are restored, that those of a killed director are removed
// by the next one, that a reload closes and opens addresses, and that a foreign table with the name is left alone.
func TestFirewallStays(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "ip", "nft", "ping")
	n := lab.New(t)
	lan := n.Segment("lan")
	h := n.Host("lb01", lab.On(lan, "eth0", "10.0.0.1/24"))
	client := n.Host("client", lab.On(lan, "eth0", "10.0.0.2/24"))
	instance := func(more string) string {
		return "vrrp_instance VI_1 {\n interface eth0\n version 3\n advert_int 0.1\n virtual_router_id 7\n" + more + " virtual_ipaddress {\n  10.0.0.7/24\n }\n}\n"
	}
	answers := func() bool { _, err := client.Try("ping", "-c1", "-w2", "10.0.0.7"); return err == nil }
	rules := func() string { return h.Run("nft", "list", "ruleset") }
	file := filepath.Join(h.Dir(), "vmac.conf")
	reload := func(d *lab.Process, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d.Signal(syscall.SIGHUP)
	}
	const within = 10 * time.Second
	holds := func() bool { return strings.Contains(h.Run("ip", "-brief", "addr"), "10.0.0.7/") }
	d := startVirtual(t, h, keepc, instance(" no_accept\n"))
	lab.Eventually(t, within, "the address, closed", func() bool { return holds() && strings.Contains(rules(), "10.0.0.7") })
	if answers() {
		t.Error("the address answers")
	}
	reload(d, instance(""))
	lab.Eventually(t, within, "the address to answer after a reload", func() bool { return answers() && rules() == "" })
	reload(d, instance(" no_accept\n"))
	lab.Eventually(t, within, "the address to be closed after a reload", func() bool { return strings.Contains(rules(), "10.0.0.7") && !answers() })
	h.Run("nft", "flush", "ruleset")
	h.Run("ip", "link", "set", "eth0", "mtu", "1490") // this makes keepc look
	lab.Eventually(t, within, "the rules again", func() bool { return strings.Contains(rules(), "10.0.0.7") })
	d.Signal(syscall.SIGKILL)
	<-d.Done()
	d = startVirtual(t, h, keepc, instance(""))
	lab.Eventually(t, within, "what a killed one left to go", func() bool { return holds() && rules() == "" })
	d.Stop()
	h.Run("nft", "add table ip keepalived; add chain ip keepalived theirs")
	foreign := rules()
	d = startVirtual(t, h, keepc, instance(" no_accept\n"))
	lab.Eventually(t, within, "the address", holds)
	lab.Eventually(t, within, "a word in the log", func() bool { return strings.Contains(d.Log(), "another program's") })
	d.Stop()
	if got := rules(); got != foreign {
		t.Errorf("the table of others became\n%s", got)
	}
}
