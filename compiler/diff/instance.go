package diff

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar/source"
)

// What becomes of an instance at the reload.
const (
	Untouched Verdict = "untouched"
	Retuned   Verdict = "retuned in place"
	Addresses Verdict = "addresses change"
	Election  Verdict = "re-election"
	Restart   Verdict = "restart needed"
)

// An Instance is what becomes of a VRRP instance.
type Instance struct {
	Name    string
	Key     ir.InstanceKey
	Verdict Verdict
	Reason  string
	Origin  source.Span // in the new file; zero: it is gone
}

// instances judges every instance of both sides.
func instances(before, after *ir.Config, changes []Setting) (list []Instance) {
	restart := restarts(changes)
	known := byKey(before.Instances, (*ir.VRRPInstance).Key)
	kept := byKey(after.Instances, (*ir.VRRPInstance).Key)
	for _, v := range after.Instances {
		if kept[v.Key()] != v {
			continue // twice the same virtual router: the first one counts
		}
		i := Instance{Name: v.Name, Key: v.Key(), Origin: v.Span()}
		switch old := known[v.Key()]; {
		case len(restart) > 0 && old != nil:
			i.Verdict, i.Reason = Restart, restart+" takes effect only after a restart"
		case old == nil:
			i.Verdict, i.Reason = Election, arrival(v, before, kept)
		default:
			i.Verdict, i.Reason = judge(old, v, changes, before, after)
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

// byKey finds parts by what a reload knows them by: the first one where several have it.
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
func restarts(changes []Setting) string {
	var words []string
	for _, c := range changes {
		if c.key.Reload == schema.Restart && !slices.Contains(words, c.key.Word) {
			words = append(words, c.key.Word)
		}
	}
	return strings.Join(words, ", ")
}

// judge compares two instances that are one virtual router.
func judge(old, now *ir.VRRPInstance, changes []Setting, before, after *ir.Config) (Verdict, string) {
	if moves := addressChanges(old, now, before, after); len(moves) > 0 {
		return Addresses, strings.Join(moves, "; ") + "; role and timers stay"
	}
	around := concerned(now, slices.Concat(before.SyncGroups, after.SyncGroups), changes)
	if len(of(changes, now.Key())) == 0 && len(around) == 0 {
		return Untouched, "nothing of it changes"
	}
	reason := "role and timers stay"
	if len(around) > 0 {
		reason += "; it depends on " + strings.Join(around, " and ")
	}
	if words := unheard(old, now); len(words) > 0 {
		reason += "; peers drop its advertisements, and it theirs, until they have the new " + strings.Join(words, " and ")
	}
	return Retuned, reason
}

// concerned names the blocks that change and that an instance depends on: what it tracks, and its sync group.
func concerned(v *ir.VRRPInstance, groups []*ir.SyncGroup, changes []Setting) (found []string) {
	mine := map[string]bool{}
	blocks := map[ir.TrackKind][]string{
		ir.ScriptTracker: {"vrrp_script"}, ir.FileTracker: {"track_file", "vrrp_track_file"}, ir.ProcessTracker: {"vrrp_track_process"}, ir.BFDTracker: {"bfd_instance"},
	}
	add := func(of *ir.Tracked) {
		for t := range of.Lines() {
			for _, word := range blocks[t.Kind] {
				mine[word+" "+t.Name] = true
			}
		}
	}
	add(&v.Tracked)
	for _, g := range groups {
		if slices.ContainsFunc(g.Members, func(n ir.Name) bool { return n.Text == v.Name }) {
			mine["vrrp_sync_group "+g.Name] = true
			add(&g.Tracked)
		}
	}
	for _, c := range changes {
		block := c.Block
		if block == "" {
			block = c.Name
		}
		if mine[block] && !slices.Contains(found, block) {
			found = append(found, block)
		}
	}
	return found
}

// unheard names what makes routers drop each other's advertisements when only one has it.
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

// arrival says why an instance begins anew.
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

// replaced tells whether the name of an instance that is gone lives on in another virtual router.
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

// addressChanges lists the addresses that an instance gains, loses or holds in another way.
func addressChanges(old, now *ir.VRRPInstance, before, after *ir.Config) (list []string) {
	for i, a := range now.Addresses {
		if holds(now, a) != &now.Addresses[i] {
			continue // it stands twice: the last one counts
		}
		b := holds(old, a)
		switch from := holder(before, a); {
		case b == nil && from != nil && from.Key() != now.Key():
			list = append(list, fmt.Sprintf("+ %v comes from %s and is not touched", a.Prefix, from.Name))
		case b == nil:
			list = append(list, fmt.Sprintf("+ %v", a.Prefix))
		case b.Excluded != a.Excluded && a.Excluded:
			list = append(list, fmt.Sprintf("%v is not advertised any more", a.Prefix))
		case b.Excluded != a.Excluded:
			list = append(list, fmt.Sprintf("%v is advertised", a.Prefix))
		case !sameAddress(*b, a):
			list = append(list, fmt.Sprintf("%v with other settings", a.Prefix))
		}
	}
	for i, a := range old.Addresses {
		if holds(now, a) != nil || holds(old, a) != &old.Addresses[i] {
			continue
		}
		if to := holder(after, a); to != nil && to.Key() != old.Key() {
			list = append(list, fmt.Sprintf("- %v goes to %s and is not touched", a.Prefix, to.Name))
		} else {
			list = append(list, fmt.Sprintf("- %v", a.Prefix))
		}
	}
	return list
}

// holds returns the address of an instance that is the same object in a kernel: the last line about it.
func holds(v *ir.VRRPInstance, a ir.Address) *ir.Address {
	for i := len(v.Addresses) - 1; i >= 0; i-- {
		if b := &v.Addresses[i]; a.Dev == b.Dev && a.Prefix == b.Prefix {
			return b
		}
	}
	return nil
}

func holder(cfg *ir.Config, a ir.Address) *ir.VRRPInstance {
	if i := slices.IndexFunc(cfg.Instances, func(v *ir.VRRPInstance) bool { return holds(v, a) != nil }); i >= 0 {
		return cfg.Instances[i]
	}
	return nil
}

func sameAddress(a, b ir.Address) bool {
	a.Origin, b.Origin = ir.Origin{}, ir.Origin{}
	return reflect.DeepEqual(a, b)
}
