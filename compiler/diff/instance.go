package diff

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// What happens to an instance at the reload.
const (
	Untouched Verdict = "untouched"
	Retuned   Verdict = "retuned in place"
	Addresses Verdict = "addresses change"
	Election  Verdict = "re-election"
	Restart   Verdict = "restart needed"
)

// An Instance is what happens to a VRRP instance.
type Instance struct {
	Name    string
	Key     ir.InstanceKey
	Verdict Verdict
	Reason  string
	Origin  source.Span // in the new file; zero: it is gone
}

// instances judges every instance of both sides.
func instances(before, after *ir.Config, changes changed) (list []Instance) {
	restart := restarts(changes.list)
	around := surroundings{
		groups: byMember(slices.Concat(before.SyncGroups, after.SyncGroups)), changes: changes,
		held: holders(before), holds: holders(after),
	}
	known := byKey(before.Instances, (*ir.VRRPInstance).Key)
	kept := byKey(after.Instances, (*ir.VRRPInstance).Key)
	for _, v := range after.Instances {
		if kept[v.Key()] != v {
			continue // a second instance of the same virtual router: the first one counts
		}
		i := Instance{Name: v.Name, Key: v.Key(), Origin: v.Span()}
		switch old := known[v.Key()]; {
		case len(restart) > 0 && old != nil:
			i.Verdict, i.Reason = Restart, restart+" takes effect only after a restart"
		case old == nil:
			i.Verdict, i.Reason = Election, arrival(v, before, kept)
		default:
			i.Verdict, i.Reason = around.judge(old, v)
		}
		list = append(list, i)
	}
	for _, v := range before.Instances {
		if known[v.Key()] == v && kept[v.Key()] == nil && !replaced(v, known, after) {
			list = append(list, Instance{
				Name: v.Name, Key: v.Key(), Verdict: Election,
				Reason: "it is gone: a MASTER leaves with priority 0, and another router takes over",
			})
		}
	}
	return list
}

// byKey indexes parts by what a reload identifies them by; of several with the same key, the first counts.
func byKey[K comparable, V any](list []*V, key func(*V) K) map[K]*V {
	m := make(map[K]*V, len(list))
	for _, v := range list {
		if k := key(v); m[k] == nil {
			m[k] = v
		}
	}
	return m
}

// restarts names what a reload cannot change.
func restarts(changes []*Setting) string {
	var words []string
	for _, c := range changes {
		if c.key.Reload == schema.Restart && !slices.Contains(words, c.key.Word) {
			words = append(words, c.key.Word)
		}
	}
	return strings.Join(words, ", ")
}

// surroundings is the context of the instances on both sides.
type surroundings struct {
	groups      map[string][]*ir.SyncGroup // of both sides, by the names of their members
	changes     changed
	held, holds map[state.AddressKey]*ir.VRRPInstance // by address: before and after
}

func byMember(groups []*ir.SyncGroup) map[string][]*ir.SyncGroup {
	m := map[string][]*ir.SyncGroup{}
	for _, g := range groups {
		for _, member := range g.Members {
			m[member.Text] = append(m[member.Text], g)
		}
	}
	return m
}

// holders returns the first instance that has each address.
func holders(cfg *ir.Config) map[state.AddressKey]*ir.VRRPInstance {
	m := map[state.AddressKey]*ir.VRRPInstance{}
	for _, v := range cfg.Instances {
		for _, a := range v.Addresses {
			if k := addressKey(a); m[k] == nil {
				m[k] = v
			}
		}
	}
	return m
}

func addressKey(a ir.Address) state.AddressKey {
	return state.AddressKey{Dev: a.On(), Prefix: a.Prefix}
}

// judge compares two instances that are one virtual router.
func (s surroundings) judge(old, now *ir.VRRPInstance) (Verdict, string) {
	if moves := s.addressChanges(old, now); len(moves) > 0 {
		return Addresses, strings.Join(moves, "; ") + "; role and timers stay" + contest(old, now)
	}
	depends := s.concerned(now)
	if len(s.changes.byOwner[now.Key()]) == 0 && len(depends) == 0 {
		return Untouched, "nothing of it changes"
	}
	reason := "role and timers stay" + contest(old, now)
	if len(depends) > 0 {
		reason += "; it depends on " + strings.Join(depends, " and ")
	}
	if words := unheard(old, now); len(words) > 0 {
		reason += "; peers drop its advertisements, and it theirs, until they have the new " + strings.Join(words, " and ")
	}
	return Retuned, reason
}

// contest says who may win an election that a changed priority starts.
func contest(old, now *ir.VRRPInstance) string {
	switch {
	case now.Priority < old.Priority:
		return fmt.Sprintf("; as MASTER it yields to a router that preempts with a priority above %d", now.Priority)
	case now.Priority > old.Priority && !now.NoPreempt:
		return fmt.Sprintf("; as BACKUP it takes over from a MASTER with a priority below %d", now.Priority)
	}
	return ""
}

// concerned names the changed blocks that an instance depends on: what it tracks, and its sync group.
func (s surroundings) concerned(v *ir.VRRPInstance) (found []string) {
	blocks := map[ir.TrackKind][]string{
		ir.ScriptTracker: {"vrrp_script"}, ir.FileTracker: {"track_file", "vrrp_track_file"}, ir.ProcessTracker: {"vrrp_track_process"}, ir.BFDTracker: {"bfd_instance"},
	}
	note := func(block string) {
		if _, changes := s.changes.blocks[block]; changes && !slices.Contains(found, block) {
			found = append(found, block)
		}
	}
	add := func(of *ir.Tracked) {
		for t := range of.Lines() {
			for _, word := range blocks[t.Kind] {
				note(word + " " + t.Name)
			}
		}
	}
	add(&v.Tracked)
	for _, g := range s.groups[v.Name] {
		note("vrrp_sync_group " + g.Name)
		add(&g.Tracked)
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Compare(s.changes.blocks[a], s.changes.blocks[b]) })
	return found
}

// unheard names the changes that make routers drop each other's advertisements while only one of them has the change.
func unheard(old, now *ir.VRRPInstance) (words []string) {
	if old.Version != now.Version {
		return []string{"version"}
	}
	if now.Version == 2 && old.Auth != now.Auth {
		words = append(words, "authentication")
	}
	if now.Version == 2 && old.AdvertInterval != now.AdvertInterval {
		words = append(words, "advert_int")
	}
	return words
}

// arrival says why an instance starts from scratch.
func arrival(v *ir.VRRPInstance, before *ir.Config, kept map[ir.InstanceKey]*ir.VRRPInstance) string {
	old := namesake(before, v.Name)
	if old == nil || kept[old.Key()] != nil {
		return "it is new: it begins as BACKUP"
	}
	var what []string
	if old.Interface != v.Interface {
		what = append(what, fmt.Sprintf("interface %s -> %s", old.Interface, v.Interface))
	}
	if old.VRID != v.VRID {
		what = append(what, fmt.Sprintf("virtual_router_id %d -> %d", old.VRID, v.VRID))
	}
	if old.IPv6() != v.IPv6() {
		what = append(what, "the family of its addresses")
	}
	return strings.Join(what, " and ") + " makes it another virtual router: the old one leaves with priority 0, the new one begins as BACKUP"
}

// replaced reports whether the name of an instance that is gone is now that of a different virtual router.
func replaced(v *ir.VRRPInstance, known map[ir.InstanceKey]*ir.VRRPInstance, after *ir.Config) bool {
	now := namesake(after, v.Name)
	return now != nil && known[now.Key()] == nil
}

func namesake(cfg *ir.Config, name string) *ir.VRRPInstance {
	if i := slices.IndexFunc(cfg.Instances, func(v *ir.VRRPInstance) bool { return v.Name == name }); i >= 0 {
		return cfg.Instances[i]
	}
	return nil
}

// addressChanges lists the addresses that an instance gains, loses or holds with different settings.
func (s surroundings) addressChanges(old, now *ir.VRRPInstance) (list []string) {
	before, after := addresses(old), addresses(now)
	for i, a := range now.Addresses {
		k := addressKey(a)
		if after[k] != &now.Addresses[i] {
			continue // a duplicate: the last one counts
		}
		b := before[k]
		switch from := s.held[k]; {
		case b == nil && from != nil && from.Key() != now.Key():
			list = append(list, fmt.Sprintf("+ %v comes from %s and is not touched", a.Prefix, from.Name))
		case b == nil:
			list = append(list, fmt.Sprintf("+ %v", a.Prefix))
		case b.Excluded != a.Excluded && a.Excluded:
			list = append(list, fmt.Sprintf("%v is no longer advertised", a.Prefix))
		case b.Excluded != a.Excluded:
			list = append(list, fmt.Sprintf("%v is advertised", a.Prefix))
		case !sameAddress(*b, a):
			list = append(list, fmt.Sprintf("%v with other settings", a.Prefix))
		}
	}
	for i, a := range old.Addresses {
		k := addressKey(a)
		if after[k] != nil || before[k] != &old.Addresses[i] {
			continue
		}
		if to := s.holds[k]; to != nil && to.Key() != old.Key() {
			list = append(list, fmt.Sprintf("- %v goes to %s and is not touched", a.Prefix, to.Name))
		} else {
			list = append(list, fmt.Sprintf("- %v", a.Prefix))
		}
	}
	return list
}

// addresses indexes the addresses of an instance by their kernel key; of several lines about one, the last counts.
func addresses(v *ir.VRRPInstance) map[state.AddressKey]*ir.Address {
	m := make(map[state.AddressKey]*ir.Address, len(v.Addresses))
	for i := range v.Addresses {
		m[addressKey(v.Addresses[i])] = &v.Addresses[i]
	}
	return m
}

func sameAddress(a, b ir.Address) bool {
	a.Origin, b.Origin = ir.Origin{}, ir.Origin{}
	return reflect.DeepEqual(a, b)
}
