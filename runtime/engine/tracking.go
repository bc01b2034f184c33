package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A ScriptID tells vrrp_scripts apart, also over a reload: a script is the same while it runs the same command as the same user.
type ScriptID struct {
	Name    string
	Command string // its words in quotes
	User    ir.User
}

// A script is a vrrp_script that some instance tracks.
type script struct {
	timer
	id   ScriptID
	args []string
	runs track.Runs
}

func scriptID(s *ir.Script) ScriptID {
	return ScriptID{Name: s.Name, Command: fmt.Sprintf("%q", s.Command.Args), User: cmp.Or(s.Command.User, s.User)}
}

func newScript(s *ir.Script, runs track.Runs) *script {
	x := &script{id: scriptID(s), args: s.Command.Args, runs: runs}
	x.tick = func(e *Engine, now time.Time) {
		if timeout, run := x.runs.Tick(now); run {
			e.emit(StartScript{ID: x.id, Args: x.args, Timeout: timeout})
		}
		e.await(x)
	}
	return x
}

func (e *Engine) await(x *script) {
	at, running := x.runs.Deadline()
	e.timers.set(&x.timer, at, running)
}

// loadScripts takes over the scripts that some instance tracks. A command that changed keeps its standing until its first result.
func (e *Engine) loadScripts(now time.Time) {
	tracked := map[string]bool{}
	for _, v := range e.cfg.Instances {
		for t := range v.Trackers() {
			if t.Kind == ir.ScriptTracker {
				tracked[t.Name] = true
			}
		}
	}
	old := e.scripts
	e.scripts = map[string]*script{}
	for _, s := range e.cfg.Scripts {
		if !tracked[s.Name] || e.scripts[s.Name] != nil {
			continue
		}
		x := old[s.Name]
		switch {
		case x == nil:
			x = newScript(s, track.NewRuns(now, track.SpecOf(s), track.Status{}))
		case x.id == scriptID(s):
			x.runs.Retime(track.SpecOf(s))
		default:
			x = newScript(s, track.NewRuns(now, track.SpecOf(s), x.runs.Status()))
		}
		e.scripts[s.Name] = x
		e.await(x)
	}
	for _, x := range old {
		if e.scripts[x.id.Name] != x {
			e.timers.set(&x.timer, time.Time{}, false)
		}
	}
}

func (e *Engine) scriptDone(now time.Time, d ScriptDone) {
	// A reload may have removed the script while it ran.
	x := e.scripts[d.ID.Name]
	if x == nil || x.id != d.ID {
		return
	}
	changed := x.runs.Done(now, d.Cause == "")
	e.await(x)
	if !changed {
		return
	}
	text := "succeeds"
	if d.Cause != "" {
		text = "fails: " + d.Cause
	}
	thing := track.Thing{Kind: track.Script, Name: d.ID.Name}
	e.emit(Note{Subject: thing.String(), Text: text, Fine: d.Cause == ""})
	e.changed(now, thing)
}

// tracked takes note of a file or process. One that a reload has taken out of the file is nobody's business any more.
func (e *Engine) tracked(now time.Time, t Tracked) {
	if e.things[t.Thing] != t.Status && e.isTracked(t.Thing) {
		e.things[t.Thing] = t.Status
		e.changed(now, t.Thing)
	}
}

func (e *Engine) isTracked(t track.Thing) bool {
	return slices.ContainsFunc(e.order, func(r *router) bool { return r.tracks(t) })
}

// changed judges anew who tracks a thing.
func (e *Engine) changed(now time.Time, thing track.Thing) {
	for _, r := range e.order {
		if r.tracks(thing) {
			e.inform(now, r)
		}
	}
}

// status is what is known of a thing.
func (e *Engine) status(t track.Thing) track.Status {
	switch t.Kind {
	case track.Interface:
		l, present := e.links[t.Name]
		return track.Status{Known: present || e.settled, Good: present && l.Up}
	case track.Script:
		if x := e.scripts[t.Name]; x != nil {
			return x.runs.Status()
		}
		return track.Status{}
	}
	return e.things[t]
}

// tell tells the priority of an instance that takes part, when it is another one than last time.
func (e *Engine) tell(r *router, v track.Verdict) {
	if role := r.machine.Role(); r.priority == v.Priority || role != vrrp.Backup && role != vrrp.Master {
		return
	}
	reason := v.Sum
	if !strings.ContainsRune(reason, ' ') {
		reason = "as configured"
	}
	e.emit(PriorityChanged{Instance: r.cfg.Key(), Name: r.cfg.Name, From: r.priority, To: v.Priority, Reason: reason})
	r.priority = v.Priority
}
