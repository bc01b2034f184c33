package watch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/shortage"
	"keepc/runtime/track"
)

// A process is one that runs on this machine.
type process struct {
	pid  int
	comm string   // the short name, at most 15 bytes
	args []string // the command line; kernel threads have none
}

// A moment is what happened to a process: it was forked, became another program or got another name, or ended.
type moment struct {
	pid    int
	parent int // of one that was forked
	ended  bool
}

// A census counts tracked processes, and remembers what it reported.
type census struct {
	list     []*ir.TrackProcess
	standing map[track.Thing]standing
	blind    bool         // the last count failed
	mine     map[int]bool // the tracked processes of the last count, by process id
	ended    map[int]bool // those that have ended since, although their parent may not have asked for their end yet
	due      time.Time    // when a change will have lasted as long as the file says; zero: there is none
}

// A standing is the last reported state of a process, and since when it differs.
type standing struct {
	good  bool
	other time.Time // zero: it does not differ
}

// take counts the running processes.
func (c *census) take(tell func(track.Thing, track.Status), warn func(error)) {
	if len(c.list) == 0 {
		return
	}
	all, err := c.processes()
	switch {
	case err != nil && !c.blind:
		warn(fmt.Errorf("%w; tracked processes keep their last count", err))
	case err == nil && c.blind:
		warn(errors.New("tracked processes are counted again"))
	}
	if c.blind = err != nil; c.blind {
		return
	}
	c.count(time.Now(), all, tell)
}

// count reports for each tracked process whether as many run as the file wants. A change is reported when it has
// lasted as long as the file says; the first count at once.
func (c *census) count(now time.Time, all []process, tell func(track.Thing, track.Status)) {
	c.mine, c.due = map[int]bool{}, time.Time{}
	for _, p := range c.list {
		n := 0
		for _, x := range all {
			if matches(p, x) {
				c.mine[x.pid] = true
				n++
			}
		}
		good := enough(p, n)
		thing := track.OfProcess(p)
		s, known := c.standing[thing]
		switch delay := p.TerminateDelay; {
		case !known:
			s = standing{good: good}
		case good == s.good:
			s.other = time.Time{}
		default:
			if good {
				delay = p.ForkDelay
			}
			if s.other.IsZero() {
				s.other = now
			}
			switch due := s.other.Add(delay); {
			case !now.Before(due):
				s = standing{good: good}
			case c.due.IsZero() || due.Before(c.due):
				c.due = due
			}
		}
		c.standing[thing] = s
		tell(thing, track.Status{Known: true, Good: s.good})
	}
}

// concerns reports whether a moment may change a count.
func (c *census) concerns(m moment) bool {
	switch {
	case m.parent != 0: // a copy of its parent
		delete(c.ended, m.pid)
		return c.mine[m.parent]
	case m.ended:
		if c.mine[m.pid] {
			c.ended[m.pid] = true
		}
		return c.mine[m.pid]
	case c.mine[m.pid]:
		return true
	}
	x, err := running(m.pid)
	return err == nil && slices.ContainsFunc(c.list, func(p *ir.TrackProcess) bool { return matches(p, x) })
}

// look sets which processes are counted from now on. Others are forgotten.
func (c *census) look(list []*ir.TrackProcess) {
	old := c.standing
	c.list, c.standing, c.ended = list, map[track.Thing]standing{}, map[int]bool{}
	for _, p := range list {
		if s, known := old[track.OfProcess(p)]; known {
			c.standing[track.OfProcess(p)] = s
		}
	}
}

// enough reports whether a number of processes is within the quorum. A limit below the quorum replaces it: with 0 the
// process must not run.
func enough(p *ir.TrackProcess, n int) bool {
	if p.QuorumMax != nil {
		return n >= min(p.Quorum, *p.QuorumMax) && n <= *p.QuorumMax
	}
	return n >= p.Quorum
}

// The ways in which parameters match: man page block vrrp_track_process.
const (
	exact   = "exact"   // all of them
	partial = "partial" // the first ones
	initial = "initial" // the first ones; the last of those may be a prefix
)

// matches reports whether a process is one of the tracked ones: by its short name, or by its command line if the file
// asks for that or has parameters.
func matches(want *ir.TrackProcess, x process) bool {
	params := want.Process[1:]
	if len(params) == 0 && want.ParamMatch == "" && !want.FullCommand {
		const most = 15 // bytes; the kernel keeps no more
		name := filepath.Base(want.Process[0])
		return x.comm == name[:min(len(name), most)]
	}
	if len(x.args) == 0 || x.args[0] != want.Process[0] {
		return false
	}
	has := x.args[1:]
	switch {
	case len(params) == 0 && want.ParamMatch == "":
		return true
	case len(has) < len(params):
		return false
	case want.ParamMatch == partial:
		return slices.Equal(has[:len(params)], params)
	case want.ParamMatch == initial && len(params) > 0:
		last := len(params) - 1
		return slices.Equal(has[:last], params[:last]) && strings.HasPrefix(has[last], params[last])
	}
	return slices.Equal(has, params)
}

// processes lists the running processes.
func (c *census) processes() (all []process, err error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	ended := map[int]bool{}
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if c.ended[pid] {
			ended[pid] = true
			continue
		}
		x, err := running(pid)
		if shortage.Is(err) {
			return nil, fmt.Errorf("list the processes: %w", err)
		}
		if err == nil { // otherwise it has ended meanwhile
			all = append(all, x)
		}
	}
	c.ended = ended
	return all, nil
}

// running returns a process that has not ended.
func running(pid int) (process, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return process{}, err
	}
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return process{}, err
	}
	x := process{pid: pid, comm: strings.TrimSuffix(string(comm), "\n")}
	if len(line) > 0 {
		x.args = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		return x, nil
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, err
	}
	if _, state, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " "); strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X") {
		return process{}, fmt.Errorf("process %d has ended", pid)
	}
	return x, nil
}
