package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/runtime/lab"
)

// handmade is a table with everything that ipvsadm can express, except for connection thresholds, which it does not
// save.
const handmade = `--set 30 5 60
-A -t 10.0.0.3:80 -s wrr -p 20
-a -t 10.0.0.3:80 -r 10.0.0.7:80 -g -w 1
-a -t 10.0.0.3:80 -r 10.0.0.8:80 -i -w 0 --tun-type gue --tun-port 5555 --tun-csum
-A -t 10.0.0.4:80 -s mh -b flag-1,flag-2
-a -t 10.0.0.4:80 -r 10.0.0.7:8080 -m -w 9
-A -t [2001:db8::3]:443 -s sh -p 5 -M 64
-a -t [2001:db8::3]:443 -r [2001:db8::7]:443 -g -w 1
-A -u 10.0.0.3:5060 -s rr -p 300 -M 255.255.255.0 --pe sip -o
-a -u 10.0.0.3:5060 -r 10.0.0.7:5060 -m -w 7
-A -f 7 -s rr
-a -f 7 -r 10.0.0.9:0 -g -w 2
-A -f 8 -6 -s rr -p 360 -M 64
-a -f 8 -6 -r [2001:db8::7]:0 -g -w 1
`

// TestImport checks the round trips: rules made by ipvsadm, listed by it, turned into a file and exported are the
// rules again; and the file made from the live table wants what exists.
func TestImport(t *testing.T) {
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ipvsadm", "ip")
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "10.0.0.5/24"))
	write := func(name, text string) string {
		path := filepath.Join(h.Dir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keepc := func(args ...string) string {
		line := keepcArgs(t, args...)
		return h.Run(line[0], line[1:]...)
	}
	restore := func(rules string) { h.Run("sh", "-c", "ipvsadm -C && ipvsadm -R < "+write("rules", rules)) }
	saved := func() string { return h.Run("ipvsadm", "-Sn") + h.Run("ipvsadm", "-Ln", "--timeout") }

	restore(handmade)
	h.Run("ip", "addr", "add", "10.0.0.3/24", "dev", "eth0", "label", "eth0:0")
	h.Run("ip", "addr", "add", "10.0.0.4/24", "brd", "+", "dev", "eth0")
	h.Run("ip", "addr", "add", "2001:db8::3/64", "dev", "eth0", "nodad")
	h.Run("ip", "addr", "add", "2001:db8::5/64", "dev", "eth0", "nodad")
	before := saved()

	// ipvsadm -Sn and ip addr make a file whose export makes the same table.
	text := keepc("import", write("saved", before+h.Run("ip", "addr")))
	file := write("keepalived.conf", text)
	if got := keepc("export", "--ipvsadm", file); got != handmade {
		t.Errorf("exported:\n%s\nwant\n%s\nfrom\n%s", got, handmade, text)
	}
	restore(keepc("export", "--ipvsadm", file))
	if after := saved(); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if json := keepc("import", write("json", h.Run("ip", "-j", "addr")), write("saved", before)); json != text {
		t.Errorf("from ip -j addr:\n%s\nfrom ip addr:\n%s", json, text)
	}

	// The live table makes the same file, and the plan for it finds nothing to do.
	h.Run("ipvsadm", "-e", "-t", "10.0.0.3:80", "-r", "10.0.0.7:80", "-g", "-x", "100", "-y", "50")
	live := keepc("import")
	if without := strings.NewReplacer("\t\tuthreshold 100\n", "", "\t\tlthreshold 50\n", "").Replace(live); without != text || without == live {
		t.Errorf("live:\n%s\nfrom ipvsadm and ip:\n%s", live, text)
	}
	if got := keepc("plan", write("live.conf", live)); !strings.Contains(got, "No changes.") || !strings.Contains(got, "MASTER for VI_1, VI_2") {
		t.Errorf("the plan of what is there:\n%s\n%s", got, live)
	}
	h.Run("ipvsadm", "--set", "900", "120", "300")
	if got := keepc("plan", file); !strings.Contains(got, "tcpfin  120 -> 5") {
		t.Errorf("the plan of other timeouts:\n%s", got)
	}
}
