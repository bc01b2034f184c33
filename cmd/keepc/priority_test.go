package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestPriorities checks the threads of a director whose file has keepalived's keywords for priorities, and a script
// that it runs, which is an ordinary process.
func TestPriorities(t *testing.T) {
	n := lab.New(t)
	lan := n.Segment("lan")
	whole := cpusOf("/proc/thread-self")
	one := strings.FieldsFunc(whole, func(r rune) bool { return r == '-' || r == ',' })[0]
	cpu := one
	if runtime.NumCPU() == 1 {
		cpu = "*"
	}
	for i, c := range []struct {
		name, words string
		threads     string // nice value, real-time priority, policy and CPUs ("*": all) of each thread that is not ordinary
		locked      bool
		logs        string
	}{
		{name: "none", threads: "-5 0 0 *, 0 1 2 *"},
		{name: "vrrp_priority", words: "vrrp_priority -5", threads: "-5 0 0 *, -5 0 0 *"},
		{name: "vrrp_rt_priority", words: "vrrp_rt_priority 20\nvrrp_rlimit_rttime 50000", threads: "-20 0 0 *, 0 20 2 *"},
		{name: "both loops", words: "vrrp_rt_priority 20\nchecker_priority 7\nchecker_cpu_affinity " + one, threads: "-20 0 0 *, 0 20 2 *, 7 0 0 " + cpu},
		{name: "vrrp_cpu_affinity", words: "vrrp_cpu_affinity " + one + "\nchecker_rt_priority 3", threads: "-20 0 0 *, -5 0 0 " + cpu + ", 0 1 2 " + cpu},
		{name: "vrrp_no_swap", words: "vrrp_no_swap\nmax_auto_priority -1", threads: "", locked: true},
		{name: "a CPU that there is not", words: "vrrp_cpu_affinity 0 4000", threads: "-5 0 0 *, 0 1 2 *", logs: "there is no CPU 4000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := n.Host(fmt.Sprintf("lb%d", i), lab.On(lan, "eth0", fmt.Sprintf("10.0.0.%d/24", i+1)))
			result, script := filepath.Join(h.Dir(), "result"), filepath.Join(h.Dir(), "script")
			text := fmt.Sprintf("#!/bin/sh\n{ cut -d' ' -f 19,40,41 /proc/self/stat; grep VmLck /proc/self/status; } >%s~ && mv %s~ %s\n", result, result, result)
			if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(h.Dir(), "test.conf")
			text = fmt.Sprintf("global_defs {\n%s\n}\nvrrp_script s {\n\tscript %s\n\tinterval 1\n\tuser root\n}\nvrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id %d\n\tvirtual_ipaddress {\n\t\t10.0.1.%d/24\n\t}\n\ttrack_script {\n\t\ts\n\t}\n}\n",
				c.words, script, i+1, i+1)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			args := keepcArgs(t, "run", file)
			p := h.Start(args[0], args[1:]...)
			defer p.Stop()
			var child []byte
			lab.Eventually(t, 10*time.Second, "the script runs", func() (ok bool) {
				var err error
				child, err = os.ReadFile(result)
				return err == nil
			})
			if fields := strings.Fields(string(child)); strings.Join(fields, " ") != "0 0 0 VmLck: 0 kB" {
				t.Errorf("the script has nice value, real-time priority, policy and locked memory %q", fields)
			}
			var threads string
			defer func() { t.Logf("the threads: %s", threads) }()
			lab.Eventually(t, 5*time.Second, "the threads are "+c.threads, func() bool {
				threads = special(t, p.Pid(), whole)
				return threads == c.threads
			})
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
			if err != nil {
				t.Fatal(err)
			}
			if locked := !strings.Contains(string(status), "VmLck:\t       0 kB"); locked != c.locked {
				t.Errorf("memory is locked: %v\n%s", locked, status)
			}
			if log := p.Log(); !strings.Contains(log, c.logs) {
				t.Errorf("the log has no %q:\n%s", c.logs, log)
			}
		})
	}
	for i, c := range []struct{ lacks, words string }{
		{"sys_nice", ""},
		{"ipc_lock", "global_defs {\n\tmax_auto_priority -1\n\tvrrp_no_swap\n}\n"},
	} {
		capability := "CAP_" + strings.ToUpper(c.lacks)
		t.Run("without "+capability, func(t *testing.T) {
			h := n.Host("plain"+fmt.Sprint(i), lab.On(lan, "eth0", fmt.Sprintf("10.0.0.%d/24", 98+i)))
			file := filepath.Join(h.Dir(), "test.conf")
			if err := os.WriteFile(file, []byte(c.words+cleanConf), 0o644); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"setpriv", "--bounding-set", "-" + c.lacks, "--inh-caps", "-" + c.lacks}, keepcArgs(t, "run", file)...)
			p := h.Start(args[0], args[1:]...)
			p.WaitLog("this needs "+capability+"; advertisements may be late while this machine is busy", 10*time.Second)
			p.WaitLog("VI_1 MASTER", 10*time.Second)
			p.Stop()
			if n := strings.Count(p.Log(), capability); n != 1 {
				t.Errorf("it is said %d times:\n%s", n, p.Log())
			}
		})
	}
}

// special lists the properties of a process's threads, except ordinary ones: nice value, real-time priority, policy,
// CPUs ("*": the whole list).
func special(t *testing.T, pid int, whole string) string {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("the director has no threads, %v", err)
	}
	var all []string
	for _, task := range tasks {
		stat, err := os.ReadFile(filepath.Join(task, "stat"))
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):])) // from field 2
		cpus := cpusOf(task)
		if cpus == whole {
			cpus = "*"
		}
		if is := strings.Join([]string{f[17], f[38], f[39], cpus}, " "); is != "0 0 0 *" {
			all = append(all, is)
		}
	}
	slices.Sort(all) // which loop has the older thread, or the first of all, is a matter of chance
	return strings.Join(all, ", ")
}

// cpusOf returns the list of CPUs that may run a thread.
func cpusOf(task string) string {
	status, _ := os.ReadFile(filepath.Join(task, "status"))
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
	list, _, _ = strings.Cut(list, "\n")
	return list
}
