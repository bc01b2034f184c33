package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

const plainInstance = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t10.0.0.3\n\t}\n"

const plainServer = "virtual_server 10.0.0.9 80 {\n\tlb_algo rr\n\tlb_kind NAT\n\tprotocol TCP\n\treal_server 10.0.0.8 80 {\n\t\tTCP_CHECK {\n\t\t\tbind_if eth0\n\t\t}\n\t}\n}\n"

// TestPrivileges checks that a director that starts as root keeps what its file needs and nothing else, on every
// thread; that with just that it starts as any user, too; and that without a mandatory capability it is refused, with
// the keyword of the file.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "setpriv")
	bin := shipped(t)
	for _, c := range []struct {
		name, file string
		needs      string                // in setpriv's names
		without    map[string]string     // by capability: what is reported
		bare       bool                  // no_new_privs
		works      func(dir string) bool // DIR in the file is a directory where user nobody has one that the modes keep root from entering, home, and one that is readable for all, open
	}{
		{"an instance", plainInstance + "}\n", "net_admin net_raw sys_nice", map[string]string{
			"net_admin": "3.conf:1:1: error: vrrp_instance VI_1 needs CAP_NET_ADMIN, which this process does not have",
			"net_raw":   "3.conf:1:1: error: vrrp_instance VI_1 needs CAP_NET_RAW, which this process does not have",
		}, true, nil},
		{"a loop as any other", "global_defs {\n\tmax_auto_priority -1\n}\n" + plainInstance + "}\n", "net_admin net_raw", nil, true, nil},
		{"no swap", "global_defs {\n\tmax_auto_priority -1\n\tvrrp_no_swap\n}\n" + plainInstance + "}\n", "net_admin net_raw ipc_lock", nil, true, nil},
		{"a script of its own user", "global_defs {\n\tscript_user root\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n", "net_admin net_raw kill sys_nice", nil, false, nil},
		{"a script of another user", "global_defs {\n\tscript_user nobody\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n", "net_admin net_raw setuid setgid kill sys_nice",
			map[string]string{"setuid": "3.conf:10:2: error: notify_master of vrrp_instance VI_1 as user nobody needs CAP_SETUID, which this process does not have"}, false, nil},
		{"a route", "static_routes {\n\t10.9.0.0/24 via 10.0.0.9 dev eth0\n}\n", "net_admin sys_nice", nil, true, nil},
		{"a virtual server", plainServer, "net_admin sys_nice", nil, true, nil},
		{"a script in the home of its user", plainInstance + "\tnotify_master DIR/home/script nobody\n}\n",
			"net_admin net_raw setuid setgid kill sys_nice dac_read_search", nil, false, there("home/done")},
		{"a script of root in such a home", plainInstance + "\tnotify_master DIR/home/script root\n}\n",
			"net_admin net_raw kill sys_nice dac_read_search dac_override", nil, false, there("home/done")},
		{"a named pipe in a directory of another user", "global_defs {\n\tnotify_fifo DIR/open/pipe\n}\n" + plainInstance + "}\n",
			"net_admin net_raw sys_nice dac_override", nil, true, there("open/pipe")},
		{"a named pipe of another user", "global_defs {\n\tnotify_fifo DIR/fifo\n}\n" + plainInstance + "}\n",
			"net_admin net_raw sys_nice dac_override", nil, true, there("fifo")},
		{"a named pipe of root", "global_defs {\n\tnotify_fifo DIR/pipe\n}\n" + plainInstance + "}\n", "net_admin net_raw sys_nice", nil, true, there("pipe")},
		{"a file of another user", "track_file load {\n\tfile DIR/open/load\n\tinit_file 7 overwrite\n}\n" + plainInstance + "\ttrack_file {\n\t\tload\n\t}\n}\n",
			"net_admin net_raw sys_nice dac_override dac_read_search chown", nil, true, func(dir string) bool {
				text, _ := os.ReadFile(filepath.Join(dir, "open", "load"))
				return string(text) == "7\n"
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := oneHost(t)
			file := filepath.Join(h.Dir(), "3.conf")
			needs := strings.Fields(c.needs)
			for _, before := range [][]string{nil, {"setpriv", "--bounding-set", "-all,+" + strings.Join(needs, ",+")}} {
				dir := ofNobody(t)
				if err := os.WriteFile(file, []byte(strings.ReplaceAll(c.file, "DIR", dir)), 0o644); err != nil {
					t.Fatal(err)
				}
				line := append(slices.Clone(before), bin, "run", file)
				p := h.Start(line[0], line[1:]...)
				p.WaitLog("enforcing", 15*time.Second)
				heldByAll(t, p.Pid(), needs, c.bare)
				if c.works != nil {
					lab.Eventually(t, 15*time.Second, "it works", func() bool { return c.works(dir) })
				}
				for _, says := range []string{"goes without", "permission denied", "neighbours", "not permitted"} {
					if strings.Contains(p.Log(), says) && (c.works != nil || says != "not permitted") {
						t.Error(p.Log())
					}
				}
				p.Stop()
			}
			for capability, says := range c.without {
				out, err := h.Try("timeout", "20", "setpriv", "--bounding-set", "-"+capability, bin, "run", file)
				if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out, says) {
					t.Errorf("without %s: %v\n%s\nwant exit status 3 and\n%s", capability, err, out, says)
				}
			}
		})
	}
}

func there(name string) func(dir string) bool {
	return func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
}

// ofNobody returns a directory of root that everybody may enter. User nobody has a script in home, which is only for
// that user, a file in open, which is readable for all, and a named pipe.
func ofNobody(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "keepc-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	at := func(name string) string { return filepath.Join(dir, name) }
	const nobody = 65534
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(at("home"), 0o700), os.Mkdir(at("open"), 0o755), unix.Mkfifo(at("fifo"), 0o600),
		os.WriteFile(at("home/script"), []byte("#!/bin/sh\ntouch "+at("home/done")+"\n"), 0o755), os.WriteFile(at("open/load"), []byte("3\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"home", "home/script", "open", "open/load", "fifo"} {
		if err := os.Chown(at(name), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// heldByAll checks that every thread of a process has these capabilities and no others, and that its children have
// none.
func heldByAll(t *testing.T, pid int, names []string, bare bool) {
	t.Helper()
	bits := map[string]uint{"net_admin": unix.CAP_NET_ADMIN, "net_raw": unix.CAP_NET_RAW, "sys_nice": unix.CAP_SYS_NICE, "ipc_lock": unix.CAP_IPC_LOCK,
		"kill": unix.CAP_KILL, "setuid": unix.CAP_SETUID, "setgid": unix.CAP_SETGID, "chown": unix.CAP_CHOWN,
		"dac_override": unix.CAP_DAC_OVERRIDE, "dac_read_search": unix.CAP_DAC_READ_SEARCH}
	var want uint64
	for _, name := range names {
		want |= 1 << bits[name]
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) < 3 {
		t.Fatal(threads, err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		is := map[string]string{}
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			is[name] = strings.TrimSpace(value)
		}
		for name, want := range map[string]uint64{"CapPrm": want, "CapEff": want, "CapInh": 0, "CapAmb": 0} {
			if got, err := strconv.ParseUint(is[name], 16, 64); err != nil || got != want {
				t.Errorf("%s of thread %s is %x, want %x", name, is["Name"], got, want)
			}
		}
		if got := is["NoNewPrivs"] == "1"; got != bare {
			t.Errorf("no_new_privs of thread %s is %v, want %v", is["Name"], got, bare)
		}
	}
}

// TestPrivilegesOfAnybody checks that a director need not be root. One that has just the capabilities of its file
// holds the address, and its scripts have none.
func TestPrivilegesOfAnybody(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "setpriv")
	h := oneHost(t)
	dir := t.TempDir()
	file, told := filepath.Join(dir, "3.conf"), filepath.Join(dir, "told")
	for path := dir; path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o777|os.ModeSticky); err != nil && path == dir {
			t.Fatal(err)
		}
		if path == filepath.Dir(dir) {
			break
		}
	}
	script := filepath.Join(dir, "notify")
	for name, text := range map[string]string{file: plainInstance + "\tnotify_master " + script + "\n}\n", script: "#!/bin/sh\ngrep -h '^Cap\\|^NoNew' /proc/self/status >" + told + ".new\nmv " + told + ".new " + told + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p := h.Start("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all,+net_admin,+net_raw", "--ambient-caps", "-all,+net_admin,+net_raw", shipped(t), "run", file)
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	heldByAll(t, p.Pid(), []string{"net_admin", "net_raw"}, false)
	lab.Eventually(t, 10*time.Second, "the script has told", func() bool { _, err := os.Stat(told); return err == nil })
	text, _ := os.ReadFile(told)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); slices.Contains([]string{"CapPrm:", "CapEff:", "CapAmb:", "CapInh:"}, f[0]) && strings.Trim(f[1], "0") != "" {
			t.Errorf("the script has %s", line)
		}
	}
	if !strings.Contains(p.Log(), "needs CAP_SYS_NICE; advertisements may be late") {
		t.Errorf("it does not say that it lacks CAP_SYS_NICE:\n%s", p.Log())
	}
}

// TestPrivilegesOfAReload checks that what was given up does not come back. A reload that needs it is refused, and the old file stays in force; with
// --keep-privileges it is not. A script that does not run needs nothing, with or without it.
func TestPrivilegesOfAReload(t *testing.T) {
	t.Parallel()
	bin := shipped(t)
	for _, keep := range []bool{false, true} {
		h := oneHost(t)
		file := filepath.Join(h.Dir(), "3.conf")
		write := func(text string) {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write(plainInstance + "}\n")
		line := []string{"run", file}
		if keep {
			line = append(line, "--keep-privileges")
		}
		p := h.Start(bin, line...)
		p.WaitLog("enforcing", 15*time.Second)
		says := func(all ...string) {
			for _, says := range all {
				if !strings.Contains(p.Log(), says) {
					t.Errorf("want %q in\n%s", says, p.Log())
				}
			}
		}
		reload := func(text string) (log string) {
			before := len(p.Log())
			write(text)
			p.Signal(unix.SIGHUP)
			lab.Eventually(t, 15*time.Second, "it has reloaded", func() bool {
				log = p.Log()[before:]
				return strings.Contains(log, "done in") || strings.Contains(log, "still enforcing")
			})
			if keep && strings.Contains(log, "refused") {
				t.Error(log)
			}
			return log
		}
		if reload("global_defs {\n\tscript_user nobody\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n"); !keep {
			says("keeps CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE and no other capability, and no_new_privs",
				"as user nobody needs CAP_SETUID, which this keepc gave up at its start: restart it, or run it with --keep-privileges",
				"may run any program, and this keepc gave up at its start the right of programs to gain privileges (no_new_privs)")
		}
		closed := filepath.Join(h.Dir(), "closed")
		if err := os.Mkdir(closed, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(closed, "s.sh"), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if log := reload("global_defs {\n\tscript_user nobody\n}\n" + plainInstance + "\tnotify_master " + closed + "/s.sh\n}\n"); !strings.Contains(log, "done in") {
			t.Errorf("a script that its user cannot reach needs nothing, because it does not run:\n%s", log)
		}
		says("s.sh cannot be run: permission denied")
		if kernel.LoadIPVS() != nil {
			if reload(plainInstance + "}\n" + plainServer); !keep {
				says("refused: 3.conf:8:1: error: virtual_server needs ip_vs, which the kernel does not have, and this keepc gave up at its start the right to load it")
			}
		}
		for range 2 { // each time, as at the start
			text := "global_defs {\n\tvrrp_no_swap\n}\n" + plainInstance + "}\n"
			if log := reload(text); !keep && !strings.Contains(log, "3.conf:2:2: vrrp_no_swap goes without CAP_IPC_LOCK, which this keepc gave up at its start: restart it") {
				t.Error(log)
			}
		}
	}
}
