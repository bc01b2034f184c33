package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
)

// roomed makes a network namespace blue on a host, with an interface eth0 that is up.
func roomed(t *testing.T, h *lab.Host) {
	t.Helper()
	for _, line := range []string{
		"ip netns add blue", "ip -n blue link add eth0 type veth peer name far0", "ip -n blue link set lo up",
		"ip -n blue link set eth0 up", "ip -n blue link set far0 up", "ip -n blue addr add 192.0.2.1/24 dev eth0",
	} {
		words := strings.Fields(line)
		h.Run(words[0], words[1:]...)
	}
	t.Cleanup(func() { _, _ = h.Try("ip", "netns", "delete", "blue") }) // the test may have deleted it
}

// TestNamespaces checks that with net_namespace both programs have their addresses in it, and nothing outside; that
// keepc plan looks there too; and that standard input is read once. The virtual servers of net_namespace_ipvs are in a
// third one.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	const instance = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tadvert_int 0.2\n\tversion 3\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	for _, p := range []program{keepalived, keepc} {
		h := lab.New(t).Host("lb01")
		roomed(t, h)
		file := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(file, []byte("net_namespace blue\n"+instance), 0o600); err != nil {
			t.Fatal(err)
		}
		line := []string{"keepalived", "-nlD", "-P", "-f", file}
		if p == keepc {
			line = keepcArgs(t, "run", file)
		}
		d := h.Start(line[0], line[1:]...)
		inside := func() string { return h.Run("ip", "-n", "blue", "-o", "addr", "show", "dev", "eth0") }
		lab.Eventually(t, 15*time.Second, string(p)+" has the address in the namespace", func() bool { return strings.Contains(inside(), "192.0.2.10/24") })
		if h.HasAddr(netip.MustParseAddr("192.0.2.10")) {
			t.Errorf("%s has the address outside", p)
		}
		if p == keepc {
			if out := h.Run("ip", append([]string{"netns", "exec", "blue"}, keepcArgs(t, "status")...)...); !strings.Contains(out, "VI_1") {
				t.Errorf("status in the namespace: %s", out)
			}
			if out := h.Run("sh", "-c", strings.Join(keepcArgs(t, "facts", file), " ")); !strings.Contains(out, "192.0.2.10/24") {
				t.Errorf("facts outside of it lack what is in it: %s", out)
			}
			for _, name := range []string{file, "-"} {
				plan := strings.Join(keepcArgs(t, "plan", name), " ")
				if out := h.Run("sh", "-c", plan+" <"+file); !strings.Contains(out, "eth0 (up)") || !strings.Contains(out, "Running daemon: pid") {
					t.Errorf("plan %s outside of it: %s", name, out)
				}
			}
		}
		d.Signal(syscall.SIGTERM)
		if err := d.Wait(10 * time.Second); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if strings.Contains(inside(), "192.0.2.10") {
			t.Errorf("%s leaves the address behind", p)
		}
	}
	h := lab.New(t).Host("lb01")
	out, status := refused(t, h, fileOf(t, "net_namespace red\n"+instance), "")
	if !strings.HasPrefix(status, "exit status 3") || !strings.Contains(out, "network namespace red: it does not exist") {
		t.Errorf("%s: %s", status, out)
	}
	if out, status := refused(t, h, fileOf(t, "net_namespace blue\nvrrp_instance {\n\tstray\n"), "", "--strict", "--withdraw"); status == "exit status 0" || !strings.Contains(out, "error") {
		t.Errorf("run --withdraw with a file that is refused: %s: %s", status, out)
	}
	for _, foreign := range []string{"blue", "seven blue", "1 blue"} {
		line := append([]string{"KEEPC_NAMESPACE=" + foreign, "timeout", "30"}, keepcArgs(t, "run", fileOf(t, "net_namespace blue\n"+instance))...)
		out, err := h.Try("env", line...)
		if err == nil || !strings.Contains(out, "was not set by this program") {
			t.Errorf("KEEPC_NAMESPACE=%s: %v: %s", foreign, err, out)
		}
	}
}

// fileOf writes a separate file.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPIDFiles checks that the pid files of both programs have the same names, whatever the file and the command line
// say, and are removed at the end.
func TestPIDFiles(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ip")
	const instance = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	for _, c := range []struct {
		words string
		args  []string
	}{
		{"", nil},
		{"use_pid_dir", nil},
		{"instance one", nil},
		{"net_namespace blue", nil},
		{"net_namespace blue\ninstance one", nil},
		{"", []string{"-s", "blue"}},
		{"net_namespace red\nuse_pid_dir", []string{"-s", "blue"}},
		{"instance one", []string{"-p", "/run/other.pid"}},
	} {
		t.Run(strings.Join(append([]string{c.words}, c.args...), " "), func(t *testing.T) {
			t.Parallel()
			got := map[program]string{}
			for _, p := range []program{keepalived, keepc} {
				h := lab.New(t).Host("lb01")
				roomed(t, h)
				h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
				h.AddAddr("eth0", "192.0.2.1/24")
				line := asKeepalivedArgs(t, p, append([]string{"-nlD", "-P", "-f", fileOf(t, c.words+"\n"+instance)}, c.args...)...)
				d := h.Start(line[0], line[1:]...)
				list := func() string {
					files := strings.Fields(h.Run("find", "/run", "-name", "*.pid"))
					slices.Sort(files)
					return strings.Join(files, " ")
				}
				lab.Eventually(t, 15*time.Second, string(p)+" has pid files", func() bool { return strings.Count(list(), ".pid") >= 2 })
				got[p] = list()
				if p == keepc {
					for _, name := range strings.Fields(got[p]) {
						if text := h.Run("cat", name); strings.TrimSpace(text) != fmt.Sprint(d.Pid()) {
							t.Errorf("%s has %q, the process is %d", name, text, d.Pid())
						}
					}
				}
				d.Signal(syscall.SIGTERM)
				if err := d.Wait(10 * time.Second); err != nil {
					t.Errorf("%s: %v", p, err)
				}
				if left := list(); left != "" {
					t.Errorf("%s leaves %s", p, left)
				}
			}
			if got[keepc] != got[keepalived] {
				t.Errorf("keepc has %s, keepalived %s", got[keepc], got[keepalived])
			}
		})
	}
}

// TestProcessNames checks that the names in a file are those of the process and of the threads of its loops; under the
// name keepalived the process has them without a keyword for it.
func TestProcessNames(t *testing.T) {
	t.Parallel()
	h := lab.New(t).Host("lb01")
	h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
	h.AddAddr("eth0", "192.0.2.1/24")
	const instance = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	for _, c := range []struct{ words, process, threads string }{
		{"process_names", "keepalived", "keepalived_bfd keepalived_lvs keepalived_vrrp"},
		{"process_name director\nvrrp_process_name election\nchecker_process_name checks\nbfd_process_name sessions", "director", "checks election sessions"},
		{"lvs_process_name checks", "keepalived", "checks"},
		{"router_id lb01", "keepalived", ""},
	} {
		line := asKeepalivedArgs(t, keepc, lab.KeepalivedFlags("/run", fileOf(t, "global_defs {\n"+c.words+"\n}\n"+instance))...)
		d := h.Start(line[0], line[1:]...)
		d.WaitLog("Startup complete", 10*time.Second)
		comm := func(file string) string {
			text, err := os.ReadFile(file)
			if err != nil {
				return "" // the thread has ended
			}
			return strings.TrimSpace(string(text))
		}
		own := comm(fmt.Sprintf("/proc/%d/comm", d.Pid()))
		var threads []string
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/comm", d.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range tasks {
			if name := comm(file); name != own && name != "" && slices.Contains(strings.Fields(c.threads), name) {
				threads = append(threads, name)
			}
		}
		for _, name := range []string{"keepalived_lvs", "checks"} { // its loop may be on the first thread, which has the name of the process
			if strings.Contains(c.threads, name) && !slices.Contains(threads, name) {
				threads = append(threads, name)
			}
		}
		slices.Sort(threads)
		if got := strings.Join(threads, " "); own != c.process || got != c.threads {
			t.Errorf("%s: the process is %q with threads %q, want %q with %q", c.words, own, got, c.process, c.threads)
		}
		d.Signal(syscall.SIGTERM)
		if err := d.Wait(10 * time.Second); err != nil {
			t.Error(err)
		}
	}
}

// TestDataNames checks the names that keepalived 2.2.7 was seen to give its data file.
func TestDataNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ namespace, instance, want string }{
		{"", "", "keepalived.data"}, {"", "one", "keepalived.one.data"}, {"blue", "one", "keepalived.blue_one.data"},
	} {
		cfg := &ir.Config{NetNamespace: c.namespace, Instance: c.instance}
		if got := (&keepalivedRun{}).names(cfg).data(""); got != "keepalived.data" {
			t.Errorf("without data_use_instance: %s", got)
		}
		cfg.Global.DataUseInstance = true
		if got := (&keepalivedRun{}).names(cfg).data(""); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestStateDumpFile checks where state_dump_file puts the data files, which keepalived has since 2.3.3: _parent and
// _check come before the end of the name.
func TestStateDumpFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ words, want string }{
		{"", "/tmp/keepalived.data /tmp/keepalived_check.data"},
		{"state_dump_file /srv/lb/state.txt", "/srv/lb/state.txt /srv/lb/state_check.txt"},
		{"state_dump_file /srv/lb/", "/srv/lb/keepalived.data /srv/lb/keepalived_check.data"},
		{"state_dump_file lb.data", "/tmp/lb.data /tmp/lb_check.data"},
	} {
		cfg := configOf(t, fileOf(t, "global_defs {\n"+c.words+"\n}\n"))
		w := dumper{names: (&keepalivedRun{}).names(cfg), dir: "/tmp"}
		if got := w.of("") + " " + w.of("_check"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.words, got, c.want)
		}
	}
}
