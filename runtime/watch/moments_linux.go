package watch

import (
	"context"
	"fmt"

	"github.com/vishvananda/netlink"
)

// moments subscribes to what the kernel tells about processes (cn_proc, which needs CAP_NET_ADMIN). It tells nothing in
// a network namespace other than the first. The channel is closed when something was lost, and when ctx has ended.
func moments(ctx context.Context) (<-chan moment, error) {
	ctx, stop := context.WithCancel(ctx)
	events, failed := make(chan netlink.ProcEvent), make(chan error, 1)
	if err := netlink.ProcEventMonitor(events, ctx.Done(), failed); err != nil {
		stop()
		return nil, fmt.Errorf("subscribe to process events: %w", err)
	}
	seen := make(chan moment)
	go func() { // ends with events
		defer close(seen)
		defer stop()
		for e := range events {
			if m, ok := momentOf(e); ok {
				select {
				case seen <- m:
				case <-ctx.Done():
				}
			}
		}
	}()
	return seen, nil
}

// momentOf returns what an event says about a process; false: it is about one of its threads.
func momentOf(e netlink.ProcEvent) (moment, bool) {
	switch m := e.Msg.(type) {
	case *netlink.ForkProcEvent:
		return moment{pid: int(m.ChildPid), parent: int(m.ParentTgid)}, m.ChildPid == m.ChildTgid
	case *netlink.ExitProcEvent:
		return moment{pid: int(m.ProcessPid), ended: true}, m.ProcessPid == m.ProcessTgid
	}
	return moment{pid: int(e.Msg.Tgid())}, e.Msg.Pid() == e.Msg.Tgid()
}
