package main

import (
	"log/slog"
	"strings"

	"keepc/compiler/report"
	"keepc/runtime/daemon"
)

// reloaded returns the file of a director as a reload finds it. What the director must do without is logged.
func (r *runRun) reloaded(name string, log *slog.Logger) loaded {
	l := r.load(name)
	l.Faults = append(l.Faults, r.may.lacking(&l, log)...)
	r.localize(l.Config)
	return l
}

// planner returns the function that plans a reload of the file of a director in this process; nil: there is no file.
// came is as returned by enter.
func (r *runRun) planner(name, came string) func() (daemon.Loaded, func() string) {
	if name == "-" || r.Open != nil {
		return nil
	}
	app := *r.App
	app.acts, app.quiet = true, false
	p := &planRun{App: &app}
	return func() (daemon.Loaded, func() string) {
		l := r.reloaded(name, slog.New(slog.DiscardHandler))
		return l.Loaded, func() string {
			text, err := p.text(l, name, came)
			if err != nil {
				return "no plan: " + err.Error()
			}
			return text
		}
	}
}

// text returns the plan for a file as the screen shows it.
func (r *planRun) text(l loaded, name, came string) (string, error) {
	inForce, err := r.inForce(name)
	if err != nil {
		return "", err
	}
	host, err := r.hostNow(opens(l.Config, came))
	if err != nil {
		return "", err
	}
	m, err := r.compare(l, assumedRoles{all: "live"}, inForce, host)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = report.PlanScreen(&b, m, false, false, false)
	return b.String(), err
}
