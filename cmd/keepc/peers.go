package main

import (
	"errors"
	"slices"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/compiler/lint"
	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/sim"
)

// A seat is the position of a reading among those of a check.
type seat struct {
	job, reading int
	name         string // of the member in the settings; empty: it has none
}

// clusters returns which readings back each other up: all with --peers, those of a file with several --id, and the
// members of a cluster in the settings. It records in the jobs that they are compared.
func (r *checkRun) clusters(jobs []job) (all [][]seat, err error) {
	switch {
	case r.peers:
		var one []seat
		for i := range jobs {
			one = append(one, jobs[i].seats(i)...)
		}
		if len(one) < 2 {
			return nil, errors.New("--peers compares files: name at least two, or one with several --id")
		}
		all = [][]seat{one}
	case len(r.ids) > 1:
		for i := range jobs {
			all = append(all, jobs[i].seats(i))
		}
	default:
		all = r.settledClusters(jobs)
	}
	for _, seats := range all {
		for _, s := range seats {
			jobs[s.job].peers = true
		}
	}
	return all, nil
}

// seats returns the readings of the ith job.
func (j job) seats(i int) (all []seat) {
	if len(j.ids) < 2 {
		return []seat{{job: i}}
	}
	for k, id := range j.ids {
		all = append(all, seat{i, k, id})
	}
	return all
}

// settledClusters returns those of the settings, as far as their files are checked.
func (r *checkRun) settledClusters(jobs []job) (all [][]seat) {
	for _, s := range r.settings.all {
		for _, c := range s.Clusters {
			var seats []seat
			for _, m := range c.Members {
				for i, j := range jobs {
					if k := slices.Index(j.ids, m.ID); k >= 0 && j.settings == s && r.abs(j.name) == s.path(m.File) {
						seats = append(seats, seat{i, k, m.Name.Text})
						break
					}
				}
			}
			if len(seats) > 1 {
				all = append(all, seats)
			}
		}
	}
	return all
}

// A compared is a cluster and the findings in it.
type compared struct {
	*cluster.Cluster
	lint.Comparison
}

// compareAll compares the readings of each cluster, and adds the findings to them.
func compareAll(clusters [][]seat, jobs []job, files []checked) (all []compared) {
	for _, seats := range clusters {
		seats = slices.DeleteFunc(seats, func(s seat) bool { return s.reading >= len(files[s.job].readings) })
		if len(seats) < 2 {
			continue // the others cannot be read
		}
		all = append(all, compareSeats(seats, jobs, files))
	}
	return all
}

func compareSeats(seats []seat, jobs []job, files []checked) compared {
	var nodes []sim.Node
	var names []string
	var readings []*reading
	var about []lint.About
	var secrets []source.Span
	for _, s := range seats {
		r := &files[s.job].readings[s.reading]
		readings = append(readings, r)
		about = append(about, lint.About{Findings: r.All, Version: jobs[s.job].version})
		secrets = append(secrets, r.Config.Secrets...)
		nodes = append(nodes, sim.Node{Name: s.name, Config: r.Config})
		names = append(names, jobs[s.job].name)
	}
	nameNodes(nodes, names)
	var members []cluster.Node
	for _, n := range nodes {
		members = append(members, cluster.Node(n))
	}
	c := compared{Cluster: cluster.New(members)}
	c.Comparison = lint.Compare(c.Cluster, about)
	var silences []compiler.Silences
	for _, r := range readings {
		silences = append(silences, compiler.SilencesOf(r.Tree))
	}
	for i, s := range seats {
		var told diag.List
		for _, d := range c.Findings[i] {
			if !silent(d, silences) {
				told.Add(d)
			}
		}
		readings[i].Unit = readings[i].With(told)
		f := &files[s.job]
		f.Secrets = append(f.Secrets, secrets...) // a finding shows lines of other files
	}
	return c
}

// silent reports whether a comment at another place of a finding silences it; comments at its own place are handled
// later.
func silent(d diag.Diagnostic, silences []compiler.Silences) bool {
	return slices.ContainsFunc(d.Notes, func(n diag.Note) bool {
		return slices.ContainsFunc(silences, func(s compiler.Silences) bool { return s.Cover(d.Rule, n.Span) })
	})
}

// groups returns the tables of the virtual routers that a finding is about, or all with -v.
func (r *checkRun) groups(all []compared, files []checked) (groups []report.Group) {
	key := func(d diag.Diagnostic) said { return said{d.Rule, d.Message, d.Span.String()} }
	shown := map[said]bool{}
	for _, f := range files {
		for _, d := range f.Findings {
			shown[key(d)] = true
		}
	}
	for _, c := range all {
		for _, g := range report.NewGroups(c.Cluster, c.Comparison, func(d diag.Diagnostic) bool { return shown[key(d)] }) {
			if g.Found() || r.verbose {
				groups = append(groups, g)
			}
		}
	}
	return groups
}
