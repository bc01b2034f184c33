package ir

import (
	"slices"

	"keepc/grammar/diag"
)

// Settings are what a .keepc.conf says of the files below its directory.
type Settings struct {
	Origin                 // the whole file
	FailOn   diag.Severity // the least that fails a check; 0: not said
	Version  string        // of the keepalived that will read the files, as "2.2.8"; empty: not said
	Exclude  []string      // patterns of files and directories that are not looked for, relative to the directory of the settings
	Baseline string        // the file of findings that are known; empty: there is none
	Rules    []*RuleSetting
	Paths    []*PathSetting
	Clusters []*Cluster
	// Announcements are what the directors of these files announce.
	Announcements []*Announcement
}

// Rule returns the last setting of a rule, which counts; nil: there is none. Those of the paths that are about the file come first.
func (s *Settings) Rule(name string, about func(*PathSetting) bool) *RuleSetting {
	for _, p := range slices.Backward(s.Paths) {
		if about(p) {
			if r := lastRule(p.Rules, name); r != nil {
				return r
			}
		}
	}
	return lastRule(s.Rules, name)
}

func lastRule(rules []*RuleSetting, name string) *RuleSetting {
	for _, r := range slices.Backward(rules) {
		if r.Rule.Text == name {
			return r
		}
	}
	return nil
}

// A PathSetting says how rules are judged in some files.
type PathSetting struct {
	Origin
	Pattern Name // of files and directories, relative to the directory of the settings
	Rules   []*RuleSetting
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
