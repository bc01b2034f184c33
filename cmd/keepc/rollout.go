package main

import (
	"slices"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/runtime/sim"
)

// withPeers adds the directors that keep their files.
func (r *diffRun) withPeers(pairs []filePair) ([]filePair, error) {
	for _, name := range r.peers {
		app := *r.App
		app.ids = nil
		sides, err := (&diffRun{App: &app}).readSides(name)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, filePair{before: sides[0], after: sides[0], peer: true})
	}
	return pairs, nil
}

// rehearse plays the rollout of a cluster, and records what happens to the instances. If routers with keepalived need
// a different order, or have none, it is also played by their rules.
func (r *diffRun) rehearse(m *report.Diff, pairs []filePair) error {
	var nodes []sim.Node
	next := make([]*ir.Config, len(pairs))
	changes := false
	for i, p := range pairs {
		nodes = append(nodes, sim.Node{Name: p.director, Config: p.before.Config})
		if !p.peer && !m.Directors[i].Empty() { // peers come last
			next[i], changes = p.after.Config, true
		}
	}
	if len(nodes) < 2 || !changes {
		return nil
	}
	c, err := sim.NewCluster(nodes)
	if err != nil {
		return err
	}
	if len(c.Addresses()) == 0 {
		return nil
	}
	left := r.unplayed(m, nodes, next)
	p := r.progress("rehearsal", 0)
	defer p.end()
	strict := c.NewRollout(next, sim.Options{SameAddresses: true})
	strict.Played = p.step
	found := strict.Search()
	loose := c.NewRollout(next, sim.Options{})
	loose.Played = p.step
	switch {
	case !found.Best.Clean():
		own := loose.Search()
		m.Rollouts = []report.Rollout{rollout(c, "keepc", own), rollout(c, "keepalived", found)}
		if m.Rollouts[0].Same(m.Rollouts[1]) {
			m.Rollouts = m.Rollouts[:1]
			m.Rollouts[0].Routers = "all"
		}
	default: // what is safe among the stricter routers may not be safe among others
		if both := loose.Play(found.Best.Steps); both.Clean() {
			m.Rollouts = []report.Rollout{rollout(c, "all", found)}
		} else {
			m.Rollouts = []report.Rollout{rollout(c, "keepc", loose.Search()), rollout(c, "keepalived", found)}
		}
	}
	for i := range m.Rollouts {
		if x := &m.Rollouts[i]; left && x.Safe {
			x.Safe, x.Uncertain = false, true
		}
	}
	for _, s := range m.Rollouts[0].Steps {
		for i := range m.Directors {
			if m.Directors[i].Director == s.Director {
				m.Directors[i].Suffer(s)
			}
		}
	}
	return nil
}

// unplayed records which parts of the old and new files are not simulated, because run does not support them. left:
// some of them can move a role, and no order is known to be safe.
func (r *diffRun) unplayed(m *report.Diff, nodes []sim.Node, next []*ir.Config) (left bool) {
	var all []ir.Unenforced
	for i, n := range nodes {
		for _, cfg := range []*ir.Config{n.Config, next[i]} {
			if cfg == nil {
				continue
			}
			for _, u := range cfg.NotEnforced {
				if enforced.MovesRoles(u) && !slices.ContainsFunc(all, func(o ir.Unenforced) bool { return o.Keyword == u.Keyword }) {
					all = append(all, u)
				}
			}
		}
	}
	m.NotSimulated = report.Unenforced(all)
	return len(all) > 0
}

// rollout converts a search to the form of the report.
func rollout(c *sim.Cluster, routers string, found sim.Result) report.Rollout {
	r := report.Rollout{
		Routers: routers, Safe: found.Best.Clean(), Orders: found.Orders, Tried: found.Played,
		Steps: rolloutSteps(c, found.Best.Steps), Before: troubles(c, found.Best.Before),
	}
	if found.Backwards != nil {
		r.Unsafe = rolloutSteps(c, found.Backwards.Steps)
	}
	if found.Standby != nil {
		r.Instead = rolloutSteps(c, found.Standby.Steps)
	}
	return r
}

func rolloutSteps(c *sim.Cluster, steps []sim.Step) (list []report.RolloutStep) {
	for _, s := range steps {
		step := report.RolloutStep{Director: c.Names()[s.Node], Action: s.Manner.String(), Troubles: troubles(c, s.Troubles)}
		for _, m := range s.Moves {
			step.Moves = append(step.Moves, report.RolloutMove{
				Instance: m.Instance, Address: m.Address.String(), From: called(c, m.From), To: called(c, m.To),
				FromPriority: int(m.Lost), ToPriority: int(m.Gained),
			})
		}
		list = append(list, step)
	}
	return list
}

func troubles(c *sim.Cluster, list []sim.Trouble) (all []report.RolloutTrouble) {
	for _, x := range list {
		all = append(all, report.RolloutTrouble{
			Address: x.Address.String(), Nobody: x.Gap.Seconds(), Several: x.Overlap.Seconds(), Holders: called(c, x.Holders), Stays: x.Stays,
		})
	}
	return all
}

// called returns the names of nodes.
func called(c *sim.Cluster, nodes []int) []string {
	names := []string{}
	for _, n := range nodes {
		names = append(names, c.Names()[n])
	}
	return names
}
