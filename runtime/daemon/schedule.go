package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// Unless the file asks for something else, the thread that sends prepared advertisements has the lowest real-time
// priority, above all ordinary threads: one that waits for a busy machine causes a failover. It runs no Go code. The
// loops do, and are never real-time: a real-time thread of Go waits in the runtime, without sleeping, for a thread of
// the collector that it keeps from running (125 ms were seen). They come before ordinary threads by their nice value, and
// where the file or lateness asks for a real-time priority, before all others.
const (
	ownPriority = 1
	ownNice     = -5
	firstNice   = -20
)

// A schedule is what a configuration says about how the kernel runs keepc. What it says about keepalived's VRRP
// process is for the thread of the VRRP loop, about the checker process for that of the virtual server loop, about the
// BFD process for that of the session loop. The real-time priority of the VRRP process is for the thread that sends
// advertisements. Workers are ordinary threads.
type schedule struct {
	router, balance, sessions kernel.Schedule
	sender                    kernel.Schedule // of prepared advertisements
	locked                    bool            // memory is locked
	late                      time.Duration   // lateness of a deadline that raises the priority; 0: never
	least, most               int             // the real-time priorities that lateness begins from and leads to
}

// newSchedule reads a configuration, on a machine with a number of CPUs. It reports what cannot be followed.
func newSchedule(g *ir.Global, cpus int, tell func(keyword, text string)) schedule {
	affinity := func(keyword string, ids []string) (all []int) {
		for _, text := range ids {
			id, err := strconv.Atoi(text)
			if err != nil || id < 0 || id >= cpus {
				tell(keyword, fmt.Sprintf("there is no CPU %s, the last one is %d; %s is ignored", text, cpus-1, keyword))
				return nil // keepalived drops the whole set
			}
			all = append(all, id)
		}
		return all
	}
	of := func(p ir.Process, cpus []int) kernel.Schedule {
		if p.RTPriority > 0 {
			return kernel.Schedule{Nice: firstNice, CPUs: cpus}
		}
		return kernel.Schedule{Nice: p.Priority, CPUs: cpus}
	}
	s := schedule{
		router:   of(g.VRRPProcess, affinity("vrrp_cpu_affinity", g.VRRPProcess.CPUAffinity)),
		balance:  of(g.CheckerProcess, affinity("checker_cpu_affinity", g.CheckerProcess.CPUAffinity)),
		sessions: of(g.BFDProcess, affinity("bfd_cpu_affinity", g.BFDProcess.CPUAffinity)),
		locked:   g.VRRPProcess.NoSwap || g.CheckerProcess.NoSwap || g.BFDProcess.NoSwap,
	}
	if g.MaxAutoPriority > g.VRRPProcess.RTPriority {
		s.late, s.least, s.most = g.MinAutoPriorityDelay, g.VRRPProcess.RTPriority, g.MaxAutoPriority
	}
	own := func(p ir.Process) bool { return p.RTPriority == 0 && p.Priority == 0 && g.MaxAutoPriority >= 0 }
	realtime := g.VRRPProcess.RTPriority
	if own(g.VRRPProcess) {
		s.router.Nice, realtime = ownNice, ownPriority
	}
	if own(g.BFDProcess) {
		s.sessions.Nice = ownNice
	}
	s.sender = s.router
	s.sender.Realtime = realtime
	return s
}

// A scheduler makes the threads of the loops run as the configuration says.
type scheduler struct {
	log      *slog.Logger
	now      schedule
	applied  schedule        // as the kernel has it, including what lateness has led to
	boost    int             // real-time priority that lateness has led to
	router   int             // thread; 0: none
	sender   int             // thread of the departures; 0: none
	balance  int             // thread; 0: the loop has no thread of its own
	sessions int             // thread
	locked   bool            // memory is locked
	said     map[string]bool // reported refusals of the kernel
	name     string          // of the process and its threads, if the configuration gives none
	named    threadNames
}

func newScheduler(log *slog.Logger) *scheduler {
	return &scheduler{log: log, said: map[string]bool{}, name: kernel.ProcessName()}
}

// schedule follows a configuration, at the start and after a reload. The loops pass their threads.
func (d *director) schedule(cfg *ir.Config) error {
	if !d.Thread {
		return nil
	}
	s := d.scheduler
	cpus, err := kernel.OnlineCPUs()
	if err != nil {
		s.say(err)
		cpus = 1 << 10
	}
	s.now = newSchedule(&cfg.Global, cpus, func(keyword, text string) {
		s.log.Error(fmt.Sprintf("%s: %s", cfg.Global.At(keyword), text), "subject", "priority")
	})
	s.boost = s.now.least
	if len(cfg.BFDs) == 0 {
		s.now.sessions = kernel.Schedule{} // an idle thread needs no priority
	}
	if s.router, err = ask(d.work, d.router.do, func() int { d.router.patience = s.now.late; return kernel.ThreadID() }); err != nil {
		return err
	}
	if s.sessions, err = ask(d.work, d.sessions.do, kernel.ThreadID); err != nil {
		return err
	}
	names := namesOf(&cfg.Global)
	if s.balance == 0 && (!ordinary(s.now.balance) || names.balance != "") {
		if _, err := ask(d.work, d.balance.do, func() bool { d.balance.moving = true; return true }); err != nil {
			return err
		}
		if s.balance, err = ask(d.work, d.balance.do, kernel.ThreadID); err != nil {
			return err
		}
	}
	s.apply()
	s.rename(names)
	return nil
}

func ordinary(s kernel.Schedule) bool { return s.Nice == 0 && len(s.CPUs) == 0 }

// apply asks the kernel for the current schedule, if that changed.
func (s *scheduler) apply() {
	next := s.now
	if s.boost > 0 {
		next.router.Nice, next.sender.Realtime = firstNice, max(next.sender.Realtime, s.boost)
	}
	if reflect.DeepEqual(next, s.applied) {
		return
	}
	s.applied = next
	s.say(kernel.SetSchedule(s.router, next.router))
	if s.sender != 0 {
		s.say(kernel.SetSchedule(s.sender, next.sender))
	}
	s.say(kernel.SetSchedule(s.sessions, s.now.sessions))
	if s.balance != 0 {
		s.say(kernel.SetSchedule(s.balance, s.now.balance))
	}
	if s.now.locked || s.locked {
		s.say(kernel.LockMemory(s.now.locked))
		s.locked = s.now.locked
	}
}

// raise makes the VRRP loop come first, because it was late, and gives its sender a higher priority.
func (s *scheduler) raise() {
	if s.boost >= s.now.most {
		return
	}
	s.boost++
	s.log.Warn(fmt.Sprintf("the VRRP loop was late by more than %v; it has nice value %d now, and the thread that sends advertisements real-time priority %d (max_auto_priority %d)",
		s.now.late, firstNice, max(s.boost, s.now.sender.Realtime), s.now.most), "subject", "priority")
	s.apply()
}

// say reports what the kernel refuses, once.
func (s *scheduler) say(err error) {
	if err == nil || errors.Is(err, errors.ErrUnsupported) || s.said[err.Error()] {
		return
	}
	s.said[err.Error()] = true
	s.log.Warn(fmt.Sprintf("%v; advertisements may be late while this machine is busy", err), "subject", "priority")
}
