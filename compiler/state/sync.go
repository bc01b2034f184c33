package state

import (
	"cmp"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// A syncWish is what a file says about the sync daemons.
type syncWish struct {
	SyncDaemon
	at       source.Span
	instance *ir.VRRPInstance // whose role decides; nil: both daemons run
}

// syncOf returns what a file says about the sync daemons; false: there are none. The id is that in the line, or else
// the VRID of the instance named in the line; it is 0 without either, and for the old keyword inside an instance, as
// with keepalived 2.2.7.
func syncOf(cfg *ir.Config) (w syncWish, ok bool) {
	d := cfg.Global.LVSSyncDaemon
	for _, v := range cfg.Instances {
		switch {
		case d == nil && v.LVSSyncInterface != "":
			w.Interface, w.instance, w.at = v.LVSSyncInterface, v, v.At("lvs_sync_daemon_interface")
			return w, true
		case d != nil && d.Instance != "" && d.Instance == v.Name:
			w.instance, w.ID = v, v.VRID
		}
	}
	if d == nil || d.Instance != "" && w.instance == nil { // keepalived drops a line that names an unknown instance
		return w, false
	}
	if d.ID != nil {
		w.ID = *d.ID
	}
	w.Interface, w.MaxLen, w.Port, w.TTL, w.Group, w.at = d.Interface, d.MaxLen, d.Port, d.TTL, d.Group, cfg.Global.At("lvs_sync_daemon")
	return w, true
}

// FollowsRoles reports whether Balance wants something different when roles of instances change.
func FollowsRoles(cfg *ir.Config) bool {
	w, ok := syncOf(cfg)
	return ok && w.instance != nil
}

// syncDaemons adds the daemon for the role of the instance, or those for both roles.
func (w *State) syncDaemons(cfg *ir.Config, s Situation) {
	wish, ok := syncOf(cfg)
	if !ok {
		return
	}
	role, why := "", "lvs_sync_daemon names no instance: both roles run"
	if wish.instance != nil {
		role, why = "backup", wish.instance.Name+" is not MASTER here: connections are taken in"
		if _, master := s.Master[wish.instance.Key()]; master {
			role, why = "master", wish.instance.Name+" is MASTER: its connections are sent"
		}
	}
	for _, r := range []string{"master", "backup"} {
		k := SyncDaemonKey{Role: r}
		switch {
		case s.Stopping:
			w.Absent[k] = "stopping"
		case r != cmp.Or(role, r):
			w.Absent[k] = why
		default:
			d := wish.SyncDaemon
			d.Provenance = Provenance{Origin: wish.at, Why: why}
			w.SyncDaemons[k] = d
		}
	}
}
