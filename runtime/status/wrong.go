package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/runtime/bfd"
	"keepc/runtime/reconcile"
	"keepc/runtime/vrrp"
)

// recent is how long the advertisements of a router count as dropped after the last one.
const recent = time.Minute

// Wrong lists what is wrong, one line each, the worst first: instances in FAULT, other routers that are not heard, BFD
// sessions that are not up, services without a quorum, what the kernel refuses, a refused reload, servers that are
// down, servers whose certificate ends soon. It is empty when all is well.
func (d Document) Wrong() (lines []string) {
	say := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	for _, i := range d.Instances {
		if i.Role == vrrp.Faulty.String() {
			say("%s has been in FAULT since %s: %s", i.Name, clock(i.Since, d.At), i.Why)
		}
	}
	for _, i := range d.Instances {
		for _, x := range i.dropping(d.At) {
			say("%s has dropped the advertisements of %s since %s, %d so far: %s", i.Name, x.Peer, clock(x.Since, d.At), x.Count, x.Why)
		}
	}
	for _, i := range d.Instances {
		for _, c := range i.Current(d.At) {
			known := slices.ContainsFunc(i.Dropped, func(x Dropped) bool { return x.Peer == c.Peer && x.Last.Equal(c.Last) })
			if !known || c.Name == vrrp.ForeignCluster.String() {
				say("%s, %s: %s since %s, %d times so far: %s", i.Name, c.Name, c.Peer, clock(c.Since, d.At), c.Count, c.Cause)
			}
		}
	}
	for _, s := range d.Sessions {
		switch {
		case s.State == bfd.Up.String():
		case s.Diagnostic == "":
			say("the BFD session %s with %s has been %s since %s", s.Name, s.Neighbor, s.State, clock(s.Since, d.At))
		default:
			say("the BFD session %s with %s has been %s since %s: %s", s.Name, s.Neighbor, s.State, clock(s.Since, d.At), s.Diagnostic)
		}
	}
	for _, s := range d.Services {
		if s.Lost {
			say("%s has lost its quorum", s.Name)
		}
	}
	if len(d.NotInPlace) == 0 {
		for _, p := range d.Problems {
			say("%s; trying again", p)
		}
	}
	for i, o := range d.NotInPlace {
		if i == maxObjects {
			say("%d more objects are not in place", len(d.NotInPlace)-maxObjects)
			break
		}
		if o.State == reconcile.Failed {
			say("%s %s has failed since %s, %d tries: %s", o.Kind, o.Name, clock(o.Since, d.At), o.Tries, o.Error)
		}
	}
	if r := d.Reload; r != nil && r.Refused != "" {
		first, _, more := strings.Cut(strings.TrimSpace(r.Refused), "\n")
		if more {
			first += " …"
		}
		say("the reload of %s was refused: %s", clock(r.At, d.At), first)
	}
	for _, s := range d.Services {
		for _, r := range s.Servers {
			if !r.Up {
				say("%s of %s is down: %s", r.Address, s.Name, r.Cause)
			}
		}
	}
	for _, s := range d.Services {
		for _, r := range s.Servers {
			if r.Up && r.CertificateEndsSoon {
				say("the certificate of %s of %s ends at %s; the server is down by then", r.Address, s.Name, r.CertificateEnds.Local().Format("2006-01-02 15:04"))
			}
		}
	}
	return lines
}

// dropping returns the routers whose advertisements an instance drops at a time.
func (i Instance) dropping(at time.Time) (list []Dropped) {
	for _, x := range i.Dropped {
		if at.Sub(x.Last) <= recent {
			list = append(list, x)
		}
	}
	return list
}

// Current returns the conditions of an instance that hold at a time. Two masters seen once are a normal change of the
// master: their advertisements crossed.
func (i Instance) Current(at time.Time) (list []Condition) {
	for _, c := range i.Conditions {
		if crossed := c.Name == vrrp.DualMaster.String() && c.Count == 1; at.Sub(c.Last) <= recent && !crossed {
			list = append(list, c)
		}
	}
	return list
}

// OnlyDropped returns the routers whose advertisements are dropped at a time and that no condition names, for the
// page.
func (i Instance) OnlyDropped(at time.Time) (list []Dropped) {
	conditions := i.Current(at)
	for _, d := range i.dropping(at) {
		if !slices.ContainsFunc(conditions, func(c Condition) bool { return c.Peer == d.Peer }) {
			list = append(list, d)
		}
	}
	return list
}

// A Wish says that an instance should have a role.
type Wish struct{ Instance, Role string }

// ParseWish reads "VI_1 MASTER".
func ParseWish(text string) (w Wish, err error) {
	fields := strings.Fields(text)
	if len(fields) == 2 {
		w = Wish{fields[0], strings.ToUpper(fields[1])}
		for _, r := range []vrrp.Role{vrrp.Init, vrrp.Backup, vrrp.Master, vrrp.Faulty} {
			if r.String() == w.Role {
				return w, nil
			}
		}
	}
	return w, fmt.Errorf("%q: expected an instance and a role, as \"VI_1 MASTER\", \"VI_1 BACKUP\" or \"VI_1 FAULT\"", text)
}

// Holds reports whether the wish is met, and what is true instead.
func (w Wish) Holds(d *Document) (met bool, instead string) {
	if d == nil {
		return false, ErrNone.Error()
	}
	for _, i := range d.Instances {
		if i.Name == w.Instance {
			return i.Role == w.Role, fmt.Sprintf("%s is %s: %s", i.Name, i.Role, i.Why)
		}
	}
	return false, "there is no instance " + w.Instance
}
