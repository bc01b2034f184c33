package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ThreadID returns the kernel's number of the calling thread.
func ThreadID() int { return unix.Gettid() }

// NameThread sets the name of a thread of this process in ps and top, truncated to 15 bytes. That of the first thread
// is the name of the process.
func NameThread(thread int, name string) error {
	return os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", thread), []byte(name), 0)
}

// ProcessName returns the name of this process in ps and top.
func ProcessName() string {
	name, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}

// Uptime returns how long this machine has been up; 0: unknown.
func Uptime() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}

// SetSchedule sets how the kernel schedules a thread of this process. Threads and processes that it starts are
// scheduled as usual. Errors: ErrPermission.
func SetSchedule(thread int, s Schedule) error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Nice: int32(s.Nice)}
	if s.Realtime > 0 {
		attr.Policy, attr.Priority, attr.Nice = unix.SCHED_RR, uint32(s.Realtime), 0
	}
	if err := unix.SchedSetAttr(thread, &attr, 0); err != nil {
		return fmt.Errorf("set the priority of a thread: %w", permission(err, sysNice))
	}
	var set unix.CPUSet
	for _, cpu := range s.CPUs {
		set.Set(cpu)
	}
	if len(s.CPUs) == 0 { // those of the first thread, which are never changed
		if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
			return fmt.Errorf("read the CPUs of this process: %w", err)
		}
	}
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return fmt.Errorf("set the CPUs of a thread: %w", permission(err, sysNice))
	}
	return nil
}

// OnlineCPUs returns the number of online CPUs of this machine; they are numbered from 0.
func OnlineCPUs() (int, error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/online") // "0-3,6"
	if err != nil {
		return 0, fmt.Errorf("count the CPUs: %w", err)
	}
	list := strings.TrimSpace(string(text))
	last, err := strconv.Atoi(list[strings.LastIndexAny(list, ",-")+1:])
	if err != nil {
		return 0, fmt.Errorf("count the CPUs: %w", err)
	}
	return last + 1, nil
}

// LockMemory keeps the current and future memory of this process out of swap; false allows swapping again. Memory is
// locked on first use: what the Go runtime reserves does not count. Children do not inherit it. Errors: ErrPermission.
func LockMemory(lock bool) error {
	err := unix.Munlockall()
	if lock {
		err = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	}
	if errors.Is(err, unix.ENOMEM) {
		err = unix.EPERM // more than RLIMIT_MEMLOCK, which CAP_IPC_LOCK lifts
	}
	if err != nil {
		return fmt.Errorf("lock the memory: %w", permission(err, ipcLock))
	}
	return nil
}
