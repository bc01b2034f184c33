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

// A manager is the service manager that started this process (sd_notify(3)). Without one nothing is sent. Only run
// waits for it: a manager that does not listen delays nothing.
type manager struct {
	tell     func(state string) error
	watchdog time.Duration // how often it expects a sign of life; 0: never
	queue    chan string   // messages to send
}

// managerQueue is the number of messages that wait for a manager that does not listen; more are lost.
const managerQueue = 64

// serviceManager returns the manager in this process's environment.
func serviceManager() (manager, error) {
	m := manager{queue: make(chan string, managerQueue), tell: func(state string) error {
		_, err := systemd.SdNotify(false, state)
		return err
	}}
	var err error
	if m.watchdog, err = systemd.SdWatchdogEnabled(false); err != nil {
		return m, fmt.Errorf("read what the service manager wants of a watchdog: %w", err)
	}
	return m, nil
}

func (m manager) say(state string) {
	select {
	case m.queue <- state:
	default:
	}
}

func (m manager) ready() { m.say(systemd.SdNotifyReady) }

func (m manager) stopping() { m.say(systemd.SdNotifyStopping) }

// reloading must be followed by ready.
func (m manager) reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil { // every kernel has that clock
		m.say(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", systemd.SdNotifyReloading, now.Nano()/1000))
	}
}

// rest sends what waits when the director ends.
func (m manager) rest() error {
	for {
		select {
		case state := <-m.queue:
			if err := m.tell(state); err != nil {
				return fmt.Errorf("tell the service manager: %w", err)
			}
		default:
			return nil
		}
	}
}

// run sends messages, shows each event as the status of the service, and feeds the watchdog as long as alive succeeds,
// until ctx ends. It returns the first error of the manager; then nothing more is sent.
func (m manager) run(ctx context.Context, events <-chan status.Event, alive func(context.Context) error) error {
	var tick <-chan time.Time
	if m.watchdog > 0 {
		t := time.NewTicker(m.watchdog / 3)
		defer t.Stop()
		tick = t.C
	}
	for {
		var err error
		select {
		case state := <-m.queue:
			err = m.tell(state)
		case e := <-events:
			first, _, _ := strings.Cut(e.Text, "\n")
			err = m.tell("STATUS=" + strings.TrimSpace(e.Subject+": "+first))
		case <-tick:
			if alive(ctx) == nil {
				err = m.tell(systemd.SdNotifyWatchdog)
			}
		case <-ctx.Done():
			return m.rest()
		}
		if err != nil {
			return fmt.Errorf("tell the service manager: %w", err)
		}
	}
}
