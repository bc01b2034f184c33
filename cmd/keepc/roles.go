package main

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/grammar/diag"
)

// assumedRoles are the roles that a user assumes: for all instances, or for some by name. The others are as they are.
type assumedRoles struct {
	all   string // "live", "master", "backup"
	named []namedRole
}

type namedRole struct {
	instance string
	master   bool
}

// parseRoles reads the value of --as.
func parseRoles(text string) (r assumedRoles, err error) {
	if slices.Contains([]string{"live", "master", "backup"}, text) {
		return assumedRoles{all: text}, nil
	}
	r.all = "live"
	for one := range strings.SplitSeq(text, ",") {
		name, role, found := strings.Cut(one, "=")
		if !found || name == "" || role != "master" && role != "backup" {
			return r, fmt.Errorf("--as %s: expected live, master, backup, or INSTANCE=master,INSTANCE=backup", text)
		}
		r.named = append(r.named, namedRole{name, role == "master"})
	}
	return r, nil
}

// check returns an error for a name that no instance has.
func (r assumedRoles) check(cfg *ir.Config) error {
	var names []string
	for _, v := range cfg.Instances {
		names = append(names, v.Name)
	}
	for _, n := range r.named {
		if slices.Contains(names, n.instance) {
			continue
		}
		err := fmt.Errorf("--as: there is no instance %s", n.instance)
		if best, _ := diag.Suggest(n.instance, names); best != "" {
			err = fmt.Errorf("%w; did you mean %s?", err, best)
		}
		return err
	}
	return nil
}

// assume returns the situation and the words for it. What the user does not say follows from the running director, or
// else from the addresses that the host has.
func (r assumedRoles) assume(cfg *ir.Config, have state.State, before inForce) (s state.Situation, text string) {
	switch {
	case r.all == "master":
		return state.AllMaster(cfg), "assuming MASTER for all"
	case r.all == "backup":
		return state.Situation{Announced: state.AllAnnounced(cfg, "assumed")}, "assuming BACKUP for all"
	case before.daemon != nil:
		s, text = before.daemon.Situation(cfg), "with the roles and health of the running daemon"
	default:
		s, text = before.situation(cfg, have)
		s.Announced = state.AllAnnounced(cfg, "assumed")
	}
	for _, n := range r.named {
		for _, v := range cfg.Instances {
			switch {
			case v.Name != n.instance:
			case n.master:
				s.Master[v.Key()] = "assumed"
				text += "; " + v.Name + " as MASTER"
			default:
				delete(s.Master, v.Key())
				text += "; " + v.Name + " as BACKUP"
			}
		}
	}
	return s, text
}
