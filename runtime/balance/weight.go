package balance

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/runtime/track"
)

// weighs reports whether a check sets the weight of its server.
func weighs(c *check) bool {
	misc, ok := c.asks.Checker.(*ir.MiscCheck)
	return ok && misc.Dynamic
}

// effective returns the weight of a server: that of an operator, or else that of the file or of a check, plus what its
// files add.
func (s *server) effective() uint64 {
	if s.assigned != nil {
		return uint64(*s.assigned)
	}
	sum := s.base
	for _, c := range s.checks {
		sum += c.adds
	}
	return uint64(min(max(sum, 0), math.MaxInt32))
}

// weigh sets the weight of a server to what its checks say.
func (m *Machine) weigh(s *server) { m.weighAs(s, s.assigned != nil) }

func (m *Machine) weighAs(s *server, operator bool) {
	weight := s.effective()
	if weight == s.weight {
		return
	}
	s.service.total += weight - s.weight
	if !s.down {
		s.service.live += weight - s.weight
	}
	m.setWeight(s, weight)
	m.emit(WeightChanged{Server: s.key, Weight: int(weight), Files: int(s.files), Operator: operator})
}

// setWeight notes the weight of a server.
func (m *Machine) setWeight(s *server, weight uint64) {
	if s.weight = weight; int64(weight) == s.files || s.assigned != nil {
		delete(m.weights, s.key)
	} else {
		m.weights[s.key] = int(weight)
	}
}

// assign gives servers an operator's weight, or undoes that. Servers that are gone are skipped.
func (m *Machine) assign(a Assign) {
	for _, k := range a.Servers {
		s := m.current.servers[k].server
		if s == nil {
			continue
		}
		if s.assigned = a.Weight; a.Weight != nil {
			m.assigned[k] = *a.Weight
		} else {
			delete(m.assigned, k)
		}
		m.weighAs(s, true)
		m.judgeQuorum(s.service)
	}
}

// fileSeen passes the number of a file to the checks that follow it.
func (m *Machine) fileSeen(_ time.Time, f FileSeen) {
	for _, c := range m.current.files[f.File] {
		var cause string
		c.adds, cause = contribution(*c.asks.Checker.(*ir.FileCheck).Weight, f)
		before := c.standing()
		c.health.Tell(cause)
		m.weigh(c.server)
		m.concluded(c, before)
	}
}

// told reports whether a check probes nothing, and is told the state of its server.
func told(c *ir.Check) bool {
	switch c.Checker.(type) {
	case *ir.FileCheck, *ir.BFDCheck:
		return true
	}
	return false
}

// session returns the bfd_instance that a check follows; nil: it follows none, or one that does not tell checkers.
func session(cfg *ir.Config, c *ir.Check) *ir.BFD {
	follows, ok := c.Checker.(*ir.BFDCheck)
	if !ok {
		return nil
	}
	i := slices.IndexFunc(cfg.BFDs, func(b *ir.BFD) bool { return b.Name == follows.Text })
	if i < 0 || !cfg.BFDs[i].Checker {
		return nil
	}
	return cfg.BFDs[i]
}

// sessionsTold records which BFD sessions are up, and tells the checks whose session has changed or was unknown.
func (m *Machine) sessionsTold(up map[track.Thing]bool) {
	m.up = up
	followed := slices.DeleteFunc(slices.Collect(maps.Keys(m.current.files)), func(t track.Thing) bool { return t.Kind != track.BFD })
	slices.SortFunc(followed, func(a, b track.Thing) int { return cmp.Compare(a.Name, b.Name) })
	for _, t := range followed {
		for _, c := range m.current.files[t] {
			if m.tellSession(c, t) {
				m.judge(c.server)
				m.judgeQuorum(c.server.service)
			}
		}
	}
}

// tellSession sets a check to the state of its session, and reports whether that is news. An unknown session leaves
// its server unchanged.
func (m *Machine) tellSession(c *check, t track.Thing) (news bool) {
	is, known := m.up[t]
	if !known || c.health.Knows() && c.health.Up() == is {
		return false
	}
	cause := ""
	if !is {
		cause = t.String() + " is down"
	}
	c.health.Tell(cause)
	return true
}

// contribution returns what the number in a file adds to the weight of a server, or why the server is down. As in
// keepalived, a weight of 0 makes any number but 0 a failure, and so does a product at the lower limit.
func contribution(w ir.Weight, f FileSeen) (adds int64, cause string) {
	adds = int64(w.Times(f.Value))
	switch {
	case w.N == 0 && (f.Value != 0) != w.Reverse, adds <= math.MinInt32:
		return 0, fmt.Sprintf("%s is %d", f.File, f.Value)
	}
	return min(adds, math.MaxInt32), ""
}

// Files returns the files that checks of a configuration follow.
func Files(cfg *ir.Config) map[track.Thing]bool {
	all, byName := map[track.Thing]bool{}, filesByName(cfg)
	for _, v := range cfg.VirtualServers {
		for _, r := range v.RealServers {
			for _, c := range r.Checks {
				if f, ok := c.Checker.(*ir.FileCheck); ok && f.Weight != nil && enforced.Checked(c) {
					all[byName[f.TrackFile.Text]] = true
				}
			}
		}
	}
	return all
}

// filesByName returns the files that checks may follow.
func filesByName(cfg *ir.Config) map[string]track.Thing {
	all := map[string]track.Thing{}
	for _, f := range cfg.TrackFiles {
		if _, known := all[f.Name]; !known {
			all[f.Name] = track.OfFile(f)
		}
	}
	return all
}
