package ir

import (
	"slices"
	"time"

	"keepc/grammar/diag"
)

// Settings are what a .keepc.conf says about the files below its directory.
type Settings struct {
	Origin                 // the whole file
	FailOn   diag.Severity // the lowest severity that fails a check; 0: not said
	Version  string        // of the keepalived that will read the files, such as "2.2.8"; empty: not said
	Exclude  []string      // patterns of files and directories that are not searched for, relative to the directory of the settings
	Baseline string        // the file of known findings; empty: there is none
	Rules    []*RuleSetting
	Paths    []*PathSetting
	Clusters []*Cluster
	// Announcements are what the directors of these files announce.
	Announcements []*Announcement
	// Verification is how SSL_GET of these files judges certificates of servers; nil: not at all, as keepalived.
	Verification *Verification
}

// A Verification is how certificates of servers are judged: by their signers, their names and their time.
type Verification struct {
	Origin
	CA    string        // the file of the certificates that are trusted, in PEM; empty: that of the block SSL, or those of this system
	Lasts time.Duration // how long a certificate must still be valid
}

// Trusted returns the file of the certificates that are trusted, where own is the block SSL; empty: those of this system.
func (v *Verification) Trusted(own *TLS) string {
	if v.CA == "" && own != nil {
		return own.CA
	}
	return v.CA
}

// Same reports whether another one judges alike.
func (v *Verification) Same(o *Verification) bool {
	if v == nil || o == nil {
		return v == o
	}
	return v.CA == o.CA && v.Lasts == o.Lasts
}

// Rule returns the last setting for a finding, which counts; nil: there is none. Settings for paths that match the file
// come first.
func (s *Settings) Rule(d *diag.Diagnostic, about func(*PathSetting) bool) *RuleSetting {
	for _, p := range slices.Backward(s.Paths) {
		if about(p) {
			if r := lastRule(p.Rules, d); r != nil {
				return r
			}
		}
	}
	return lastRule(s.Rules, d)
}

func lastRule(rules []*RuleSetting, d *diag.Diagnostic) *RuleSetting {
	for _, r := range slices.Backward(rules) {
		if d.Named(r.Rule.Text) {
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
	File string // relative to the directory of the settings; a pattern makes a member of each file that it matches
	ID   string // that @ID lines are for; empty: the name of the member
}
