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

const plainInstance = "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t10.0.0.3\n\t}\n"

// TestPrivileges: a director that starts as root keeps what its file needs and nothing else, on every thread; with just that it starts as well, as
// any user, and without one of those that must be it is refused, with the word of the file.
func TestPrivileges(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "setpriv")
	bin := shipped(t)
	for _, c := range []struct {
		name, file string
		needs      string            // of setpriv's names
		without    map[string]string // capability to what is said
		bare       bool              // no_new_privs
	}{
		{"an instance", plainInstance + "}\n", "net_admin net_raw sys_nice", map[string]string{
			"net_admin": "3.conf:1:1: error: vrrp_instance VI_1 needs CAP_NET_ADMIN, which this process does not have",
			"net_raw":   "3.conf:1:1: error: vrrp_instance VI_1 needs CAP_NET_RAW, which this process does not have",
		}, true},
		{"a loop as any other", "global_defs {\n\tmax_auto_priority -1\n}\n" + plainInstance + "}\n", "net_admin net_raw", nil, true},
		{"no swap", "global_defs {\n\tmax_auto_priority -1\n\tvrrp_no_swap\n}\n" + plainInstance + "}\n", "net_admin net_raw ipc_lock", nil, true},
		{"a script of its own user", "global_defs {\n\tscript_user root\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n", "net_admin net_raw kill sys_nice", nil, false},
		{"a script of another user", "global_defs {\n\tscript_user nobody\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n", "net_admin net_raw setuid setgid kill sys_nice",
			map[string]string{"setuid": "3.conf:10:2: error: notify_master of vrrp_instance VI_1 as user nobody needs CAP_SETUID, which this process does not have"}, false},
		{"a route", "static_routes {\n\t10.9.0.0/24 via 10.0.0.9 dev eth0\n}\n", "net_admin sys_nice", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := oneHost(t)
			file := filepath.Join(h.Dir(), "3.conf")
			if err := os.WriteFile(file, []byte(c.file), 0o644); err != nil {
				t.Fatal(err)
			}
			needs := strings.Fields(c.needs)
			p := h.Start(bin, "run", file)
			p.WaitLog("enforcing", 15*time.Second)
			heldByAll(t, p.Pid(), needs, c.bare)
			p.Stop()
			p = h.Start("setpriv", "--bounding-set", "-all,+"+strings.Join(needs, ",+"), bin, "run", file)
			p.WaitLog("enforcing", 15*time.Second)
			heldByAll(t, p.Pid(), needs, c.bare)
			if strings.Contains(p.Log(), "goes without") {
				t.Error(p.Log())
			}
			p.Stop()
			for capability, says := range c.without {
				out, err := h.Try("timeout", "20", "setpriv", "--bounding-set", "-"+capability, bin, "run", file)
				if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(out, says) {
					t.Errorf("without %s: %v\n%s\nwant exit status 3 and\n%s", capability, err, out, says)
				}
			}
		})
	}
}

// heldByAll expects every thread of a process to have these capabilities and no others, and its children to get none.
func heldByAll(t *testing.T, pid int, names []string, bare bool) {
	t.Helper()
	bits := map[string]uint{"net_admin": unix.CAP_NET_ADMIN, "net_raw": unix.CAP_NET_RAW, "sys_nice": unix.CAP_SYS_NICE, "ipc_lock": unix.CAP_IPC_LOCK,
		"kill": unix.CAP_KILL, "setuid": unix.CAP_SETUID, "setgid": unix.CAP_SETGID}
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

// TestPrivilegesOfAnybody: a director need not be root. One that has just the capabilities of its file holds the address, and its scripts get none.
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
	if !strings.Contains(p.Log(), "goes without CAP_SYS_NICE") {
		t.Errorf("it does not say that it lacks CAP_SYS_NICE:\n%s", p.Log())
	}
}

// TestPrivilegesOfAReload: what was given up does not come back. A reload that needs it is refused, and the old file stays in force; with
// --keep-privileges it is not.
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
		write("global_defs {\n\tscript_user nobody\n}\n" + plainInstance + "\tnotify_master /bin/true\n}\n")
		p.Signal(unix.SIGHUP)
		if keep {
			p.WaitLog("done in", 15*time.Second)
			continue
		}
		p.WaitLog("still enforcing", 15*time.Second)
		for _, says := range []string{
			"keeps CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_NICE and no other capability, and no_new_privs",
			"as user nobody needs CAP_SETUID, which this keepc gave up at its start: start it anew, or with --keep-privileges",
			"may run any program, and this keepc gave up at its start that one gains rights (no_new_privs)",
		} {
			if !strings.Contains(p.Log(), says) {
				t.Errorf("want %q in\n%s", says, p.Log())
			}
		}
	}
}
