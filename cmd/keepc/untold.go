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
)

// tellSettings reports which settings remove something from the report: its reader should know that a file decides
// what is in it, because that file may have come with the change that is judged.
func (r *checkRun) tellSettings(jobs []job) {
	for _, s := range r.settings.all {
		// tell reports it for the rules of the file or of one of its paths; counts reports which of them take effect.
		tell := func(rules []*ir.RuleSetting, where string, counts func(*ir.RuleSetting) bool) {
			var off, lower []string
			for _, rule := range rules {
				name := rule.Rule.Text
				is, _ := lint.Find(name)
				switch {
				case !counts(rule):
				case rule.Off:
					off = append(off, name)
				case rule.Severity > 0 && rule.Severity < max(is.Severity, is.Worst):
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
		tell(s.Rules, "", func(rule *ir.RuleSetting) bool { return s.everywhere(rule.Rule.Text) == rule })
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
			r.complain("keepc: %s is used instead of %s", s.Name, above)
		}
		others := func(j job) bool { return j.settings == s && r.announcing(j.name, s) == nil }
		if i := slices.IndexFunc(jobs, others); i >= 0 {
			for _, what := range s.elsewhere(r.shown(jobs[i].name)) {
				r.complain("keepc: %s: %s", s.Name, what)
			}
		}
	}
}

// above returns the settings file that would count without the nearer one, if it is in the working directory or below;
// empty: there is none.
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

// tellKnown reports how many findings each baseline removes from the report.
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
