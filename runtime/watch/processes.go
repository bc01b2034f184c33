package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/runtime/track"
)

// A process is one that runs on this machine.
type process struct {
	comm string   // the short name, at most 15 bytes
	args []string // the command line, which kernel threads have not
}

// countProcesses tells of each tracked process whether one runs.
func countProcesses(list []*ir.TrackProcess, tell func(track.Thing, track.Status), warn func(error)) {
	if len(list) == 0 {
		return
	}
	all, err := processes()
	if err != nil {
		warn(err)
		return
	}
	for _, p := range list {
		runs := slices.ContainsFunc(all, func(x process) bool { return matches(p, x) })
		tell(track.Thing{Kind: track.Process, Name: p.Name}, track.Status{Known: true, Good: runs})
	}
}

// matches tells whether a process is one of those that are tracked: by its short name, or by its whole command line where the file
// gives parameters.
func matches(want *ir.TrackProcess, x process) bool {
	if len(want.Process) > 1 {
		return slices.Equal(want.Process, x.args)
	}
	const most = 15 // bytes, of which the kernel keeps no more
	name := filepath.Base(want.Process[0])
	return x.comm == name[:min(len(name), most)]
}

// processes lists what runs.
func processes() (all []process, err error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		comm, err := os.ReadFile(filepath.Join("/proc", d.Name(), "comm"))
		if err != nil {
			continue // it has ended meanwhile
		}
		line, err := os.ReadFile(filepath.Join("/proc", d.Name(), "cmdline"))
		if err != nil {
			continue
		}
		x := process{comm: strings.TrimSuffix(string(comm), "\n")}
		if len(line) > 0 {
			x.args = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		}
		all = append(all, x)
	}
	return all, nil
}
