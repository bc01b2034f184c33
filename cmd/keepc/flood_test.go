package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/net/ipv4"

	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

// flood sends a VRRP packet from a host repeatedly for a while, at the given rate if the machine is fast enough, and
// returns how many were sent.
func flood(t *testing.T, from *lab.Host, to net.IP, advert []byte, perSecond int, length time.Duration) (sent int) {
	t.Helper()
	var c net.PacketConn
	err := from.Do(func() (err error) {
		c, err = net.ListenPacket("ip4:112", "0.0.0.0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := ipv4.NewRawConn(c)
	if err != nil {
		t.Fatal(err)
	}
	if eth0, err := from.Netlink().LinkByName("eth0"); err == nil {
		err = raw.SetMulticastInterface(&net.Interface{Index: eth0.Attrs().Index})
		if err != nil {
			t.Fatal(err)
		}
	}
	header := &ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(advert), TTL: 255, Protocol: 112, TOS: 0xC0, Src: net.IPv4(10, 0, 0, 101), Dst: to}
	packet, err := header.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const turn = 2 * time.Millisecond
	batch := make([]ipv4.Message, perSecond/int(time.Second/turn))
	for i := range batch {
		batch[i] = ipv4.Message{Buffers: [][]byte{append(packet, advert...)}, Addr: &net.IPAddr{IP: to}}
	}
	begun := time.Now()
	for n := 1; time.Since(begun) < length; n++ {
		for left := batch; len(left) > 0; {
			done, err := raw.WriteBatch(left, 0)
			if err != nil {
				t.Fatal(err)
			}
			left = left[done:]
			sent += done
		}
		time.Sleep(time.Until(begun.Add(time.Duration(n) * turn)))
	}
	return sent
}

// notFromFlooder keeps the frames that the second client did not send: a capture of the flood would lose what matters.
func notFromFlooder() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 14 + 12, Size: 4}, // the source of an IPv4 packet
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 10<<24 | 101, SkipTrue: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}

// userTime returns the user CPU time of a process so far.
func userTime(t *testing.T, p *lab.Process) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')'):]))
	ticks, err := strconv.Atoi(fields[12]) // utime, of 10 ms each
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// TestFlood sends packets that concern nobody, and wrong ones, faster than a director could read them. The backup
// hears the master all the same, and the master's advertisements are on time. Packets that concern nobody are sent
// only to the backup: a bridge that copies each packet to all ports is slower than the director.
func TestFlood(t *testing.T) {
	for _, c := range []struct {
		name      string
		to        net.IP
		advert    []byte
		perSecond int
		dropped   bool // by the kernel
	}{
		{"foreign virtual routers", net.IPv4(10, 0, 0, 6), []byte{0x21, 63, 100, 1, 0, 1, 0, 0, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0}, 120_000, true},
		{"our virtual router, and a wrong checksum", net.IPv4(224, 0, 0, 18), []byte{0x21, 62, 200, 1, 0, 1, 0xba, 0xd0, 10, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0}, 10_000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := lab.New(t)
			lan := n.Segment("lan") // with no more ports than needed: each gets a copy of each packet
			host := func(name, addr string) *lab.Host { return n.Host(name, lab.On(lan, "eth0", addr)) }
			s := &stage{t: t, web: map[string]*lab.Process{}, Cluster: &tutorial.Cluster{
				LB01: host("lb01", "10.0.0.5/24"), LB02: host("lb02", "10.0.0.6/24"),
				Client: host("client", "10.0.0.100/24"), Second: host("second", "10.0.0.101/24"),
			}}
			s.wire = s.Client.Capture("eth0", notFromFlooder()...)
			s.direct(keepc, keepc)
			time.Sleep(2 * interval)
			begun, spent := time.Now(), userTime(t, s.lb02)
			const length = 6 * time.Second
			sent := flood(t, s.Second, c.to, c.advert, c.perSecond, length)
			spent = userTime(t, s.lb02) - spent
			t.Logf("%d packets, %.0f a second; lb02 computed for %v", sent, float64(sent)/time.Since(begun).Seconds(), spent)
			if c.dropped && spent > length/20 {
				t.Errorf("lb02 computed for %v of %v: the flood reaches it", spent, length)
			}
			time.Sleep(100 * time.Millisecond)
			s.steady(begun)
			if err := s.held("lb01"); err != nil {
				t.Error(err)
			}
		})
	}
}
