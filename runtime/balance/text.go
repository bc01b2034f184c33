package balance

import "fmt"

// Effects print as one line.

func (e ServerChanged) String() string {
	if e.Up {
		return fmt.Sprintf("%v up: %s", e.Server, e.Reason)
	}
	return fmt.Sprintf("%v down: %s", e.Server, e.Reason)
}

func (e WeightChanged) String() string { return fmt.Sprintf("%v %s", e.Server, e.Text()) }

// Text says what happened to the server.
func (e WeightChanged) Text() string {
	switch {
	case e.Operator && e.Weight == e.Files:
		return fmt.Sprintf("its weight is that of the file again, %d", e.Files)
	case e.Operator:
		return fmt.Sprintf("an operator set the weight to %d (%d in the file)", e.Weight, e.Files)
	}
	return fmt.Sprintf("its check set the weight to %d (%d in the file)", e.Weight, e.Files)
}

func (e QuorumChanged) String() string {
	if e.Lost {
		return fmt.Sprintf("%v lost its quorum: %s", e.Service, e.Reason)
	}
	return fmt.Sprintf("%v has its quorum: %s", e.Service, e.Reason)
}

func (e AnnouncementChanged) String() string {
	return fmt.Sprintf("%s %v %v: %s", e.Name, e.Addr, e.Stage, e.Reason)
}

func (e Note) String() string { return e.Subject + ": " + e.Text }

func (e StartProbe) String() string {
	return fmt.Sprintf("probe %s %v for %v, at most %v", e.Check.Keyword(), e.Check.Target, e.Server, e.Timeout)
}

func (e Told) String() string {
	what := e.Service.Key.String()
	if e.Server != nil {
		what = e.Server.Addr.String() + " of " + what
	}
	by := ""
	if e.Check != nil {
		by = " by " + e.Check.Keyword()
	}
	return fmt.Sprintf("tell %s: up %t, %v%s, moved %t, mail %t", what, e.Up, e.Why, by, e.Moved, e.Mail)
}
