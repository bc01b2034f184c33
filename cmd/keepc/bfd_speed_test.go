package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/bpf"

	"keepc/runtime/lab"
)

// bfdFile is an end of a session with 3 x 10 ms; the end that has an instance is MASTER while the session is up.
func bfdFile(own, other string, instance bool) string {
	text := fmt.Sprintf("bfd_instance peer {\n\tneighbor_ip %s\n\tsource_ip %s\n\tmin_rx 10\n\tmin_tx 10\n\tidle_tx 100\n\tmultiplier 3\n}\n", other, own)
	track := ""
	if instance {
		track = "\ttrack_bfd {\n\t\tpeer\n\t}\n"
	}
	return text + "vrrp_instance VI_1 {\n\tinterface eth0\n\tversion 3\n\tvirtual_router_id 51\n\tpriority 150\n" + track + "\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n"
}

// sessionPackets keeps control packets of BFD over IPv4: UDP to port 3784.
func sessionPackets() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0x0800, SkipFalse: 5},
		bpf.LoadAbsolute{Off: 14 + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 17, SkipFalse: 3},
		bpf.LoadAbsolute{Off: 14 + 20 + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 3784, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	}
}

// TestBenchBFD prints, for a MASTER that tracks a session of 3 x 10 ms and loses it, the time from the last packet of its neighbour to the
// first of its own that says Down, and from there to the advertisement with priority 0, with which the others become MASTER.
func TestBenchBFD(t *testing.T) {
	needBench(t)
	lab.NeedPrograms(t, "keepalived")
	n := speedRounds
	if os.Getenv("KEEPC_ROUNDS") != "" {
		n = rounds(t)
	}
	fmt.Printf("\na MASTER that tracks a BFD session of 3 x 10 ms whose neighbour is cut off, %d rounds of each program, in turn, kernel %s\n", n, lab.Kernel())
	type result struct{ detect, tell []time.Duration }
	results := map[program]*result{keepalived: {}, keepc: {}}
	for _, who := range []program{keepalived, keepc} {
		t.Run(string(who), func(t *testing.T) {
			r := results[who]
			net := lab.New(t)
			lan, far := net.Segment("lan"), net.Segment("far")
			lb01 := net.Host("lb01", lab.On(lan, "eth0", "10.0.0.5/24"), lab.On(far, "eth1", "10.1.0.5/24"))
			peer := net.Host("peer", lab.On(far, "eth1", "10.1.0.6/24"), lab.On(net.Segment("other"), "eth0", "10.2.0.6/24"))
			wire := net.Host("wire", lab.On(lan, "eth0", "10.0.0.100/24")).Capture("eth0", vrrpAndARP()...)
			session := lb01.Capture("eth1", sessionPackets()...)
			start := func(h *lab.Host, text string) *lab.Process {
				file := filepath.Join(h.Dir(), "keepalived.conf")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				if who == keepc {
					return director(t, h, who, file)
				}
				return h.Start("keepalived", lab.KeepalivedFlags("/run", file)...)
			}
			p := start(lb01, bfdFile("10.1.0.5", "10.1.0.6", true))
			start(peer, bfdFile("10.1.0.6", "10.1.0.5", false))
			master := func(since time.Time) bool {
				return slices.ContainsFunc(advertsIn(wire, since), func(a advert) bool { return a.priority > 0 })
			}
			for range n {
				since := time.Now()
				lab.Eventually(t, time.Minute, string(who)+" to be MASTER", func() bool { return master(since) })
				time.Sleep(300 * time.Millisecond)
				cut := time.Now()
				peer.Link("eth1").Down()
				var farewell time.Time
				lab.Eventually(t, 10*time.Second, string(who)+" to say farewell:\n"+p.Log(), func() bool {
					for _, a := range advertsIn(wire, cut) {
						if a.priority == 0 {
							farewell = a.at
						}
					}
					return !farewell.IsZero()
				})
				var last, down time.Time // of the neighbour; the first that says Down
				time.Sleep(200 * time.Millisecond)
				for _, f := range session.Frames() {
					from, _ := netip.AddrFromSlice(f.Data[26:30])
					switch state := f.Data[14+20+8+1] >> 6; {
					case f.Time.After(farewell.Add(150 * time.Millisecond)):
					case from == netip.MustParseAddr("10.1.0.6"):
						last = f.Time
					case f.Time.After(cut) && state == 1 && down.IsZero():
						down = f.Time
					}
				}
				if down.IsZero() || last.IsZero() {
					t.Fatalf("%s: no packet says Down", who)
				}
				r.detect, r.tell = append(r.detect, down.Sub(last)), append(r.tell, farewell.Sub(down))
				peer.Link("eth1").Up()
			}
		})
	}
	for _, row := range []struct {
		what string
		of   func(*result) []time.Duration
	}{
		{"last packet of the neighbour to ours that says Down", func(r *result) []time.Duration { return r.detect }},
		{"that to the advertisement with priority 0", func(r *result) []time.Duration { return r.tell }},
	} {
		for _, who := range []program{keepalived, keepc} {
			d := slices.Sorted(slices.Values(row.of(results[who])))
			if len(d) == 0 {
				fmt.Printf("%-52s %-11s no result\n", row.what, who)
				continue
			}
			fmt.Printf("%-52s %-11s median %8v  p99 %8v\n", row.what, who, fine(d[len(d)/2]), fine(d[(len(d)*99+99)/100-1]))
		}
	}
}
