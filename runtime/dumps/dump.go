// Package dumps writes what a director is doing in the file formats of keepalived 2.2.7, for monitors that read them.
package dumps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/router"
	"keepc/runtime/status"
	"keepc/runtime/vrrp"
)

// A Baseline is the values of the counters when they were last cleared, by instance. The zero Baseline clears nothing.
type Baseline map[ir.InstanceKey]counters

// counters are those of keepalived.
type counters struct {
	Received         uint64 `json:"advert_rcvd"`
	Sent             uint64 `json:"advert_sent"`
	BecameMaster     uint64 `json:"become_master"`
	ReleasedMaster   uint64 `json:"release_master"`
	Length           uint64 `json:"packet_len_err"`
	Interval         uint64 `json:"advert_interval_err"`
	TTL              uint64 `json:"ip_ttl_err"`
	Type             uint64 `json:"invalid_type_rcvd"`
	AddressList      uint64 `json:"addr_list_err"`
	AuthInvalid      uint64 `json:"invalid_authtype"`
	AuthMismatch     uint64 `json:"authtype_mismatch"`
	AuthFailure      uint64 `json:"auth_failure"`
	ZeroPriorityRcvd uint64 `json:"pri_zero_rcvd"`
	ZeroPrioritySent uint64 `json:"pri_zero_sent"`
}

func countersOf(s router.Standing) counters {
	t := s.Statistics
	c := counters{
		Received: t.AdvertisementRcvd, Sent: t.AdvertisementSent, BecameMaster: t.MasterTransitions, ReleasedMaster: t.MasterTransitions,
		Length: t.PacketLengthErrors, Interval: t.IntervalErrors, TTL: t.IPTTLErrors, Type: t.InvalidTypePktsRcvd, AddressList: t.AddressListErrors,
		AuthMismatch: t.AuthTypeMismatches, AuthFailure: t.AuthFailures + t.Replays, ZeroPriorityRcvd: t.PriorityZeroPktsRcvd, ZeroPrioritySent: t.PriorityZeroPktsSent,
	}
	if s.Role == vrrp.Master {
		c.ReleasedMaster--
	}
	return c
}

func (c counters) minus(o counters) counters {
	for _, x := range []struct {
		of *uint64
		n  uint64
	}{
		{&c.Received, o.Received}, {&c.Sent, o.Sent}, {&c.BecameMaster, o.BecameMaster}, {&c.ReleasedMaster, o.ReleasedMaster}, {&c.Length, o.Length},
		{&c.Interval, o.Interval}, {&c.TTL, o.TTL}, {&c.Type, o.Type}, {&c.AddressList, o.AddressList}, {&c.AuthInvalid, o.AuthInvalid},
		{&c.AuthMismatch, o.AuthMismatch}, {&c.AuthFailure, o.AuthFailure}, {&c.ZeroPriorityRcvd, o.ZeroPriorityRcvd}, {&c.ZeroPrioritySent, o.ZeroPrioritySent},
	} {
		*x.of -= min(x.n, *x.of)
	}
	return c
}

// Clear returns the Baseline of the current counters.
func Clear(s status.Snapshot) Baseline {
	b := Baseline{}
	for _, v := range s.Standings {
		b[v.Config.Key()] = countersOf(v)
	}
	return b
}

// Stats writes keepalived.stats.
func Stats(s status.Snapshot, since Baseline) []byte {
	var b bytes.Buffer
	for _, v := range s.Standings {
		c := countersOf(v).minus(since[v.Config.Key()])
		fmt.Fprintf(&b, "VRRP Instance: %s\n  Advertisements:\n    Received: %d\n    Sent: %d\n  Became master: %d\n  Released master: %d\n", v.Config.Name, c.Received, c.Sent, c.BecameMaster, c.ReleasedMaster)
		fmt.Fprintf(&b, "  Packet Errors:\n    Length: %d\n    TTL: %d\n    Invalid Type: %d\n    Advertisement Interval: %d\n    Address List: %d\n", c.Length, c.TTL, c.Type, c.Interval, c.AddressList)
		fmt.Fprintf(&b, "  Authentication Errors:\n    Invalid Type: %d\n    Type Mismatch: %d\n    Failure: %d\n", c.AuthInvalid, c.AuthMismatch, c.AuthFailure)
		fmt.Fprintf(&b, "  Priority Zero:\n    Received: %d\n    Sent: %d\n", c.ZeroPriorityRcvd, c.ZeroPrioritySent)
	}
	return b.Bytes()
}

// hidden is written where keepalived writes the password.
const hidden = "(hidden)"

// stateNumber returns keepalived's number for a role.
func stateNumber(r vrrp.Role) int { return [...]int{0, 1, 2, 3, 98}[r] }

// seconds formats an interval in seconds as keepalived does.
func seconds(d time.Duration) json.Number {
	if d%time.Second == 0 {
		return json.Number(fmt.Sprint(int(d / time.Second)))
	}
	return json.Number(fmt.Sprintf("%.2f", d.Seconds()))
}

// instant formats a time in seconds since 1970, with microseconds.
func instant(t time.Time) json.Number {
	return json.Number(fmt.Sprintf("%d.%06d", t.Unix(), t.Nanosecond()/1000))
}

func number(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// JSON writes keepalived.json, version 1: a list of the instances.
func JSON(s status.Snapshot, since Baseline) ([]byte, error) {
	type instance struct {
		Data  data     `json:"data"`
		Stats counters `json:"stats"`
	}
	list := []instance{}
	for _, v := range s.Standings {
		list = append(list, instance{dataOf(v, s.Routers), countersOf(v).minus(since[v.Config.Key()])})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(list); err != nil {
		return nil, fmt.Errorf("write the instances: %w", err)
	}
	return b.Bytes(), nil
}

// data is what keepalived writes about an instance, in its order.
type data struct {
	Name                 string      `json:"iname"`
	DontTrackPrimary     int         `json:"dont_track_primary"`
	SkipCheckAdvAddr     int         `json:"skip_check_adv_addr"`
	StrictMode           int         `json:"strict_mode"`
	VMAC                 string      `json:"vmac_ifname"`
	Interface            string      `json:"ifp_ifname"`
	MasterPriority       int         `json:"master_priority"`
	LastTransition       json.Number `json:"last_transition"`
	GARPDelay            json.Number `json:"garp_delay"`
	GARPRefresh          json.Number `json:"garp_refresh"`
	GARPRepeat           int         `json:"garp_rep"`
	GARPRefreshRepeat    int         `json:"garp_refresh_rep"`
	GARPLowerPrioDelay   json.Number `json:"garp_lower_prio_delay"`
	GARPLowerPrioRepeat  int         `json:"garp_lower_prio_rep"`
	LowerPrioNoAdvert    int         `json:"lower_prio_no_advert"`
	HigherPrioSendAdvert int         `json:"higher_prio_send_advert"`
	VRID                 uint8       `json:"vrid"`
	BasePriority         uint8       `json:"base_priority"`
	EffectivePriority    uint8       `json:"effective_priority"`
	VIPSet               bool        `json:"vipset"`
	PromoteSecondaries   bool        `json:"promote_secondaries"`
	AdvertInterval       json.Number `json:"adver_int"`
	MasterAdvertInterval json.Number `json:"master_adver_int"`
	Accept               int         `json:"accept"`
	NoPreempt            bool        `json:"nopreempt"`
	PreemptDelay         json.Number `json:"preempt_delay"`
	State                int         `json:"state"`
	WantState            int         `json:"wantstate"`
	Version              uint8       `json:"version"`
	SMTPAlert            bool        `json:"smtp_alert"`
	NotifyDeleted        bool        `json:"notify_deleted"`
	Addresses            []string    `json:"vips,omitempty"`
	Excluded             []string    `json:"evips,omitempty"`
	TrackedInterfaces    []string    `json:"track_ifp,omitempty"`
	TrackedScripts       []string    `json:"track_script,omitempty"`
	AuthType             int         `json:"auth_type"`
	AuthData             string      `json:"auth_data,omitempty"`
}

func dataOf(s router.Standing, cfg *ir.Config) data {
	v, master := s.Config, s.Role == vrrp.Master
	d := data{
		Name: v.Name, DontTrackPrimary: number(v.DontTrackPrimary), SkipCheckAdvAddr: number(v.SkipCheckAdvAddr), Interface: v.Interface,
		LastTransition: instant(s.Since), GARPDelay: seconds(v.GARPMasterDelay), GARPRefresh: seconds(v.GARPMasterRefresh), GARPRepeat: v.GARPMasterRepeat,
		GARPRefreshRepeat: v.GARPMasterRefreshRepeat, GARPLowerPrioDelay: seconds(v.GARPLowerPrioDelay), GARPLowerPrioRepeat: v.GARPLowerPrioRepeat,
		LowerPrioNoAdvert: number(v.LowerPrioNoAdvert), HigherPrioSendAdvert: number(v.HigherPrioSendAdvert), VRID: v.VRID, BasePriority: v.Priority,
		EffectivePriority: s.Priority, VIPSet: master, AdvertInterval: seconds(v.AdvertInterval), MasterAdvertInterval: seconds(v.AdvertInterval), Accept: 1,
		NoPreempt: v.NoPreempt, PreemptDelay: seconds(v.PreemptDelay), State: stateNumber(s.Role), WantState: stateNumber(want(s.Role)), Version: v.Version,
		AuthType: int(v.Auth.Type),
	}
	if v.Auth.Type != ir.AuthNone {
		d.AuthData = hidden
	}
	if v.Leaves() != v.Interface {
		d.VMAC = v.Leaves()
	}
	for _, a := range v.Addresses {
		if a.Excluded {
			d.Excluded = append(d.Excluded, address(a, master))
		} else {
			d.Addresses = append(d.Addresses, address(a, master))
		}
	}
	for _, x := range scripts(v, cfg) {
		d.TrackedScripts = append(d.TrackedScripts, programOf(&x.Command))
	}
	return d
}

// want returns the state that keepalived tries to reach.
func want(r vrrp.Role) vrrp.Role {
	if r == vrrp.Init {
		return vrrp.Backup
	}
	return r
}

// scripts are the vrrp_scripts that an instance tracks.
func scripts(v *ir.VRRPInstance, cfg *ir.Config) (list []*ir.Script) {
	for t := range v.Trackers() {
		if i := slices.IndexFunc(cfg.Scripts, func(s *ir.Script) bool { return s.Name == t.Name }); t.Kind == ir.ScriptTracker && i >= 0 {
			list = append(list, cfg.Scripts[i])
		}
	}
	return list
}

// address formats a line as keepalived does.
func address(a ir.Address, set bool) string {
	var b strings.Builder
	if a.Prefix.IsSingleIP() {
		b.WriteString(a.Prefix.Addr().String())
	} else {
		b.WriteString(a.Prefix.String())
	}
	if a.Broadcast.IsValid() {
		fmt.Fprintf(&b, " brd %v", a.Broadcast)
	}
	fmt.Fprintf(&b, " dev %s", a.On())
	scope := map[uint8]string{0: "global", 200: "site", 253: "link", 254: "host"}[uint8(a.Scope)]
	if scope == "" {
		scope = fmt.Sprint(a.Scope)
	}
	fmt.Fprintf(&b, " scope %s", scope)
	if a.Label != "" {
		fmt.Fprintf(&b, " label %s", a.Label)
	}
	if set {
		b.WriteString(" set")
	}
	return b.String()
}
