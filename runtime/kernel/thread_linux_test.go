package kernel

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onThread runs f on a new thread, which ends with f.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the runtime ends the thread
		f()
	}()
	<-done
}

// TestSchedule sets a thread's schedule, and looks at what it starts: ordinary processes.
func TestSchedule(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_SYS_NICE")
	}
	for _, c := range []struct {
		name     string
		schedule Schedule
		policy   uint32
		cpus     int
	}{
		{"real-time", Schedule{Realtime: 20, Nice: -5}, unix.SCHED_RR, runtime.NumCPU()},
		{"nice", Schedule{Nice: -5}, unix.SCHED_NORMAL, runtime.NumCPU()},
		{"one CPU", Schedule{CPUs: []int{0}}, unix.SCHED_NORMAL, 1},
		{"ordinary", Schedule{}, unix.SCHED_NORMAL, runtime.NumCPU()},
	} {
		onThread(func() {
			if err := SetSchedule(ThreadID(), c.schedule); err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			got, err := unix.SchedGetAttr(0, 0)
			var cpus unix.CPUSet
			err = errors.Join(err, unix.SchedGetaffinity(0, &cpus))
			nice := int32(c.schedule.Nice)
			if c.schedule.Realtime > 0 {
				nice = 0
			}
			if err != nil || got.Policy != c.policy || got.Priority != uint32(c.schedule.Realtime) || got.Nice != nice || cpus.Count() != c.cpus {
				t.Errorf("%s: %+v on %d CPUs, %v", c.name, got, cpus.Count(), err)
			}
			// Fork and exec on this very thread.
			out, err := exec.Command("sh", "-c", "cut -d' ' -f 19,40,41 /proc/self/stat").Output()
			if child := strings.TrimSpace(string(out)); err != nil || child != "0 0 0" {
				t.Errorf("%s: a child has nice value, real-time priority and policy %q, %v", c.name, child, err)
			}
			if err := SetSchedule(ThreadID(), Schedule{}); err != nil { // and back
				t.Errorf("%s: %v", c.name, err)
			}
			if got, err := unix.SchedGetAttr(0, 0); err != nil || got.Policy != unix.SCHED_NORMAL || got.Nice != 0 {
				t.Errorf("%s: and back: %+v, %v", c.name, got, err)
			}
		})
	}
}

// TestLockMemory locks memory in a process of its own, because otherwise the rest of this one would stay locked; its
// child is not locked.
func TestLockMemory(t *testing.T) {
	if os.Getenv("KEEPC_LOCK_MEMORY") != "" {
		if err := LockMemory(true); err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		child, err := exec.Command("grep", "VmLck", "/proc/self/status").Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := LockMemory(false); err != nil {
			t.Fatal(err)
		}
		t.Logf("own: %s; child: %s", regexp.MustCompile(`VmLck:.*`).Find(own), child)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_IPC_LOCK")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestLockMemory$", "-test.v")
	cmd.Env = append(os.Environ(), "KEEPC_LOCK_MEMORY=1")
	out, err := cmd.CombinedOutput()
	locked := regexp.MustCompile(`own: VmLck:\s+(\d+) kB; child: VmLck:\s+(\d+) kB`).FindSubmatch(out)
	if err != nil || locked == nil || string(locked[1]) == "0" || string(locked[2]) != "0" {
		t.Errorf("%v, %s", err, out)
	}
}

func TestOnlineCPUs(t *testing.T) {
	if n, err := OnlineCPUs(); err != nil || n < runtime.NumCPU() {
		t.Errorf("%d, %v; this process may use %d", n, err, runtime.NumCPU())
	}
}
