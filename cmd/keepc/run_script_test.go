package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// scripted starts keepc on a host of its own with some vrrp_scripts, which all count for one instance's priority: 100
// + 1 for each.
func scripted(t *testing.T, commands []string, before string) (*lab.Host, *lab.Process) {
	t.Helper()
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	var b, tracks strings.Builder
	for i, c := range commands {
		fmt.Fprintf(&b, "vrrp_script s%d {\n\tscript \"%s\"\n\tinterval 1\n\ttimeout 30\n\tfall 1\n\trise 1\n}\n", i, c)
		fmt.Fprintf(&tracks, "\t\ts%d weight 1\n", i)
	}
	fmt.Fprintf(&b, "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 100\n\ttrack_script {\n%s\t}\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n", tracks.String())
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-c", before + `; exec "$0" "$@"`}, keepcArgs(t, "run", conf)...)
	return h, h.Start("/bin/sh", args...)
}

// TestRunScriptsShort checks that 60 good scripts of a director that has 64 descriptors are all good all the time.
func TestRunScriptsShort(t *testing.T) {
	t.Parallel()
	commands := make([]string, 60)
	for i := range commands {
		commands[i] = "/bin/true"
	}
	_, p := scripted(t, commands, "ulimit -n 64")
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	time.Sleep(5 * time.Second)
	log := p.Log()
	if strings.Contains(log, "fails") {
		t.Error("a good script fails")
	}
	if !strings.Contains(log, "-> 160: ") {
		t.Error("the priority never has the weight of 60 good scripts")
	}
	for line := range strings.Lines(log) {
		if at := strings.Index(line, "VI_1 priority"); at >= 0 && strings.Contains(line, "160 -> ") {
			t.Errorf("the priority falls: %s", line)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// TestRunScriptsInheritNothing checks that a script inherits /dev/null three times and nothing else of a director with
// all its sockets, and none of its signals.
func TestRunScriptsInheritNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "seen"), filepath.Join(dir, "see")
	text := "#!/bin/sh\ncd /proc/self/fd\nset -- $(for f in *; do readlink $f; done)\nexec >> " + file + "\necho $*\ngrep -E 'Sig(Blk|Ign)' /proc/self/status\n"
	if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	_, p := scripted(t, []string{program}, `trap "" HUP PIPE USR1; exec 9</etc/passwd`)
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	var seen []byte
	lab.Eventually(t, 10*time.Second, "two runs", func() bool {
		seen, _ = os.ReadFile(file)
		return strings.Count(string(seen), "\n") >= 6
	})
	// A shell has its script open, and a pipe while it collects the list. Signal 32 is the C library's own: make
	// leaves it ignored.
	signals := []string{"SigBlk:\t0000000000000000\n", "SigIgn:\t0000000000000000\n", "SigIgn:\t0000000080000000\n"}
	for line := range strings.Lines(string(seen)) {
		inherited := strings.Fields(line)
		inherited = slices.DeleteFunc(inherited, func(f string) bool { return f == program || strings.HasPrefix(f, "pipe:") })
		if inherited = slices.Compact(inherited); !slices.Equal(inherited, []string{"/dev/null"}) && !slices.Contains(signals, line) {
			t.Errorf("got %s", line)
		}
	}
}

// TestRunDescriptorsCloseOnExec checks that a program started by a director would inherit none of its descriptors:
// wires, watches, socket and lock.
func TestRunDescriptorsCloseOnExec(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	text := "track_file load {\n\tfile " + h.Dir() + "/load\n\tweight 1\n}\nvrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\ttrack_file {\n\t\tload\n\t}\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n" +
		"vrrp_instance VI_6 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\tfe80::10\n\t}\n}\n" +
		"virtual_server 192.0.2.10 80 {\n\tprotocol TCP\n\tlb_algo rr\n\tlb_kind NAT\n\treal_server 192.0.2.20 80 {\n\t\tTCP_CHECK {\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := keepcArgs(t, "run", "--watch", conf)
	p := h.Start(args[0], args[1:]...)
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", p.Pid()))
	if err != nil || len(all) < 10 {
		t.Fatalf("only %v %v", all, err)
	}
	for _, name := range all {
		info, err := os.ReadFile(name)
		if err != nil {
			continue // it was closed meanwhile
		}
		fd := filepath.Base(name)
		what, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.Pid(), fd))
		_, flags, _ := strings.Cut(string(info), "flags:")
		bits, err := strconv.ParseUint(strings.Fields(flags)[0], 8, 64)
		if err != nil {
			t.Fatal(err)
		}
		if standard := len(fd) == 1 && fd <= "2"; !standard && bits&unix.O_CLOEXEC == 0 {
			t.Errorf("descriptor %s, %s, is not closed by exec", fd, what)
		}
	}
}
