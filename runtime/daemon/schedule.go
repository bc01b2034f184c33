package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strconv"
	"syscall"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// Unless the file asks for something else, the thread that sends prepared advertisements has the lowest real-time
// priority, above all ordinary threads: one that waits for a busy machine causes a failover. It runs no Go code. The
// loops do, and come before ordinary threads without being real-time: one that is waits in the Go runtime, without
// sleeping, for a thread of the collector that it keeps from running (125 ms were seen).
const (
	ownPriority = 1
	ownNice     = -5
)

// A schedule is what a configuration says about how the kernel runs keepc. What it says about keepalived's VRRP
// process is for the thread of the VRRP loop, about the checker process for that of the virtual server loop, about the
// BFD process for that of the session loop. Workers are ordinary threads.
type schedule struct {
	router, balance, sessions kernel.Schedule
	sender                    kernel.Schedule // of prepared advertisements
	locked                    bool            // memory is locked
	limit                     time.Duration   // of a real-time thread without a pause; 0: none
	late                      time.Duration   // lateness of a deadline that raises the priority; 0: never
	most                      int             // the highest real-time priority that lateness leads to
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
		return kernel.Schedule{Nice: p.Priority, Realtime: p.RTPriority, CPUs: cpus}
	}
	s := schedule{
		router:   of(g.VRRPProcess, affinity("vrrp_cpu_affinity", g.VRRPProcess.CPUAffinity)),
		balance:  of(g.CheckerProcess, affinity("checker_cpu_affinity", g.CheckerProcess.CPUAffinity)),
		sessions: of(g.BFDProcess, affinity("bfd_cpu_affinity", g.BFDProcess.CPUAffinity)),
		locked:   g.VRRPProcess.NoSwap || g.CheckerProcess.NoSwap || g.BFDProcess.NoSwap,
	}
	for _, p := range []ir.Process{g.VRRPProcess, g.CheckerProcess, g.BFDProcess} {
		// keepalived sets the soft limit to half of what the file says, and dies at all of it.
		if limit := p.RLimitRTTime / 2; p.RTPriority > 0 && limit > 0 && (s.limit == 0 || limit < s.limit) {
			s.limit = limit
		}
	}
	if g.MaxAutoPriority > 0 {
		s.late, s.most = g.MinAutoPriorityDelay, g.MaxAutoPriority
	}
	s.sender = s.router
	own := func(p kernel.Schedule) bool { return p.Realtime == 0 && p.Nice == 0 && g.MaxAutoPriority >= 0 }
	if own(s.router) {
		s.router.Nice = ownNice
		s.sender = kernel.Schedule{Nice: ownNice, Realtime: ownPriority, CPUs: s.router.CPUs}
	}
	if own(s.sessions) {
		s.sessions.Nice = ownNice
	}
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
	overrun  chan os.Signal  // a real-time thread ran for too long
	name     string          // of the process and its threads, if the configuration gives none
	named    threadNames
}

func newScheduler(log *slog.Logger) *scheduler {
	return &scheduler{log: log, said: map[string]bool{}, overrun: make(chan os.Signal, 1), name: kernel.ProcessName()}
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
	s.now, s.boost = newSchedule(&cfg.Global, cpus, func(keyword, text string) {
		s.log.Error(fmt.Sprintf("%s: %s", cfg.Global.At(keyword), text), "subject", "priority")
	}), 0
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

func ordinary(s kernel.Schedule) bool { return s.Nice == 0 && s.Realtime == 0 && len(s.CPUs) == 0 }

// apply asks the kernel for the current schedule, if that changed.
func (s *scheduler) apply() {
	next := s.now
	next.router.Realtime, next.sender.Realtime = max(next.router.Realtime, s.boost), max(next.sender.Realtime, s.boost)
	if reflect.DeepEqual(next, s.applied) {
		return
	}
	s.applied = next
	if s.now.limit > 0 {
		signal.Notify(s.overrun, syscall.SIGXCPU)
	}
	s.say(kernel.LimitRealtime(s.now.limit))
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

// raise gives the VRRP loop a higher priority, because it was late.
func (s *scheduler) raise() {
	if s.boost = max(s.boost, s.now.router.Realtime); s.boost >= s.now.most {
		return
	}
	s.boost++
	s.log.Warn(fmt.Sprintf("the VRRP loop was late by more than %v; its real-time priority is %d now (max_auto_priority %d)", s.now.late, s.boost, s.now.most), "subject", "priority")
	s.apply()
}

// dropRealtime takes the real-time priority away after a thread ran for too long: where keepalived would be killed, everything
// continues. A reload restores it.
func (s *scheduler) dropRealtime() {
	s.log.Error(fmt.Sprintf("a thread of real-time priority ran for %v without a pause; keepc goes on without real-time priority until the next reload", s.now.limit), "subject", "priority")
	s.now.router.Realtime, s.now.balance.Realtime, s.now.sessions.Realtime, s.now.most, s.boost = 0, 0, 0, 0, 0
	s.now.sender.Realtime = 0
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

func (s *scheduler) close() { signal.Stop(s.overrun) }
