package main

import (
	"errors"
	"html"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
	"keepc/runtime/status"
)

// refused runs "keepc run" on a host without some capabilities; it must end by itself.
func refused(t *testing.T, h *lab.Host, file, without string, flags ...string) (output, status string) {
	t.Helper()
	args := keepcArgs(t, append([]string{"run", file}, flags...)...)
	if without != "" {
		args = append([]string{"setpriv", "--bounding-set", "-" + without, "--inh-caps", "-" + without}, args...)
	}
	args = append([]string{"timeout", "30"}, args...)
	out, err := h.Try(args[0], args[1:]...)
	if err == nil {
		return out, "exit status 0"
	}
	_, status, _ = strings.Cut(err.Error(), "exit status")
	return out, "exit status" + status
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	h := lab.New(t).Host("lb01")
	broken := filepath.Join(t.TempDir(), "broken.conf")
	if err := os.WriteFile(broken, []byte("vrrp_instance x {\n\tprioritty 1\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ipvlan := filepath.Join(t.TempDir(), "ipvlan.conf")
	if err := os.WriteFile(ipvlan, []byte("vrrp_instance x {\n\tinterface eth0\n\tvirtual_router_id 1\n\tuse_ipvlan\n\tvirtual_ipaddress {\n\t\t10.0.0.3\n\t}\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	placeless := filepath.Join(t.TempDir(), "unicast.conf")
	if err := os.WriteFile(placeless, []byte("vrrp_instance x {\n\tvirtual_router_id 1\n\tunicast_src_ip 10.0.0.1\n\tunicast_peer {\n\t\t10.0.0.2\n\t}\n\tvirtual_ipaddress {\n\t\t10.0.0.3 dev eth0\n\t}\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(placeless), ".keepc.conf"), []byte("keepalived_version 2.2.8\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, file, without, status, says string }{
		{"without CAP_NET_ADMIN", repaired(t, "lb01"), "net_admin", "exit status 3", "vrrp_instance oldboy needs CAP_NET_ADMIN, which this process does not have"},
		{"without CAP_NET_RAW", repaired(t, "lb01"), "net_raw", "exit status 3", "vrrp_instance oldboy needs CAP_NET_RAW, which this process does not have"},
		{"without both", repaired(t, "lb01"), "net_raw,-net_admin", "exit status 3", "needs CAP_NET_RAW"},
		{"a missing file", "/nonexistent/lb01.conf", "", "exit status 3", "/nonexistent/lb01.conf: no such file"},
		{"a directory", t.TempDir(), "", "exit status 3", "is a directory"},
		{"ipvlan without an address", ipvlan, "", "exit status 1", "ipvlan.conf:4:2: error: vrrp_instance.use_ipvlan over IPv4 without an address is not enforced yet"},
		{"unicast without interface, as 2.2.8 allows", placeless, "", "exit status 1", "unicast.conf:1:1: error: vrrp_instance without interface is not enforced yet: keepc follows the interface"},
		{"a file with errors", broken, "", "exit status 1", `broken.conf:2:2: error: unknown keyword "prioritty"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, status := refused(t, h, c.file, c.without)
			if !strings.HasPrefix(status, c.status) || !strings.Contains(out, c.says) {
				t.Errorf("%s, want %s; it says\n%s\nwant %q", status, c.status, out, c.says)
			}
		})
	}
}

// TestRunKeepsTheOnlyAddress checks that keepalived 2.2.7 removes the only address of an interface from a host whose
// file names it, and is in FAULT permanently. keepc does not start, and says how to fix it; the owner of the address
// starts, and leaves it to the host as BACKUP, in FAULT and at its end.
func TestRunKeepsTheOnlyAddress(t *testing.T) {
	t.Parallel()
	h := oneHost(t)
	write := func(priority string) string {
		file := filepath.Join(h.Dir(), priority+".conf")
		text := "vrrp_instance x {\n\tinterface eth0\n\tvirtual_router_id 1\n\tpriority " + priority + "\n\tvirtual_ipaddress {\n\t\t10.0.0.1/24\n\t}\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	out, status := refused(t, h, write("150"), "")
	for _, says := range []string{"150.conf:6:3: error: 10.0.0.1 is the only address of eth0 [address-owned]", "priority 255 on the router that owns this one"} {
		if !strings.HasPrefix(status, "exit status 1") || !strings.Contains(out, says) {
			t.Errorf("%s; it says\n%s\nwant %q", status, out, says)
		}
	}
	line := keepcArgs(t, "run", write("255"))
	p := h.Start(line[0], line[1:]...)
	p.WaitLog("x MASTER", 15*time.Second)
	if !h.HasAddr(netip.MustParseAddr("10.0.0.1")) {
		t.Error("the owner has lost its address")
	}
	if out := h.Run("ip", "-4", "addr", "show", "eth0"); !strings.Contains(out, "brd 10.0.0.255") {
		t.Errorf("the owner's address was changed, which takes it away for a moment:\n%s", out)
	}
	line = keepcArgs(t, "plan", write("255"), "--as", "backup")
	if out := h.Run(line[0], line[1:]...); !strings.Contains(out, "No changes.") {
		t.Errorf("the plan for an owner that is BACKUP:\n%s", out)
	}
	h.Link("eth0").Down()
	p.WaitLog("x FAULT", 5*time.Second)
	h.Link("eth0").Up()
	p.WaitLog("works again", 5*time.Second)
	p.Stop()
	if out := h.Run("ip", "-4", "addr", "show", "eth0"); !strings.Contains(out, "10.0.0.1/24 brd 10.0.0.255") {
		t.Errorf("after a FAULT and a stop the host has lost its address:\n%s", out)
	}
}

// TestRunWithoutIPVS runs on a kernel without ip_vs, where keepalived ends its whole daemon: keepc reports it once, at
// the line of the first virtual server, and VRRP continues.
func TestRunWithoutIPVS(t *testing.T) {
	t.Parallel()
	k, err := kernel.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if _, err := kernel.List(k, state.ServiceKind); !errors.Is(err, kernel.ErrNoIPVS) {
		t.Skipf("this kernel has ip_vs (%v)", err)
	}
	s := newPair(t)
	s.lb01 = s.start(s.LB01, keepc)
	s.eventually(10*time.Second, "lb01 holds the address", func() error { return s.held("lb01") })
	time.Sleep(3 * time.Second)
	log := s.lb01.Log()
	if n := strings.Count(log, "the kernel has no ip_vs"); n != 1 || !strings.Contains(log, "lb01.conf:18:1: the kernel has no ip_vs") {
		t.Errorf("said %d times\n%s", n, log)
	}
}

// TestRunWaitsForItsInterface checks that a missing interface is reported with its line, and that the instance starts
// when it appears, and again when it was recreated.
func TestRunWaitsForItsInterface(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	h := n.Host("lb01")
	s := &stage{Cluster: &tutorial.Cluster{LB01: h, LB02: h}, t: t}
	s.lb01 = s.start(h, keepc)
	s.lb01.WaitLog("lb01.conf:6:2: there is no interface eth0", 5*time.Second)
	s.lb01.WaitLog("oldboy FAULT", 5*time.Second)
	for range 2 {
		h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
		h.Run("ip", "link", "set", "far0", "up")
		h.Run("ip", "link", "set", "eth0", "up")
		h.Run("ip", "addr", "add", "10.0.0.5/24", "dev", "eth0")
		s.eventually(10*time.Second, "lb01 holds the address", func() error {
			if !h.HasAddr(tutorial.VIP) {
				return os.ErrNotExist
			}
			return nil
		})
		h.Run("ip", "link", "delete", "eth0")
	}
}

// TestRunWatchesIncludes checks that an edit of an included file is applied; a file that is about to be written, empty
// for a moment, is not.
func TestRunWatchesIncludes(t *testing.T) {
	t.Parallel()
	s := newPair(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("main.conf", "include parts/*.conf\n")
	if err := os.Mkdir(filepath.Join(dir, "parts"), 0o755); err != nil {
		t.Fatal(err)
	}
	instance := func(priority string) string {
		return "vrrp_instance one {\n\tinterface eth0\n\tvirtual_router_id 7\n\tpriority " + priority + "\n\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n"
	}
	write("parts/one.conf", instance("100"))
	args := keepcArgs(t, "run", "--watch", filepath.Join(dir, "main.conf"))
	s.lb01 = s.LB01.Start(args[0], args[1:]...)
	s.eventually(10*time.Second, "lb01 advertises priority 100", func() error { return s.priority("10.0.0.5", 100) })

	write("parts/one.conf", instance("101"))
	s.eventually(5*time.Second, "the edit of an included file is applied", func() error { return s.priority("10.0.0.5", 101) })
	write("parts/two.conf", "global_defs {\n\trouter_id two\n}\n")

	write("main.conf", "")
	s.lb01.WaitLog("refused: "+filepath.Join(dir, "main.conf")+": error: it has no instance, no virtual server and nothing static", 5*time.Second)
	if err := s.held("lb01"); err != nil {
		t.Errorf("an empty file: %v", err)
	}
	write("main.conf", "include parts/*.conf\n")
	write("parts/one.conf", instance("102"))
	s.eventually(5*time.Second, "the next good file is applied", func() error { return s.priority("10.0.0.5", 102) })

	// There is only one director per host.
	out, status := refused(t, s.LB01, filepath.Join(dir, "main.conf"), "")
	if !strings.HasPrefix(status, "exit status 3") || !strings.Contains(out, "another keepc runs here already") {
		t.Errorf("a second director: %s\n%s", status, out)
	}
}

// TestRunWithoutSocket checks that a user who takes the name of the status socket does not keep a director from its work.
func TestRunWithoutSocket(t *testing.T) {
	t.Parallel()
	h := lab.New(t).Host("lb01")
	var l net.Listener
	if err := h.Do(func() (err error) {
		l, err = listenAs(65534, status.Socket)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &stage{Cluster: &tutorial.Cluster{LB01: h, LB02: h}, t: t}
	s.lb01 = s.start(h, keepc)
	s.lb01.WaitLog("the socket @keepc is taken: user 65534 has it", 5*time.Second)
	s.lb01.WaitLog("enforcing", 5*time.Second)
}

// listenAs takes a socket as another user: the kernel notes who calls listen.
func listenAs(uid uintptr, socket string) (net.Listener, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	become := func(uid uintptr) error { // only this thread
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uid, ^uintptr(0)); errno != 0 {
			return errno
		}
		return nil
	}
	if err := become(uid); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", socket)
	return l, errors.Join(err, become(0))
}

// TestRunTolerates runs a file with mistakes that keepalived starts with: keepc starts with it too, reports each loss
// with its line in the log and, as long as it runs, in its status, and uses the truncated password. --strict refuses
// the file.
func TestRunTolerates(t *testing.T) {
	t.Parallel()
	file := absolute(t, filepath.Join("..", "..", "testdata", "start", "tolerated-mistakes.conf"))
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	out, status := refused(t, h, file, "", "--strict")
	if !strings.HasPrefix(status, "exit status 1") || !strings.Contains(out, "tolerated-mistakes.conf:17:19: error: auth_pass is longer than 8 bytes [password-cut]") {
		t.Errorf("--strict: %s\n%s", status, out)
	}
	args := keepcArgs(t, "run", file)
	p := h.Start(args[0], args[1:]...)
	p.WaitLog("VI_1 MASTER", 15*time.Second)
	lost := []string{
		"tolerated-mistakes.conf:8:11: error: state cannot be \"SLAVE\" [invalid-value]; keepalived goes on without the line, or without a word of it, and so does keepc",
		"tolerated-mistakes.conf:17:19: error: auth_pass is longer than 8 bytes [password-cut]; keepalived goes on with something else, and so does keepc",
		"tolerated-mistakes.conf:19:5: error: unknown keyword \"colour\" in vrrp_instance VI_1 [unknown-keyword]; keepalived goes on without the line",
	}
	args = keepcArgs(t, "status")
	said, _ := h.Try(args[0], args[1:]...) // exit code 1: the kernel may lack ip_vs
	for _, want := range lost {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("not in the log: %s\n%s", want, p.Log())
		}
		if !strings.Contains(said, want) {
			t.Errorf("not in the status: %s\n%s", want, said)
		}
	}
	if !h.HasAddr(netip.MustParseAddr("192.0.2.18")) {
		t.Error("the address is not there")
	}
}

// TestRunRefusesWorse checks that a reload of a file with an additional error, or with an interface that this machine
// lacks, changes nothing; a file whose errors are those of the file in force is accepted, wherever they are in the
// file. The page says so before the reload.
func TestRunRefusesWorse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	instance := func(more, iface string) string {
		return "vrrp_instance one {\n" + more + "\tinterface " + iface + "\n\tvirtual_router_id 7\n\tvirtual_ipaddress {\n\t\t192.0.2.18/24\n\t}\n}\n"
	}
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	write(instance("\tcolour blue\n", "eth0"))
	h.Run("ip", "link", "set", "lo", "up")
	args := keepcArgs(t, "run", "--http", "127.0.0.1:9650", file)
	p := h.Start(args[0], args[1:]...)
	p.WaitLog("one MASTER", 15*time.Second)
	reload := func(text, page, says string) {
		t.Helper()
		before := len(p.Log())
		write(text)
		if got := html.UnescapeString(h.Run("curl", "-s", "http://127.0.0.1:9650/")); !strings.Contains(got, page) || strings.Contains(got, "would be refused") != strings.Contains(page, "error: ") {
			t.Errorf("the page lacks %s:\n%s", page, got)
		}
		p.Signal(unix.SIGHUP)
		for deadline := time.Now().Add(lab.Patience(5 * time.Second)); !strings.Contains(p.Log()[before:], says); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not said: %s\n%s", says, p.Log())
			}
		}
	}
	reload(instance("\tcolour blue\n\tshape round\n", "eth0"), file+`:3:2: error: unknown keyword "shape" in vrrp_instance one`, "refused: "+file+`:3:2: error: unknown keyword "shape" in vrrp_instance one`)
	reload(instance("\tcolour blue\n", "eth7"), "error: this machine has no interface eth7", "refused: "+file+":3:2: error: this machine has no interface eth7 [interface-not-here]")
	reload("# a comment above\n"+instance("\tpriority 90\n\tcolour blue\n", "eth0"), "Plan: 0 to add", "100 -> 90")
	reload("", "error: it has no instance", "there is nothing to enforce")
	if !h.HasAddr(netip.MustParseAddr("192.0.2.18")) {
		t.Error("the address is gone")
	}
}

// TestRunKeepsItsVerdicts checks that a script that its user may not reach is not run and keeps no instance waiting, as
// with keepalived 2.2.7: the director gives up the right to change the user, since no script needs it, and must not
// judge again without it.
func TestRunKeepsItsVerdicts(t *testing.T) {
	t.Parallel()
	h := oneHost(t)
	dir := filepath.Join(h.Dir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "check"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(h.Dir(), "script.conf")
	text := "vrrp_script check {\n\tscript " + dir + "/check\n\tinterval 1\n\tuser nobody\n}\n" +
		"vrrp_instance x {\n\tinterface eth0\n\tvirtual_router_id 1\n\tpriority 150\n\ttrack_script {\n\t\tcheck\n\t}\n\tvirtual_ipaddress {\n\t\t10.0.0.3/24\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	line := keepcArgs(t, "run", file)
	p := h.Start(line[0], line[1:]...)
	p.WaitLog("not run: "+dir+"/check", 5*time.Second)
	p.WaitLog("x MASTER", 15*time.Second)
	p.Stop()
}
