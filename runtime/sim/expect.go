package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A condition is what an expectation says about the cluster.
type condition struct {
	within time.Duration
	// met reports whether it is true now, and otherwise what is true instead.
	met func(*world) (bool, string)
	// fared judges the outcome for an address from the expectation to the end of the run; it replaces met.
	fared func(Outcome) (bool, string)
	of    netip.Addr // zero: every address
}

// An expectation is a condition that waits to be met.
type expectation struct {
	step
	event
}

// expect starts waiting for an expectation.
func (w *world) expect(s step) {
	x := &expectation{step: s}
	x.event = event{rank: verdict, do: func() { w.conclude(x) }}
	if s.expect.fared == nil {
		w.plan(&x.event, s.at+s.expect.within)
	}
	w.waiting = append(w.waiting, x)
	if s.expect.within > 0 {
		w.judge()
	}
}

// judge checks which expectations have come true. Those for a single instant wait until it is over.
func (w *world) judge() {
	if len(w.waiting) == 0 {
		return
	}
	if slices.ContainsFunc(w.nodes, func(n *node) bool { return len(n.changed) > 0 }) {
		return // at the end of this instant, when that is carried out
	}
	for _, x := range slices.Clone(w.waiting) {
		if x.expect.met == nil || x.expect.within == 0 {
			continue
		}
		if ok, _ := x.expect.met(w); ok {
			w.conclude(x)
		}
	}
}

// conclude judges an expectation finally.
func (w *world) conclude(x *expectation) {
	w.cancel(&x.event)
	w.waiting = slices.DeleteFunc(w.waiting, func(o *expectation) bool { return o == x })
	w.judged(x.step, func() (bool, string) { return x.expect.met(w) })
}

func (w *world) judged(s step, met func() (bool, string)) {
	w.result.Expected++
	e := Entry{Kind: Expected, Line: s.line, State: "met", Text: s.text}
	if ok, instead := met(); !ok {
		e.State = "failed"
		e.Text += ": " + instead
		w.result.Failed = append(w.result.Failed, Finding{s.line, e.Text})
	}
	w.record(e)
}

// concludeAll judges what is left at the end of the run.
func (w *world) concludeAll(h History) {
	for _, x := range slices.Clone(w.waiting) {
		if x.expect.fared == nil {
			w.conclude(x)
			continue
		}
		w.judged(x.step, func() (bool, string) {
			for _, a := range h {
				if x.expect.of.IsValid() && a.Address != x.expect.of {
					continue
				}
				if o, seen := a.overDeeds(w.trace, x.step.at, w.now); seen {
					if ok, instead := x.expect.fared(o); !ok {
						return false, fmt.Sprintf("%v: %s", a.Address, instead)
					}
				}
			}
			return true, ""
		})
	}
	w.waiting = nil
}

// A conditionForm is a form of expectation; the first one that matches the words is used.
type conditionForm struct {
	form, help string
	fits       func(p *parser, word string) bool
	parse      func(p *parser, word string) (condition, error)
}

func conditionForms() []conditionForm {
	return []conditionForm{
		{"NODE master [of INSTANCE]", "or backup, fault, stopped: the role of all its instances or of one",
			func(p *parser, word string) bool { return word == everybody || p.cluster.find(word) >= 0 }, expectRole},
		{"ADDRESS announced [on NODE]", "or moving, draining, withdrawn: the stage of an announced address on all nodes, or one", isStage, expectStage},
		{"ADDRESS on NODE[,NODE...]", "exactly these hold the address; \"nobody\" is possible", isAddress, expectHolders},
		{"ADDRESS:PORT up [on NODE]", "or down: the health of a real server as all running nodes, or one, see it", isServer, expectServer},
		{"no gap [of ADDRESS]", "or overlap, flap: from here to the end of the run",
			func(_ *parser, word string) bool { return word == "no" }, expectNone},
		{"gap below TIME [of ADDRESS]", "or overlap: all gaps from here to the end of the run taken together",
			func(_ *parser, word string) bool { return word == "gap" || word == "overlap" }, expectBelow},
	}
}

// condition reads the rest of an expectation.
func (p *parser) condition() (condition, error) {
	word := p.next()
	for _, f := range conditionForms() {
		if !f.fits(p, word) {
			continue
		}
		c, err := f.parse(p, word)
		if err == nil && c.met != nil && p.takes("within") {
			c.within, err = p.duration()
		}
		if err == nil {
			err = p.nothingMore()
		}
		if err != nil {
			return condition{}, fmt.Errorf("%w; write: expect %s", err, f.form)
		}
		return c, nil
	}
	var forms []string
	for _, f := range conditionForms() {
		forms = append(forms, f.form)
	}
	return condition{}, fmt.Errorf("expected one of: %s", strings.Join(forms, "; "))
}

func isAddress(_ *parser, word string) bool { _, err := netip.ParseAddr(word); return err == nil }

func isServer(_ *parser, word string) bool { _, err := netip.ParseAddrPort(word); return err == nil }

func expectRole(p *parser, word string) (condition, error) {
	nodes := p.cluster.everybody()
	if word != everybody {
		nodes = []int{p.cluster.find(word)}
	}
	role, ok := map[string]string{"master": "MASTER", "backup": "BACKUP", "fault": "FAULT", "stopped": stopped}[p.next()]
	if !ok {
		return condition{}, errors.New("a role is missing: master, backup, fault or stopped")
	}
	instance := ""
	if p.takes("of") {
		instance = p.next()
		for _, n := range nodes {
			if !slices.ContainsFunc(p.cluster.nodes[n].Config.Instances, func(v *ir.VRRPInstance) bool { return v.Name == instance }) {
				return condition{}, fmt.Errorf("%s has no instance %q", p.cluster.nodes[n].Name, instance)
			}
		}
	}
	return condition{met: func(w *world) (bool, string) {
		for _, i := range nodes {
			n := w.nodes[i]
			for _, v := range n.cfg.Instances {
				if got := n.role(v); (instance == "" || v.Name == instance) && got != role {
					return false, fmt.Sprintf("%s %s is %s", n.name, v.Name, got)
				}
			}
		}
		return true, ""
	}}, nil
}

// stopped is the role of an instance whose daemon does not run.
const stopped = "stopped"

func (n *node) role(v *ir.VRRPInstance) string {
	if n.brains == nil {
		return stopped
	}
	return n.roles[v.Key()]
}

func expectHolders(p *parser, word string) (condition, error) {
	a, err := netip.ParseAddr(word)
	if err != nil {
		return condition{}, err
	}
	if !p.cluster.hands(a) {
		return condition{}, fmt.Errorf("%v is not a virtual address", a)
	}
	if !p.takes("on") {
		return condition{}, errors.New(`"on" is missing`)
	}
	var want []int
	for name := range strings.SplitSeq(p.next(), ",") {
		if name == nobody {
			continue
		}
		n, err := p.node(name)
		if err != nil {
			return condition{}, err
		}
		want = append(want, n)
	}
	slices.Sort(want)
	return condition{met: func(w *world) (bool, string) {
		holders := w.history(a).holders
		return slices.Equal(holders, want), fmt.Sprintf("it is on %s", and(pick(w.cluster.Names(), holders)))
	}}, nil
}

// hands reports whether an address is a virtual address of a node.
func (c *Cluster) hands(a netip.Addr) bool {
	return slices.ContainsFunc(c.nodes, func(n Node) bool {
		return slices.ContainsFunc(n.Config.Instances, func(v *ir.VRRPInstance) bool {
			return slices.ContainsFunc(v.Addresses, func(x ir.Address) bool { return x.Prefix.Addr() == a })
		})
	})
}

func expectServer(p *parser, word string) (condition, error) {
	server, err := netip.ParseAddrPort(word)
	if err != nil {
		return condition{}, err
	}
	state := p.next()
	if state != "up" && state != "down" {
		return condition{}, errors.New("up or down is missing")
	}
	nodes := p.cluster.everybody()
	if p.takes("on") {
		if nodes, err = p.nodes(); err != nil {
			return condition{}, err
		}
	}
	return condition{met: func(w *world) (bool, string) {
		seen := false
		for _, i := range nodes {
			n := w.nodes[i]
			if n.brains == nil {
				continue
			}
			down := n.brains.balance.Situation().Down
			for _, k := range n.destinations(server) {
				seen = true
				if cause, is := down[k]; is && state == "up" {
					return false, fmt.Sprintf("%s: %v is down: %s", n.name, k, cause)
				} else if !is && state == "down" {
					return false, fmt.Sprintf("%s: %v is up", n.name, k)
				}
			}
		}
		return seen, "no running node has such a real server"
	}}, nil
}

func expectNone(p *parser, _ string) (condition, error) {
	what := p.next()
	of, err := p.of()
	c := condition{of: of}
	switch what {
	case "gap":
		c.fared = func(o Outcome) (bool, string) { return o.Gap == 0, "no holder for " + length(o.Gap) }
	case "overlap":
		c.fared = func(o Outcome) (bool, string) { return o.Overlap == 0, "several holders for " + length(o.Overlap) }
	case "flap":
		c.fared = func(o Outcome) (bool, string) { return o.Flaps == 0, fmt.Sprintf("it flapped %d times", o.Flaps) }
	default:
		return c, errors.New("gap, overlap or flap is missing")
	}
	return c, err
}

func expectBelow(p *parser, what string) (condition, error) {
	if !p.takes("below") {
		return condition{}, errors.New(`"below" is missing`)
	}
	limit, err := p.duration()
	if err != nil {
		return condition{}, err
	}
	of, err := p.of()
	if what == "gap" {
		return condition{of: of, fared: func(o Outcome) (bool, string) { return o.Gap < limit, "no holder for " + length(o.Gap) }}, err
	}
	return condition{of: of, fared: func(o Outcome) (bool, string) { return o.Overlap < limit, "several holders for " + length(o.Overlap) }}, err
}

// of reads "of ADDRESS"; without it, the expectation is about every address.
func (p *parser) of() (a netip.Addr, err error) {
	if !p.takes("of") {
		return a, nil
	}
	word := p.next()
	if a, err = netip.ParseAddr(word); err != nil {
		return a, fmt.Errorf("%q is not an address", word)
	}
	if !p.cluster.hands(a) {
		return a, fmt.Errorf("%v is not a virtual address", a)
	}
	return a, nil
}
