package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// startDirector starts one of the programs on a host; keepalived does VRRP alone.
func startDirector(t *testing.T, h *lab.Host, p program, file string) *lab.Process {
	t.Helper()
	if p == keepc {
		args := keepcArgs(t, "run", file)
		return h.Start(args[0], args[1:]...)
	}
	return h.Start("keepalived", lab.KeepalivedFlags(h.Dir(), file, "-P")...)
}

// both plays a test with each program.
func both(t *testing.T, play func(*testing.T, program)) {
	lab.NeedPrograms(t, "keepalived")
	for _, p := range []program{keepc, keepalived} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			play(t, p)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestUmask compares with keepalived which modes the files have that a director and its scripts create: named pipes,
// init_file, and what scripts see, also after a reload. A file without umask means 0177 at the start; after a reload
// it means that only for keepc, while keepalived 2.2.7 keeps the umask that an earlier file asked for.
func TestUmask(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p program) {
		n := lab.New(t)
		h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
		at := func(name string) string { return filepath.Join(h.Dir(), name) }
		must(t, os.WriteFile(at("see"), []byte("#!/bin/sh\numask >$1.new && mv $1.new $1\n"), 0o755))
		conf := func(mask string) {
			text := fmt.Sprintf(`global_defs {
	%s
	script_user root
	vrrp_notify_fifo %s
}
track_file load {
	file %s
	init_file 0 overwrite
}
vrrp_script see {
	script "%[4]s %s"
	interval 1
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	advert_int 0.1
	version 3
	track_file {
		load weight 1
	}
	track_script {
		see
	}
	notify_master "%[4]s %[6]s"
	virtual_ipaddress {
		192.0.2.10/24
	}
}
`, mask, at("fifo"), at("load"), at("see"), at("tracked"), at("told"))
			must(t, os.WriteFile(at("lb01.conf"), []byte(text), 0o644))
		}
		conf("umask 027")
		director := startDirector(t, h, p, at("lb01.conf"))
		sees := func(file, mask string) {
			t.Helper()
			lab.Eventually(t, 10*time.Second, fmt.Sprintf("%s with umask %s", file, mask), func() bool {
				text, _ := os.ReadFile(at(file))
				return strings.TrimSpace(string(text)) == mask
			})
		}
		mode := func(file string, want os.FileMode) {
			t.Helper()
			if info, err := os.Stat(at(file)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v; want %v", file, info.Mode(), err, want)
			}
		}
		sees("tracked", "0027")
		sees("told", "0027")
		mode("fifo", 0o640)
		mode("load", 0o640)
		mode("tracked", 0o640)
		for _, reload := range []struct{ file, keepc, keepalived string }{{"umask IRGRP|IROTH", "0044", "0044"}, {"", "0177", "0044"}} {
			conf(reload.file)
			director.Signal(unix.SIGHUP)
			sees("tracked", map[program]string{keepc: reload.keepc, keepalived: reload.keepalived}[p])
		}
	})
}

// TestBecameInsecure checks what happens to a tracked script that users other than root may change since it was
// started with enable_script_security: it continues until a reload, which drops it with the weight that it had, and
// reports that once, as keepalived does.
func TestBecameInsecure(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, p program) {
		n := lab.New(t)
		h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
		dir, err := os.MkdirTemp("/var/lib", "keepc-test-") // only root may change what is there
		must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		script, ran := filepath.Join(dir, "see"), filepath.Join(dir, "ran")
		must(t, os.WriteFile(script, []byte("#!/bin/sh\n: >"+ran+"\nexit 1\n"), 0o755))
		file := filepath.Join(h.Dir(), "lb01.conf")
		must(t, os.WriteFile(file, []byte(`global_defs {
	script_user root
	enable_script_security
}
vrrp_script see {
	script "`+script+`"
	interval 1
	weight -50
	fall 1
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	priority 100
	advert_int 0.1
	version 3
	track_script {
		see
	}
	virtual_ipaddress {
		192.0.2.10/24
	}
}
`), 0o644))
		wire := h.Capture("eth0")
		director := startDirector(t, h, p, file)
		advertises := func(priority uint8) {
			t.Helper()
			lab.Eventually(t, 15*time.Second, fmt.Sprintf("an advertisement of priority %d", priority), func() bool {
				all := advertsIn(wire, time.Time{})
				return len(all) > 0 && all[len(all)-1].priority == priority
			})
		}
		runs := func() {
			t.Helper()
			_ = os.Remove(ran)
			lab.Eventually(t, 10*time.Second, "the script runs", func() bool {
				_, err := os.Stat(ran)
				return err == nil
			})
		}
		advertises(50)
		must(t, os.Chmod(script, 0o777))
		runs()
		runs()
		before := len(director.Log())
		director.Signal(unix.SIGHUP)
		advertises(100)
		time.Sleep(200 * time.Millisecond) // one that was running
		_ = os.Remove(ran)
		time.Sleep(1500 * time.Millisecond)
		if _, err := os.Stat(ran); err == nil {
			t.Error("the script runs after the reload")
		}
		says := map[program]string{keepc: "not run", keepalived: "Unsafe permissions found for script"}[p]
		if got := strings.Count(director.Log()[before:], says); got != 1 {
			t.Errorf("it is said %d times:\n%s", got, director.Log()[before:])
		}
	})
}
