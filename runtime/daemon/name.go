package daemon

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// threadNames are the names of the process and of the threads of its loops in ps and top; empty: unchanged.
type threadNames struct{ process, router, balance, sessions string }

// namesOf returns the names that a configuration gives: the process gets that of keepalived's parent, the loops those
// of its children.
func namesOf(g *ir.Global) threadNames {
	n := threadNames{process: g.ProcessName, router: g.VRRPProcess.Name, balance: g.CheckerProcess.Name, sessions: g.BFDProcess.Name}
	if g.ProcessNames {
		for name, of := range map[string]*string{"keepalived_vrrp": &n.router, "keepalived_lvs": &n.balance, "keepalived_bfd": &n.sessions} {
			if *of == "" {
				*of = name
			}
		}
	}
	return n
}

// onThread runs a loop on its own thread, which ends with the loop. The first thread is never used: its name, priority
// and CPUs are those of the process.
func (d *director) onThread(run func(context.Context)) {
	if !d.Thread {
		run(d.work)
		return
	}
	runtime.LockOSThread()
	if kernel.ThreadID() != os.Getpid() {
		run(d.work)
		return
	}
	defer runtime.UnlockOSThread()
	var loop sync.WaitGroup
	loop.Go(func() { d.onThread(run) })
	loop.Wait()
}

// rename names the process and the threads of the loops. 0 means no thread.
func (s *scheduler) rename(n threadNames) {
	for _, t := range []struct {
		thread int
		name   string
		is     *string
	}{
		{os.Getpid(), n.process, &s.named.process}, {s.router, n.router, &s.named.router},
		{s.balance, n.balance, &s.named.balance}, {s.sessions, n.sessions, &s.named.sessions},
	} {
		name := t.name
		if name == "" {
			name = s.name
		}
		if first := t.thread == os.Getpid() && t.is != &s.named.process; t.thread == 0 || first || name == *t.is || *t.is == "" && t.name == "" {
			continue
		}
		if err := kernel.NameThread(t.thread, name); err != nil {
			s.log.Warn(fmt.Sprintf("the name %s: %v", name, err), "subject", "process")
		}
		*t.is = name
	}
}
