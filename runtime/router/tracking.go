package router

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/timer"
	"keepc/runtime/track"
)

// A ScriptID identifies a vrrp_script, also over a reload: it is the same script while it runs the same command as the
// same user.
type ScriptID struct {
	Name    string
	Command string // its words, quoted
	User    ir.User
}

// A script is a vrrp_script that some instance tracks.
type script struct {
	timer.Timer
	id   ScriptID
	args []string
	runs track.Runs
	lack string // why the last run had no result; empty: it had one
}

func scriptID(s *ir.Script) ScriptID {
	return ScriptID{Name: s.Name, Command: fmt.Sprintf("%q", s.Command.Args), User: cmp.Or(s.Command.User, s.User)}
}

// begin lets a script run for the first time. It has the given state until its first result.
func (m *Machine) begin(now time.Time, x *script, spec track.Spec, standing track.Status) {
	x.runs = track.NewRuns(now, spec, standing)
	x.Do = func(now time.Time) {
		if timeout, run := x.runs.Tick(now); run {
			m.emit(StartScript{ID: x.id, Args: x.args, Timeout: timeout})
		}
		m.await(x)
	}
	m.await(x)
}

func (m *Machine) await(x *script) {
	at, running := x.runs.Deadline()
	m.timers.Set(&x.Timer, at, running)
}

func (m *Machine) scriptDone(now time.Time, d ScriptDone) {
	// A reload may have removed the script while it ran.
	x := m.current.scripts[d.ID.Name]
	if x == nil || x.id != d.ID {
		return
	}
	m.lack(x, d.Inconclusive)
	if d.Inconclusive != "" {
		x.runs.Lost(now)
		m.await(x)
		return
	}
	changed := x.runs.Done(now, d.Cause == "")
	m.await(x)
	if !changed {
		return
	}
	thing := track.Thing{Kind: track.Script, Name: d.ID.Name}
	m.emit(ScriptChanged{thing, d.Cause})
	m.changed(now, thing)
}

// lack records why a run had no result, and reports when that begins for the first script and when it ends for the
// last one.
func (m *Machine) lack(x *script, what string) {
	old := x.lack
	if old == what {
		return
	}
	alike := func(what string) bool {
		for _, o := range m.current.scripts {
			if o.lack == what {
				return true
			}
		}
		return false
	}
	if what != "" && !alike(what) {
		m.emit(ScriptsLack{What: what})
	}
	if x.lack = what; old != "" && !alike(old) {
		m.emit(ScriptsLack{What: old, Over: true})
	}
}

// tracked records the state of a file or process. One that a reload has removed from the file is ignored.
func (m *Machine) tracked(now time.Time, t Tracked) {
	if m.things[t.Thing] != t.Status && len(m.current.tracking[t.Thing]) > 0 {
		m.things[t.Thing] = t.Status
		m.changed(now, t.Thing)
	}
}

// sessions records which BFD sessions are up.
func (m *Machine) sessions(now time.Time, up map[track.Thing]bool) {
	old := m.up
	m.up = up
	var turned []track.Thing
	for t := range m.current.tracking {
		if t.Kind == track.BFD && old[t] != up[t] {
			turned = append(turned, t)
		}
	}
	slices.SortFunc(turned, func(a, b track.Thing) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range turned {
		m.changed(now, t)
	}
}

// changed judges the instances again that track a thing.
func (m *Machine) changed(now time.Time, thing track.Thing) {
	for _, i := range m.current.tracking[thing] {
		m.inform(now, i)
	}
}

// status returns what is known of a thing.
func (m *Machine) status(t track.Thing) track.Status {
	switch t.Kind {
	case track.Interface:
		if _, made := m.current.made[t.Name]; made {
			return track.Status{Known: m.worked[t.Name], Good: m.works(t.Name)}
		}
		_, present := m.links[t.Name]
		return track.Status{Known: present || m.settled, Good: m.works(t.Name)}
	case track.Script:
		if x := m.current.scripts[t.Name]; x != nil {
			return x.runs.Status()
		}
		return track.Status{}
	case track.BFD:
		return track.Status{Known: true, Good: m.up[t]}
	}
	return m.things[t]
}

// works reports whether an interface exists and is up, and lets advertisements through if they are sent only on it.
func (m *Machine) works(name string) bool {
	l, present := m.links[name]
	return present && l.Up && !(m.current.made[name] && l.Deaf4 && l.Deaf6 && l.DeafAH)
}

// A ScriptStanding is the state of a vrrp_script, and how often it ran.
type ScriptStanding struct {
	Name   string
	Status track.Status
	Counts track.Counts
}

// Scripts lists the tracked vrrp_scripts in file order.
func (m *Machine) Scripts() (list []ScriptStanding) {
	for _, s := range m.current.cfg.Scripts {
		if x := m.current.scripts[s.Name]; x != nil && (len(list) == 0 || list[len(list)-1].Name != s.Name) {
			list = append(list, ScriptStanding{s.Name, x.runs.Status(), x.runs.Counts()})
		}
	}
	return list
}
