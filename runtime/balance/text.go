package balance

import (
	"fmt"
	"strings"
)

// Effects print as one line.

func (e ServerChanged) String() string {
	if e.Up {
		return fmt.Sprintf("%v up: %s", e.Server, e.Reason)
	}
	return fmt.Sprintf("%v down: %s", e.Server, e.Reason)
}

func (e WeightChanged) String() string { return fmt.Sprintf("%v %s", e.Server, e.Text()) }

// Text is what happened to the server.
func (e WeightChanged) Text() string {
	return fmt.Sprintf("its check sets the weight to %d, which is %d in the file", e.Weight, e.Files)
}

func (e QuorumChanged) String() string {
	if e.Lost {
		return fmt.Sprintf("%v lost its quorum: %s", e.Service, e.Reason)
	}
	return fmt.Sprintf("%v has its quorum: %s", e.Service, e.Reason)
}

func (e Note) String() string { return e.Subject + ": " + e.Text }

func (e StartProbe) String() string {
	return fmt.Sprintf("probe %s %v for %v, at most %v", e.Check.Keyword(), e.Check.Target, e.Server, e.Timeout)
}

func (e RunScript) String() string {
	return fmt.Sprintf("run %s for %v as %q", strings.Join(e.Command.Args, " "), e.Service, e.Command.User)
}
