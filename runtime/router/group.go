package router

import (
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/vrrp"
)

// A group is a sync group: its members have one role. It is the machine above theirs. The rules are those of
// keepalived: the members become MASTER when each of them would, BACKUP when one does, and are in FAULT while one is.
// A group lives as long as configurations have its name.
type group struct {
	name    string
	cfg     *ir.SyncGroup // in force
	members []*instance   // in the order of the group
	role    vrrp.Role     // the last one that all members had
	moving  bool          // members are following one that lost its role
	waited  bool          // for something that a member tracks, at the start
}

// regroup puts the sync groups of a new configuration into force. It returns the instances whose group changed.
func (m *Machine) regroup(n *Next) (moved []*instance) {
	of := map[*instance]*group{}
	for _, c := range n.groups {
		same := slices.Equal(c.group.members, c.members)
		c.group.cfg, c.group.members = c.cfg, c.members
		for _, i := range c.members {
			if of[i] = c.group; !same {
				moved = append(moved, i)
			}
		}
	}
	for _, x := range n.members {
		if i := x.instance; i.group != of[i] {
			if i.group = of[i]; i.group == nil {
				moved = append(moved, i)
			}
		}
	}
	return moved
}

// reconvene gives instances that moved to a different group the role of that group: a MASTER beside a BACKUP becomes
// BACKUP.
func (m *Machine) reconvene(now time.Time, moved []*instance) {
	for _, i := range moved {
		if i.judged {
			m.convene(now, i)
		}
	}
	for _, i := range moved {
		if i.machine.Role() == vrrp.Backup {
			m.follow(now, i)
		}
	}
}

// convene lets an instance work whose own situation has become known, or stops it, and with it the members of its
// group.
func (m *Machine) convene(now time.Time, i *instance) {
	g := i.group
	if g == nil {
		m.admit(now, i, i.own, i.waits, false)
		return
	}
	if role := i.machine.Role(); i.own.kind == 0 && i.trouble.kind == 0 && (role == vrrp.Backup || role == vrrp.Master) && g.works() {
		m.admit(now, i, trouble{}, false, g.held()) // nothing changed for the others
		return
	}
	blame, waits := i, i.waits
	for _, x := range g.members {
		if blame.own.kind == 0 && x.own.kind != 0 {
			blame = x
		}
		// A member that has not been judged yet must be waited for.
		waits = waits || x.waits || !x.judged
		g.waited = g.waited || x.waits
	}
	held, first := g.held(), i.machine.Role() != vrrp.Init
	admit := func(x *instance) {
		t := x.own
		if t.kind == 0 && blame.own.kind != 0 {
			t = blame.own
			t.of = blame
		}
		m.admit(now, x, t, waits, held)
	}
	switch {
	case first || waits || blame.own.kind != 0 || g.role != vrrp.Init || i.found:
	case !held:
		g.role = vrrp.Master // keepalived does not announce it for a group of owners
	case !g.waited:
		g.tell(m, vrrp.Backup) // before its members, as keepalived does at its start
	}
	if first { // the member that moves the others goes first
		admit(i)
	}
	for _, x := range g.members {
		if x != i || !first {
			admit(x)
		}
	}
	m.settleGroup(g)
}

// admit lets an instance without trouble work. One that has not started yet waits.
func (m *Machine) admit(now time.Time, i *instance, t trouble, waits, held bool) {
	was := i.trouble
	i.trouble = t
	switch {
	case t.kind != 0:
		if t != was { // otherwise it is in FAULT already
			m.drive(now, i, vrrp.Fault{Reason: t.String()})
		}
	case !waits || i.machine.Role() != vrrp.Init:
		m.drive(now, i, vrrp.Ready{Source: i.source, Held: held, Here: i.found})
	}
}

// works reports whether no member has trouble.
func (g *group) works() bool {
	for _, x := range g.members {
		if x.own.kind != 0 {
			return false
		}
	}
	return true
}

// held reports whether an owner of its addresses must wait for the others of the group like any other router.
func (g *group) held() bool {
	for _, x := range g.members {
		if x.cfg.State != ir.Master || x.cfg.Priority != 255 {
			return true
		}
	}
	return false
}

// elect makes the group MASTER if each of its members would be.
func (m *Machine) elect(now time.Time, i *instance) {
	g := i.group
	if g == nil {
		m.drive(now, i, vrrp.Lead{}) // the group is new, and its instance does not know it yet
		return
	}
	for _, x := range g.members {
		if !x.machine.Elected() {
			return
		}
	}
	m.drive(now, i, vrrp.Lead{})
	for _, x := range g.members {
		if x != i {
			m.drive(now, x, vrrp.Lead{})
		}
	}
	m.settleGroup(g)
}

// follow makes the group BACKUP when a member becomes BACKUP.
func (m *Machine) follow(now time.Time, i *instance) {
	g := i.group
	if g == nil || g.moving {
		return
	}
	g.moving = true
	defer func() { g.moving = false }()
	for _, x := range g.members {
		if x != i && x.machine.Role() == vrrp.Master {
			m.drive(now, x, vrrp.Follow{Reason: i.cfg.Name + " of sync group " + g.name + ": " + i.reason.String()})
		}
	}
	m.settleGroup(g)
}

// settleGroup announces the role of a group when all members have a role that differs from the last.
func (m *Machine) settleGroup(g *group) {
	role := g.members[0].machine.Role()
	for _, x := range g.members {
		if x.machine.Role() != role {
			return
		}
	}
	if role != g.role && role != vrrp.Init {
		g.tell(m, role)
	}
}

func (g *group) tell(m *Machine, role vrrp.Role) {
	g.role = role
	m.emit(GroupChanged{Name: g.name, Role: role.String(), Config: g.cfg})
}
