package vrrp

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

// The real programs are the reference: keepalived for what routers send, tshark for what the bytes mean.

// oracleConf makes keepalived send the packets of onWire: priority 255 advertises at once, 254 after three intervals
// and 1/128 s.
const oracleConf = `
global_defs {
    router_id oracle
}
vrrp_instance A {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 254
    authentication {
        auth_type PASS
        auth_pass s3cr3t
    }
    virtual_ipaddress {
        192.0.2.11/24
        192.0.2.10/24
    }
    virtual_ipaddress_excluded {
        192.0.2.12/24
    }
}
vrrp_instance B {
    state MASTER
    interface eth0
    virtual_router_id 52
    priority 255
    advert_int 2
    authentication {
        auth_type PASS
        auth_pass 12345678
    }
    virtual_ipaddress {
        192.0.2.20/24
    }
}
vrrp_instance C {
    interface eth0
    virtual_router_id 53
    priority 254
    virtual_ipaddress {
        192.0.2.30/24
    }
}
vrrp_instance D {
    interface eth0
    version 3
    virtual_router_id 54
    priority 254
    advert_int 0.5
    virtual_ipaddress {
        192.0.2.40/24
    }
}
vrrp_instance E {
    interface eth0
    version 3
    virtual_router_id 55
    priority 254
    virtual_ipaddress {
        fe80::10/64
        2001:db8::10/64
    }
}
vrrp_instance F {
    interface eth0
    version 3
    virtual_router_id 56
    priority 254
    unicast_peer {
        192.0.2.3
    }
    virtual_ipaddress {
        192.0.2.60/24
    }
}
vrrp_instance G {
    interface eth0
    version 3
    virtual_router_id 57
    priority 254
    old_unicast_checksum
    unicast_peer {
        192.0.2.3
    }
    virtual_ipaddress {
        192.0.2.70/24
    }
}
vrrp_instance H {
    interface eth0
    version 3
    virtual_router_id 58
    priority 254
    unicast_peer {
        fe80::3
    }
    virtual_ipaddress {
        fe80::80/64
    }
}
vrrp_instance I {
    interface eth0
    virtual_router_id 59
    priority 254
    authentication {
        auth_type AH
        auth_pass s3cr3t
    }
    virtual_ipaddress {
        192.0.2.90/24
    }
}
vrrp_instance J {
    interface eth0
    virtual_router_id 60
    priority 254
    unicast_ttl 9
    unicast_peer {
        192.0.2.3
    }
    authentication {
        auth_type AH
        auth_pass longpassword
    }
    virtual_ipaddress {
        192.0.2.91/24
    }
}
`

// unicastOnWire is what keepalived sends to peers.
var unicastOnWire = []struct {
	name, src, dst string
	packet         Packet
}{
	{"unicast", "192.0.2.2", "192.0.2.3", Packet{Version: 3, VRID: 56, Priority: 254, Interval: time.Second, Addresses: addrs("192.0.2.60")}},
	{"old_unicast_checksum", "192.0.2.2", "192.0.2.3", Packet{Version: 3, VRID: 57, Priority: 254, Interval: time.Second, Addresses: addrs("192.0.2.70"), Sum: SumGroup}},
	{"unicast over IPv6", "fe80::2", "fe80::3", Packet{Version: 3, VRID: 58, Priority: 254, Interval: time.Second, Addresses: addrs("fe80::80")}},
}

// oracleScript runs keepalived for five seconds between two ends of a cable in separate namespaces.
const oracleScript = `
mount -t tmpfs none /run
ip link set lo up
ip link add eth0 type veth peer name eth1
echo 1 >/proc/sys/net/ipv6/conf/eth1/disable_ipv6
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set eth0 addrgenmode none
ip link set eth1 up
ip link set eth0 up
ip addr add 192.0.2.2/24 dev eth0
ip addr add fe80::2/64 dev eth0 nodad
ip neigh add 192.0.2.3 lladdr 02:00:00:00:00:03 dev eth0
ip neigh add fe80::3 lladdr 02:00:00:00:00:03 dev eth0
tshark -q -i eth1 -F pcap -w "$1/pcap" -a duration:8 -f 'proto 112 or ip6 proto 112 or proto 51' &
while [ ! -s "$1/pcap" ]; do sleep 0.1; done
timeout 5 keepalived -P -n -l -D -f "$1/conf" -p /run/p -r /run/r -c /run/c >"$1/log" 2>&1
wait
`

func TestKeepalivedSendsTheSame(t *testing.T) {
	frames := record(t)
	type sent struct {
		first, last time.Duration
		payloads    []string
	}
	byVRID := map[uint8]*sent{}
	for _, f := range frames {
		p, err := Unmarshal(Advert(f.payload, f.ah), f.src, f.dst)
		if err != nil {
			t.Errorf("%x from %v: %v", f.payload, f.src, err)
			continue
		}
		s := byVRID[p.VRID]
		if s == nil {
			s = &sent{first: f.at}
			byVRID[p.VRID] = s
		}
		s.last = f.at
		if x := hex.EncodeToString(f.payload); !slices.Contains(s.payloads, x) {
			s.payloads = append(s.payloads, x)
		}
	}
	var start time.Duration
	if s := byVRID[52]; s != nil {
		start = s.first // priority 255 advertises at once
	}
	for _, c := range unicastOnWire {
		t.Run(c.name, func(t *testing.T) {
			s := byVRID[c.packet.VRID]
			want, err := c.packet.Marshal(netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst))
			if err != nil {
				t.Fatal(err)
			}
			if s == nil || s.payloads[0] != hex.EncodeToString(want) {
				t.Errorf("keepalived sent %+v\nours is          %x", s, want)
			}
		})
	}
	// The signatures are ours. The TTL is signed if they go to the group, and not if they go to a peer, which is what
	// RFC 2402 says for both.
	for vrid, pass := range map[uint8]string{59: "s3cr3t", 60: "longpassword"} {
		seq := uint32(0)
		for _, f := range frames {
			advert := Advert(f.payload, f.ah)
			if !f.ah || advert[1] != vrid {
				continue
			}
			seq++
			e := envelope{f.src, f.dst, f.id, ttlSigned(f.dst, int(f.ttl))}
			if want := e.sign(advert, seq, ir.NewSecret(pass)); !slices.Equal(f.payload, want) {
				t.Errorf("VRID %d: keepalived sent %x\nours is          %x", vrid, f.payload, want)
			}
		}
		if seq == 0 {
			t.Errorf("VRID %d: keepalived sent nothing", vrid)
		}
	}
	for _, c := range onWire {
		t.Run(c.name, func(t *testing.T) {
			s := byVRID[c.packet.VRID]
			if s == nil {
				t.Fatal("keepalived sent nothing")
			}
			farewell := c.packet
			farewell.Priority = 0
			src := netip.MustParseAddr(c.src)
			var want []string
			for _, p := range []Packet{c.packet, farewell} {
				b, err := p.Marshal(src, ir.MulticastGroup(src.Is6()))
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, hex.EncodeToString(b))
			}
			if !slices.Equal(s.payloads, want) {
				t.Errorf("keepalived sent %v\nours are        %v", s.payloads, want)
			}
			// state MASTER below 255 waits the whole master-down interval, in 2.2.7 as here. On a busy machine keepalived
			// itself is late.
			if c.packet.Priority == 254 {
				wait := 3*c.packet.Interval + 2*time.Second/256
				if d := s.first - start - wait; d < -300*time.Millisecond || d > 900*time.Millisecond {
					t.Errorf("the first advert came %v after the start, want %v", s.first-start, wait)
				}
			}
		})
	}
}

// TestTsharkReadsOurs lets tshark dissect every packet of the table.
func TestTsharkReadsOurs(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	pcap := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	pcap = append(pcap, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	pcap = binary.LittleEndian.AppendUint32(pcap, 65535)
	pcap = binary.LittleEndian.AppendUint32(pcap, 101) // LINKTYPE_RAW: IP without a frame
	var want []string
	signed := onWire[0]
	signed.packet = signedOnWire[0].packet
	for _, c := range append(onWire[:len(onWire):len(onWire)], signed) {
		p := c.packet
		src := netip.MustParseAddr(c.src)
		payload, err := p.Marshal(src, ir.MulticastGroup(src.Is6()))
		if err != nil {
			t.Fatal(err)
		}
		if p.AuthType == ir.AuthAH {
			payload = envelope{src, ir.MulticastGroup(false), 1, 255}.sign(payload, 1, ir.NewSecret("abc"))
		}
		ip := ipHeader(src, ir.MulticastGroup(src.Is6()), len(payload))
		if p.AuthType == ir.AuthAH {
			ip[5], ip[9] = 1, headerAH
		}
		pcap = append(pcap, make([]byte, 8)...) // time 0
		pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(ip)+len(payload)))
		pcap = binary.LittleEndian.AppendUint32(pcap, uint32(len(ip)+len(payload)))
		pcap = append(append(pcap, ip...), payload...)
		if c.packet.AuthType == ir.AuthAH {
			want = append(want, "2|53|255|1||2||192.0.2.30||1")
			continue
		}
		var v4, v6 []string
		for _, a := range p.Addresses {
			if a.Is4() {
				v4 = append(v4, a.String())
			} else {
				v6 = append(v6, a.String())
			}
		}
		v2 := fmt.Sprintf("%d||%d", p.Interval/time.Second, p.AuthType)
		if p.Version == 3 {
			v2 = fmt.Sprintf("|%d|", p.Interval/centisecond)
		}
		want = append(want, strings.Join([]string{
			fmt.Sprint(p.Version), fmt.Sprint(p.VRID), fmt.Sprint(p.Priority), v2, p.Auth.Reveal(),
			strings.Join(v4, ","), strings.Join(v6, ","), "1", // 1: good
		}, "|"))
	}
	file := filepath.Join(t.TempDir(), "pcap")
	if err := os.WriteFile(file, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "tshark", "-r", file, "-T", "fields", "-E", "separator=|", "-o", "vrrp.v3_checksum_as_in_v2:FALSE",
		"-e", "vrrp.version", "-e", "vrrp.virt_rtr_id", "-e", "vrrp.prio", "-e", "vrrp.adver_int", "-e", "vrrp.short_adver_int", "-e", "vrrp.auth_type", "-e", "vrrp.auth_string",
		"-e", "vrrp.ip_addr", "-e", "vrrp.ipv6_addr", "-e", "vrrp.checksum.status").Output()
	if err != nil {
		t.Fatal(err)
	}
	if warnings, err := exec.CommandContext(t.Context(), "tshark", "-r", file, "-Y", "_ws.expert").Output(); err != nil || len(warnings) > 0 {
		t.Errorf("tshark warns: %s, %v", warnings, err)
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, want) {
		t.Errorf("tshark reads\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func ipHeader(src, dst netip.Addr, payload int) []byte {
	if src.Is6() {
		h := []byte{0x60, 0, 0, 0, 0, byte(payload), protocol, 255}
		return append(append(h, src.AsSlice()...), dst.AsSlice()...)
	}
	h := []byte{0x45, 0xc0, 0, byte(20 + payload), 0, 0, 0, 0, 255, protocol, 0, 0}
	return append(append(h, src.AsSlice()...), dst.AsSlice()...)
}

type frame struct {
	at       time.Duration
	src, dst netip.Addr
	ah       bool
	id       uint16
	ttl      uint8
	payload  []byte
}

// record runs keepalived and returns the VRRP packets that it sent.
func record(t *testing.T) (frames []frame) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	for _, tool := range []string{"keepalived", "tshark", "unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for a network namespace")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(oracleConf), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "unshare", "-n", "-m", "sh", "-c", oracleScript, "sh", dir).CombinedOutput(); err != nil {
		t.Skipf("no namespace: %v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "pcap"))
	if err != nil {
		t.Fatal(err)
	}
	const fileHeader, recordHeader, ethernet = 24, 16, 14
	for b = b[fileHeader:]; len(b) >= recordHeader; {
		at := time.Duration(binary.LittleEndian.Uint32(b))*time.Second + time.Duration(binary.LittleEndian.Uint32(b[4:]))*time.Microsecond
		n := int(binary.LittleEndian.Uint32(b[8:]))
		ip := b[recordHeader+ethernet : recordHeader+n]
		b = b[recordHeader+n:]
		f := frame{at: at}
		if ip[0]>>4 == 6 {
			f.src, _ = netip.AddrFromSlice(ip[8:24])
			f.dst, _ = netip.AddrFromSlice(ip[24:40])
			f.payload = ip[40 : 40+binary.BigEndian.Uint16(ip[4:])]
		} else {
			f.src, _ = netip.AddrFromSlice(ip[12:16])
			f.dst, _ = netip.AddrFromSlice(ip[16:20])
			f.payload = ip[20:binary.BigEndian.Uint16(ip[2:])]
			f.ah, f.id, f.ttl = ip[9] == headerAH, binary.BigEndian.Uint16(ip[4:]), ip[8]
		}
		frames = append(frames, f)
	}
	if len(frames) == 0 {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		t.Fatalf("keepalived sent nothing:\n%s", log)
	}
	return frames
}
