package router

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/track"
	"keepc/runtime/vrrp"
)

// A Generation is a configuration as the machine uses it: its instances, and what each event concerns. It is
// immutable, so that the next one can be prepared from it while the machine works.
type Generation struct {
	cfg       *ir.Config
	members   []member // in file order
	instances map[ir.InstanceKey]*instance
	twins     map[ir.InstanceKey][]*instance // by the key of the first: those with its VRID, in file order
	sourced   []*instance                    // instances that need an address which may be on any interface
	onLink    map[string][]*instance         // by interface: those that use or track it
	tracking  map[track.Thing][]*instance    // except interfaces
	virtual   map[netip.Addr]bool            // the addresses that move with the roles of this director
	holders   map[place][]*instance          // of virtual addresses
	scripts   map[string]*script             // by name: those that some instance tracks
	delays    map[string]*upDown             // by interface: interface_up_down_delays
	made      map[string]bool                // virtual interfaces of this director; true: advertisements are sent on it
	groups    []company
}

// A place is an address on an interface.
type place struct {
	iface string
	addr  netip.Addr
}

// A company is a sync group in one configuration.
type company struct {
	*group
	cfg     *ir.SyncGroup
	members []*instance
}

// A member is an instance in one configuration.
type member struct {
	*instance
	cfg      *ir.VRRPInstance
	trackers []track.Tracker
}

// A Next is a configuration that is ready to be swapped in: everything that takes long is done.
type Next struct {
	*Generation
	base    *Generation // what it was prepared from
	changed []*instance // members that are new, or whose configuration changed
	removed []*instance
	timings []timing
	ended   []*script
	// untracked things were tracked before.
	untracked []track.Thing
	uptime    time.Duration // of the host, at a start
}

// A timing says when a script runs from now on.
type timing struct {
	*script
	spec  track.Spec
	fresh bool
	after *script // whose state a new script takes over until its first result; nil: none
}

// Prepare makes a configuration ready for Swap; current is what the machine has in force, nil for the first one. The
// configuration must not change afterwards. Prepare may run beside the machine, on any goroutine, and take its time.
func Prepare(cfg *ir.Config, current *Generation) *Next {
	if current == nil {
		current = &Generation{}
	}
	n := &Next{base: current, Generation: &Generation{
		cfg: cfg, instances: map[ir.InstanceKey]*instance{}, twins: map[ir.InstanceKey][]*instance{}, onLink: map[string][]*instance{}, tracking: map[track.Thing][]*instance{},
		virtual: map[netip.Addr]bool{}, holders: map[place][]*instance{}, scripts: map[string]*script{}, made: map[string]bool{},
		delays: map[string]*upDown{},
	}}
	n.prepareInstances()
	n.prepareDelays()
	n.prepareGroups()
	n.prepareScripts()
	for t := range current.tracking {
		if n.tracking[t] == nil {
			n.untracked = append(n.untracked, t)
		}
	}
	return n
}

func (n *Next) prepareInstances() {
	before := map[*instance]member{}
	for _, b := range n.base.members {
		before[b.instance] = b
	}
	for _, v := range n.cfg.Instances {
		k := v.Key()
		if n.instances[k] != nil {
			continue // a second block of the same virtual router: the compiler has reported it
		}
		i := n.base.instances[k]
		if i == nil {
			i = newInstance(v)
		}
		x := member{i, v, track.Of(v, n.cfg)}
		n.instances[k] = i
		first := k
		first.Twin = 0
		n.twins[first] = append(n.twins[first], i)
		if wantsSource(v) {
			n.sourced = append(n.sourced, i)
		}
		n.members = append(n.members, x)
		for _, a := range v.Addresses {
			n.virtual[a.Prefix.Addr()] = true
			concern(n.holders, place{a.On(), a.Prefix.Addr()}, i)
		}
		for _, l := range v.Links {
			n.made[l.Name] = n.made[l.Name] || l.Name == v.Leaves()
		}
		concern(n.onLink, v.Interface, i)
		for _, t := range x.trackers {
			if t.Kind == track.Interface {
				concern(n.onLink, t.Name, i)
			} else {
				concern(n.tracking, t.Thing, i)
			}
		}
	}
	// The source of an advertisement is never a virtual address, of any instance.
	everybody := !maps.Equal(n.virtual, n.base.virtual)
	for _, x := range n.members {
		if b, kept := before[x.instance]; everybody || !kept || !slices.Equal(x.trackers, b.trackers) || !equal(reflect.ValueOf(x.cfg), reflect.ValueOf(b.cfg)) {
			n.changed = append(n.changed, x.instance)
		}
	}
	for _, b := range n.base.members {
		if n.instances[b.key] == nil {
			n.removed = append(n.removed, b.instance)
		}
	}
}

// concern records once that something concerns an instance.
func concern[K comparable](of map[K][]*instance, what K, i *instance) {
	if list := of[what]; len(list) == 0 || list[len(list)-1] != i {
		of[what] = append(list, i)
	}
}

// prepareGroups finds the sync groups that have members.
func (n *Next) prepareGroups() {
	named := map[string]*instance{}
	for _, x := range n.members {
		named[x.cfg.Name] = x.instance
	}
	for _, g := range n.cfg.SyncGroups {
		c := company{group: &group{name: g.Name}, cfg: g}
		for _, b := range n.base.groups {
			if b.name == g.Name {
				c.group = b.group
			}
		}
		for _, name := range g.Members {
			if i := named[name.Text]; i != nil && !slices.Contains(c.members, i) && !slices.ContainsFunc(n.groups, func(o company) bool { return slices.Contains(o.members, i) }) {
				c.members = append(c.members, i)
			}
		}
		if len(c.members) > 0 {
			n.groups = append(n.groups, c)
		}
	}
}

func (n *Next) prepareScripts() {
	for _, s := range n.cfg.Scripts {
		thing := track.Thing{Kind: track.Script, Name: s.Name}
		if n.tracking[thing] == nil || n.scripts[s.Name] != nil {
			continue
		}
		x := timing{script: n.base.scripts[s.Name], spec: track.SpecOf(s)}
		if x.script == nil || x.id != scriptID(s) {
			x.fresh, x.after = true, x.script
			x.script = &script{id: scriptID(s), args: s.Command.Args}
		}
		n.scripts[s.Name] = x.script
		n.timings = append(n.timings, x)
	}
	for name, x := range n.base.scripts {
		if n.scripts[name] != x {
			n.ended = append(n.ended, x)
		}
	}
}

// swap puts a prepared configuration into force. What has the same key in both continues as if nothing had happened:
// instances keep role and timers, scripts their state. An equal configuration has no effects at all. What is new
// begins as at a start.
func (m *Machine) swap(now time.Time, n *Next) {
	if n.base != m.current { // a different one came first
		n = Prepare(n.cfg, m.current)
	}
	m.current = n.Generation
	for _, s := range n.timings {
		switch {
		case !s.fresh:
			s.runs.Retime(s.spec)
			m.await(s.script)
		case s.after != nil:
			m.begin(now, s.script, s.spec, s.after.runs.Status())
		default:
			m.begin(now, s.script, s.spec, track.Status{})
		}
	}
	for _, x := range n.ended {
		m.timers.Stop(&x.Timer)
	}
	for _, x := range n.members {
		i := x.instance
		i.found = i.found && n.base.cfg == nil // at a start
		if i.trackers = x.trackers; i.Do == nil {
			i.Do, i.Owner = func(now time.Time) { m.drive(now, i, vrrp.Tick{}) }, i
		}
		if i.cfg != x.cfg {
			i.cfg = x.cfg
			m.drive(now, i, vrrp.Reconfigure{Config: x.cfg})
		}
	}
	moved := m.regroup(n)
	for _, i := range n.removed {
		i.deleted = true
		m.drive(now, i, vrrp.Stop{Reason: "no longer in the configuration"})
	}
	maps.DeleteFunc(m.worked, func(name string, _ bool) bool { _, made := n.made[name]; return !made })
	for _, t := range n.untracked {
		delete(m.things, t)
	}
	for _, i := range n.changed {
		if _, present := m.links[i.key.Interface]; present || m.settled {
			m.inform(now, i)
		}
	}
	m.settleLinks(now, n.base.delays)
	m.reconvene(now, moved)
	if m.settled && n.cfg.Global.FIFOWriteStatesOnReload {
		m.recite()
	}
}

// recite repeats the roles: of groups, and of instances without a group.
func (m *Machine) recite() {
	for _, g := range m.current.groups {
		m.emit(RoleRecited{Group: true, Name: g.group.name, Role: g.group.role.String()})
	}
	for _, x := range m.current.members {
		if i := x.instance; i.group == nil {
			m.emit(RoleRecited{Name: i.cfg.Name, Role: i.machine.Role().String(), Priority: i.machine.Priority()})
		}
	}
}

// equal compares two configurations of an instance, wherever they are in their files.
func equal(a, b reflect.Value) bool {
	switch a.Type() {
	case reflect.TypeFor[ir.Origin](), reflect.TypeFor[*ir.SyncGroup](): // the settings of a group do not belong to the instance
		return true
	}
	switch a.Kind() {
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.IsNil() || equal(a.Elem(), b.Elem()))
	case reflect.Slice:
		same := a.Len() == b.Len()
		for i := 0; same && i < a.Len(); i++ {
			same = equal(a.Index(i), b.Index(i))
		}
		return same
	case reflect.Struct:
		same := true
		for i := 0; same && i < a.NumField(); i++ {
			same = equal(a.Field(i), b.Field(i))
		}
		return same
	}
	return a.Comparable() && a.Equal(b)
}
