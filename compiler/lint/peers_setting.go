package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// A Setting is a row of the table that compares the members of a virtual router side by side.
type Setting struct {
	Word   string
	Rules  []string // the rules that judge it
	Secret bool     // Text must not be shown

	text func(cluster.Member) string
	key  func(cluster.Member) string      // nil: text
	at   func(cluster.Member) source.Span // nil: the line of the instance
}

// Text is what a member says, for people; empty: nothing.
func (s Setting) Text(m cluster.Member) string { return s.text(m) }

// Key is equal for members that say the same. It may contain a password.
func (s Setting) Key(m cluster.Member) string {
	if s.key == nil {
		return s.text(m)
	}
	return s.key(m)
}

// At is where a member says it, or would say it.
func (s Setting) At(m cluster.Member) source.Span {
	if s.at == nil {
		return m.At(s.Word)
	}
	return s.at(m)
}

// Settings returns the rows of the table.
func Settings() []Setting {
	return []Setting{
		{Word: "state", Rules: []string{"two-masters", "backup-above-master"}, text: func(m cluster.Member) string { return m.State.String() }},
		{Word: "priority", Rules: []string{"equal-priority", "order-at-rest", "dead-weight", "weak-weight"}, text: func(m cluster.Member) string { return fmt.Sprint(m.Priority) }},
		{Word: "nopreempt", Rules: []string{"nopreempt-one-side", "nopreempt-weight"}, text: func(m cluster.Member) string { return yes(m.NoPreempt) }},
		{Word: "version", Rules: []string{"version-mismatch"}, text: func(m cluster.Member) string { return fmt.Sprint(m.Version) }},
		{Word: "advert_int", Rules: []string{"advert-int-mismatch"}, text: func(m cluster.Member) string { return seconds(m.AdvertInterval) }},
		{Word: "auth_type", Rules: []string{"auth-mismatch"}, text: authType, at: inAuth("auth_type")},
		{Word: "auth_pass", Rules: []string{"password-mismatch"}, Secret: true, text: password, at: inAuth("auth_pass")},
		{Word: "auth_hmac", Rules: []string{"hmac-mismatch", "hmac-version"}, Secret: true, text: signature},
		{Word: "virtual_ipaddress", Rules: []string{"address-mismatch", "address-order", "prefix-mismatch"}, text: count(advertised), key: ordered(advertised)},
		{Word: "virtual_ipaddress_excluded", Rules: []string{"address-mismatch", "prefix-mismatch"}, text: count(excluded), key: sorted(excluded)},
		{Word: "unicast_peer", Rules: []string{"unicast-multicast", "unicast-asymmetry", "same-source"}, text: count(peerAddresses), key: func(m cluster.Member) string { return yes(len(m.Unicast) > 0) }},
		{Word: "mcast_dst_ip", Rules: []string{"multicast-group-mismatch"}, text: multicastGroup},
		{Word: "use_vmac", Rules: []string{"vmac-mismatch"}, text: func(m cluster.Member) string { return yes(m.UseVMAC) }},
		{Word: "v3_checksum_as_v2", Rules: []string{"checksum-mismatch"}, text: checksum},
		{Word: "skip_check_adv_addr", Rules: []string{"skip-check-mismatch"}, text: func(m cluster.Member) string { return yes(m.SkipCheckAdvAddr) }},
		{Word: "track_interface", Rules: []string{"track-one-side"}, text: tracks(ir.InterfaceTracker)},
		{Word: "track_script", Rules: []string{"track-one-side"}, text: tracks(ir.ScriptTracker)},
		{Word: "track_file", Rules: []string{"track-one-side"}, text: tracks(ir.FileTracker)},
		{Word: "track_process", Rules: []string{"track-one-side"}, text: tracks(ir.ProcessTracker)},
		{Word: "track_bfd", Rules: []string{"track-one-side"}, text: tracks(ir.BFDTracker)},
		{Word: "vrrp_sync_group", Rules: []string{"sync-group-mismatch", "sync-group-order"}, text: syncGroupName, at: func(m cluster.Member) source.Span {
			if g := m.SyncGroup; g != nil {
				return g.Span()
			}
			return m.Span()
		}},
	}
}

// setting returns the row of the table with a keyword.
func setting(word string) Setting {
	all := Settings()
	return all[slices.IndexFunc(all, func(s Setting) bool { return s.Word == word })]
}

func yes(on bool) string {
	if on {
		return "yes"
	}
	return ""
}

// seconds formats a time as a person writes it: 1s, 0.25s.
func seconds(d time.Duration) string { return fmt.Sprintf("%gs", d.Seconds()) }

// authType is the authentication that packets show; empty: the file asks for none that counts.
func authType(m cluster.Member) string {
	if m.Auth.Pass.IsZero() {
		return ""
	}
	return m.Auth.Type.String()
}

// password is the part of a password that is sent, or the key that packets are signed with.
func password(m cluster.Member) string {
	if m.Auth.Type == ir.AuthNone {
		return ""
	}
	const carried = 8
	p := m.Auth.Pass.Reveal()
	return p[:min(len(p), carried)]
}

func inAuth(word string) func(cluster.Member) source.Span {
	return func(m cluster.Member) source.Span {
		if line := auth(m.VRRPInstance, word); line != nil {
			return line.Span()
		}
		return m.At("authentication")
	}
}

// signature is the keys of auth_hmac and how they are used.
func signature(m cluster.Member) string {
	h := m.AuthHMAC
	if h == nil {
		return ""
	}
	var keys []string
	for _, k := range h.Keys {
		keys = append(keys, fmt.Sprint(k.ID, " ", k.Key.Reveal()))
	}
	slices.Sort(keys)
	return fmt.Sprint(h.ActiveKey, h.Mode, h.AntiReplay, h.TimeWindow, keys)
}

// advertised lists the addresses that a member advertises, excluded the others that it holds.
func advertised(m cluster.Member) []netip.Addr { return held(m, false) }
func excluded(m cluster.Member) []netip.Addr   { return held(m, true) }

func held(m cluster.Member, excluded bool) (all []netip.Addr) {
	for _, a := range m.Addresses {
		if a.Excluded == excluded {
			all = append(all, a.Prefix.Addr())
		}
	}
	return all
}

func peerAddresses(m cluster.Member) (all []netip.Addr) {
	for _, p := range m.Unicast {
		all = append(all, p.Addr)
	}
	return all
}

func count(of func(cluster.Member) []netip.Addr) func(cluster.Member) string {
	return func(m cluster.Member) string {
		if n := len(of(m)); n > 0 {
			return fmt.Sprint(n)
		}
		return ""
	}
}

func ordered(of func(cluster.Member) []netip.Addr) func(cluster.Member) string {
	return func(m cluster.Member) string { return fmt.Sprint(of(m)) }
}

func sorted(of func(cluster.Member) []netip.Addr) func(cluster.Member) string {
	return func(m cluster.Member) string {
		return fmt.Sprint(slices.SortedFunc(slices.Values(of(m)), netip.Addr.Compare))
	}
}

// multicastGroup is the group that a member advertises to; empty: its unicast peers, or the group of the RFC.
func multicastGroup(m cluster.Member) string {
	if group := m.Group(); group.IsValid() && group != ir.MulticastGroup(m.IPv6()) {
		return group.String()
	}
	return ""
}

// checksum says which members of version 3 over IPv4 leave the pseudo header out of the checksum.
func checksum(m cluster.Member) string { return yes(m.Version == 3 && !m.IPv6() && m.V3ChecksumAsV2) }

// tracks lists the names of what an instance tracks of a kind.
func tracks(kind ir.TrackKind) func(cluster.Member) string {
	return func(m cluster.Member) string {
		var names []string
		for t := range m.Lines() {
			if t.Kind == kind {
				names = append(names, t.Name)
			}
		}
		return strings.Join(names, ",")
	}
}

func syncGroupName(m cluster.Member) string {
	if g := m.SyncGroup; g != nil {
		return g.Name
	}
	return ""
}
