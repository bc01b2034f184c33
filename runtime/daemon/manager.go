package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"keepc/runtime/status"
)

// A manager is the service manager that started this process, as sd_notify(3) has it. Without one nothing is told.
type manager struct {
	tell     func(state string) error
	watchdog time.Duration // how often it wants to hear that all is well; 0: it does not
}

// serviceManager is the one of this process's environment.
func serviceManager() (manager, error) {
	m := manager{tell: func(state string) error {
		_, err := systemd.SdNotify(false, state)
		return err
	}}
	var err error
	if m.watchdog, err = systemd.SdWatchdogEnabled(false); err != nil {
		return m, fmt.Errorf("read what the service manager wants of a watchdog: %w", err)
	}
	return m, nil
}

func (m manager) ready() error { return m.tell(systemd.SdNotifyReady) }

func (m manager) stopping() error { return m.tell(systemd.SdNotifyStopping) }

// reloading is to be followed by ready.
func (m manager) reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return m.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", systemd.SdNotifyReloading, now.Nano()/1000))
}

// watch shows each event as the state of the service, and feeds the watchdog as long as alive does, until ctx ends.
func (m manager) watch(ctx context.Context, events <-chan status.Event, alive func(context.Context) error) error {
	var tick <-chan time.Time
	if m.watchdog > 0 {
		t := time.NewTicker(m.watchdog / 3)
		defer t.Stop()
		tick = t.C
	}
	for {
		var err error
		select {
		case e := <-events:
			first, _, _ := strings.Cut(e.Text, "\n")
			err = m.tell("STATUS=" + strings.TrimSpace(e.Subject+": "+first))
		case <-tick:
			if alive(ctx) == nil {
				err = m.tell(systemd.SdNotifyWatchdog)
			}
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return fmt.Errorf("tell the service manager: %w", err)
		}
	}
}
