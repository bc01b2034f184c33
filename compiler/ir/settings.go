package ir

import "keepc/grammar/diag"

// Settings are what a .keepc.conf says of the files below its directory.
type Settings struct {
	Origin                 // the whole file
	FailOn   diag.Severity // the least that fails a check; 0: not said
	Version  string        // of the keepalived that will read the files, as "2.2.8"; empty: not said
	Exclude  []string      // patterns of files and directories that are not looked for, relative to the directory of the settings
	Rules    []*RuleSetting
	Clusters []*Cluster
}

// Rule returns the last setting of a rule, which counts; nil: there is none.
func (s *Settings) Rule(name string) *RuleSetting {
	for i := len(s.Rules) - 1; i >= 0; i-- {
		if s.Rules[i].Rule.Text == name {
			return s.Rules[i]
		}
	}
	return nil
}

// A RuleSetting says how a rule is judged here.
type RuleSetting struct {
	Origin
	Rule     Name
	Off      bool
	Severity diag.Severity // 0: that of the rule
}

// A Cluster is the directors that back each other up.
type Cluster struct {
	Origin
	Name    Name
	Members []*Member
}

// A Member is one director of a cluster.
type Member struct {
	Origin
	Name Name
	Reading
}

// A Reading is a file as one director reads it.
type Reading struct {
	File string // relative to the directory of the settings; a pattern stands for a member for each file that it matches
	ID   string // that @ID lines are for; empty: the name of the member
}
