package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/report"
	"keepc/grammar/diag"
)

// tellSettings says which settings take something out of the report: who reads it should know that a file decides what is in it, for that
// file may have come with the change that is judged.
func (r *checkRun) tellSettings(jobs []job) {
	severity := map[string]diag.Severity{}
	for _, rule := range lint.Rules() {
		severity[rule.Name] = rule.Severity
	}
	for _, s := range r.settings.all {
		// tell says it of the rules of the file or of a path of it; counts reports which of them do.
		tell := func(rules []*ir.RuleSetting, where string, counts func(*ir.RuleSetting) bool) {
			var off, lower []string
			for _, rule := range rules {
				name := rule.Rule.Text
				switch {
				case !counts(rule):
				case rule.Off:
					off = append(off, name)
				case rule.Severity > 0 && rule.Severity < severity[name]:
					lower = append(lower, fmt.Sprintf("%s to %v", name, rule.Severity))
				}
			}
			if len(off) > 0 && len(r.only) == 0 {
				r.complain("keepc: %s switches off %s%s", s.Name, strings.Join(off, ", "), where)
			}
			if len(lower) > 0 {
				r.complain("keepc: %s lowers %s%s", s.Name, strings.Join(lower, ", "), where)
			}
		}
		tell(s.Rules, "", func(rule *ir.RuleSetting) bool { return s.rule(rule.Rule.Text, "") == rule })
		for _, p := range s.Paths {
			tell(p.Rules, " in "+p.Pattern.Text, func(*ir.RuleSetting) bool { return true })
		}
		if s.excluded {
			r.complain("keepc: %s excludes %s", s.Name, strings.Join(s.Exclude, ", "))
		}
		if s.Version != "" && r.forVersion == "" {
			r.complain("keepc: %s: judged for keepalived %s alone", s.Name, s.Version)
		}
		if above := r.above(s); above != "" {
			r.complain("keepc: %s counts instead of %s", s.Name, above)
		}
		others := func(j job) bool { return j.settings == s && r.announcing(j.name, s) == nil }
		if i := slices.IndexFunc(jobs, others); i >= 0 && s.Has("announce") {
			r.complain("keepc: %s: what it announces is not for %s, which is in another directory", s.Name, r.shown(jobs[i].name))
		}
	}
}

// above is the settings file that would count without a nearer one, if it is in the working directory or below; empty: there is none.
func (r *checkRun) above(s *settings) string {
	within := strings.TrimSuffix(r.Dir, "/") + "/"
	for dir := s.dir; dir != "/" && strings.HasPrefix(dir, within); {
		dir = path.Dir(dir)
		name := path.Join(dir, settingsName)
		if r.isFile(name) == nil {
			return r.shown(name)
		}
	}
	return ""
}

// tellKnown says how many findings each baseline takes out of the report.
func (r *checkRun) tellKnown(jobs []job, files []checked) {
	known := map[string]report.Summary{}
	for i, f := range files {
		if f.known.Findings() > 0 {
			known[jobs[i].baseline.name] = known[jobs[i].baseline.name].Plus(f.known)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		r.complain("keepc: not shown: %s that %s has", known[name], r.shown(name))
	}
}
