package lint

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// groupPeerRules are about what the members of a virtual router must share to hear each other and to hold the same
// addresses.
func groupPeerRules() []Rule {
	return []Rule{
		{
			Name: "version-mismatch", Severity: diag.Error, Loss: diag.Keeps, Wire: true,
			Peers: mismatch("version", "speaks version", func(m cluster.Member) string { return fmt.Sprint(m.Version) }, func(d *diag.Diagnostic, m, o cluster.Member) {
				d.Help = "write the same version for both, or the same vrrp_version in global_defs"
			}),
		},
		{
			Name: "advert-int-mismatch", Severity: diag.Error, Loss: diag.Keeps, Wire: true,
			Peers: mismatch("advert_int", "sends adverts every", func(m cluster.Member) string { return seconds(m.AdvertInterval) }, func(d *diag.Diagnostic, m, o cluster.Member) {
				note := "version 2 routers drop adverts with another interval: both would be MASTER at once"
				if m.Version == 3 && o.Version == 3 {
					d.Severity, note = diag.Warning, "a version 3 router takes over the interval of its MASTER; a failure is noticed sooner or later, depending on who is MASTER"
				}
				d.Notes = append(d.Notes, diag.Note{Message: note})
				d.Help = "write the same advert_int for both"
			}),
		},
		{
			Name: "auth-mismatch", Severity: diag.Error, Loss: diag.Keeps, Wire: true,
			Peers: mismatch("auth_type", "authenticates with", func(m cluster.Member) string { return cmp.Or(authType(m), "nothing") }, nil),
		},
		{
			Name: "password-mismatch", Severity: diag.Error, Loss: diag.Keeps, Wire: true,
			Peers: passwordMismatch,
		},
		{
			Name: "hmac-mismatch", Severity: diag.Error, Loss: diag.Keeps, Wire: true,
			Peers: hmacMismatch,
		},
		{
			Name: "hmac-version", Severity: diag.Error, Loss: diag.Keeps,
			Peers: hmacVersion,
		},
		{
			Name: "address-mismatch", Severity: diag.Error, Loss: diag.Keeps,
			Peers: func(p *peerPass) {
				for _, g := range p.groups {
					odd(g.Members, sorted(advertised), func(m, o cluster.Member) { p.addressMismatch(g, m, o, "virtual_ipaddress", advertised) })
					odd(g.Members, sorted(excluded), func(m, o cluster.Member) { p.addressMismatch(g, m, o, "virtual_ipaddress_excluded", excluded) })
				}
			},
		},
		{
			Name: "address-order", Severity: diag.Info,
			Peers: func(p *peerPass) {
				for _, g := range p.groups {
					odd(g.Members, ordered(advertised), func(m, o cluster.Member) {
						if sorted(advertised)(m) == sorted(advertised)(o) {
							p.tell(g, m, diag.Diagnostic{
								Message: fmt.Sprintf("%s lists its addresses in a different order from its peer %s", named(m.VRRPInstance), p.name(o)),
								Span:    m.At("virtual_ipaddress"), Label: "another order", Notes: note(o.At("virtual_ipaddress"), "that of "+p.name(o)),
							})
						}
					})
				}
			},
		},
		{
			Name: "prefix-mismatch", Severity: diag.Warning,
			Peers: func(p *peerPass) {
				for _, g := range p.groups {
					for _, m := range g.Members[1:] {
						p.prefixMismatch(g, m, g.Members[0])
					}
				}
			},
		},
		{
			Name: "vrid-mismatch", Severity: diag.Error, Loss: diag.Keeps,
			Peers: func(p *peerPass) {
				p.strangers(func(a, b cluster.Member, held netip.Addr) {
					p.report(b.Node, diag.Diagnostic{
						Message: fmt.Sprintf("%s has virtual_router_id %d, its peer %s has %d for %s", named(b.VRRPInstance), b.VRID, p.name(a), a.VRID, held),
						Span:    b.At("virtual_router_id"), Label: "another group",
						Notes: append(note(a.At("virtual_router_id"), p.name(a)+" has another number"), diag.Note{Message: "they do not listen to each other: both become MASTER"}),
						Help:  "write the same virtual_router_id for both",
					})
				})
			},
		},
		{
			Name: "vrid-collision", Severity: diag.Error, Loss: diag.Keeps,
			Peers: func(p *peerPass) {
				for i, g := range p.all {
					for _, h := range p.all[:i] {
						a, b := h.Members[0], g.Members[0]
						if a.Node == b.Node || !p.Hear(a, b) || p.movedAway(h, g) {
							continue
						}
						p.report(b.Node, diag.Diagnostic{
							Message: fmt.Sprintf("%s has virtual_router_id %d on %s, and so has %s of %s for other addresses", named(b.VRRPInstance), b.VRID, b.Interface, named(a.VRRPInstance), p.name(a)),
							Span:    b.At("virtual_router_id"), Label: "taken",
							Notes: append(note(a.At("virtual_router_id"), "by "+p.name(a)), diag.Note{
								Message: fmt.Sprintf("%s holds %s, %s holds %s: not one address is the same", p.name(b), list(advertised(b)), p.name(a), list(advertised(a))),
							}),
							Help: "write the same addresses if they are one group, else another virtual_router_id",
						})
					}
				}
			},
		},
		{
			Name: "no-peer", Severity: diag.Warning,
			Peers: func(p *peerPass) {
				for _, g := range p.all {
					m := g.Members[0]
					if len(g.Members) > 1 || p.explained(m) {
						continue
					}
					p.report(m.Node, diag.Diagnostic{
						Message: fmt.Sprintf("no peer has virtual router %d of %s: nobody takes over when %s fails", m.VRID, named(m.VRRPInstance), p.name(m)),
						Span:    m.Span(), Label: "alone",
					})
				}
			},
		},
		{
			Name: "multicast-group-mismatch", Severity: diag.Error, Loss: diag.Keeps,
			Peers: mismatch("mcast_dst_ip", "advertises to", func(m cluster.Member) string { return cmp.Or(multicastGroup(m), "the usual group") }, nil),
		},
		{
			Name: "checksum-mismatch", Severity: diag.Error, Loss: diag.Keeps,
			Peers: mismatch("v3_checksum_as_v2", "computes checksums", func(m cluster.Member) string {
				if checksum(m) != "" {
					return "without the pseudo header"
				}
				return "with the pseudo header"
			}, nil),
		},
		{
			Name: "skip-check-mismatch", Severity: diag.Info,
			Peers: mismatch("skip_check_adv_addr", "compares addresses", func(m cluster.Member) string {
				if m.SkipCheckAdvAddr {
					return "when the sender changes"
				}
				return "always"
			}, nil),
		},
		{
			Name: "vmac-mismatch", Severity: diag.Warning,
			Peers: mismatch("use_vmac", "sends from", func(m cluster.Member) string {
				if m.UseVMAC {
					return "the virtual MAC address"
				}
				return "its own MAC address"
			}, nil),
		},
	}
}

// strangers calls f with every two instances of different nodes that hold an address of the same segment under
// different VRIDs.
func (p *peerPass) strangers(f func(a, b cluster.Member, held netip.Addr)) {
	type place struct {
		segment string
		addr    netip.Addr
	}
	holders := map[place][]cluster.Member{}
	for node, n := range p.Nodes {
		for _, v := range n.Config.Instances {
			b, told := cluster.Member{VRRPInstance: v, Node: node, Config: n.Config}, map[*ir.VRRPInstance]bool{}
			for _, addr := range v.Addresses {
				at := place{p.Segment(b), addr.Prefix.Addr()}
				for _, a := range holders[at] {
					if a.Node != node && a.VRID != b.VRID && !told[a.VRRPInstance] {
						told[a.VRRPInstance] = true
						f(a, b, at.addr)
					}
				}
				holders[at] = append(holders[at], b)
			}
		}
	}
}

// movedAway reports whether two groups share a VRID because an instance has the wrong one, which is a different
// finding.
func (p *peerPass) movedAway(groups ...cluster.Group) bool {
	return slices.ContainsFunc(groups, func(g cluster.Group) bool { return slices.ContainsFunc(g.Members, p.strays) })
}

// strays reports whether another node holds an address of the instance under a different VRID.
func (p *peerPass) strays(m cluster.Member) bool {
	if p.stray == nil {
		p.stray = map[*ir.VRRPInstance]bool{}
		p.strangers(func(a, b cluster.Member, _ netip.Addr) { p.stray[a.VRRPInstance], p.stray[b.VRRPInstance] = true, true })
	}
	return p.stray[m.VRRPInstance]
}

// explained reports whether another finding says why an instance has no peer, or there is no peer to look for.
func (p *peerPass) explained(m cluster.Member) bool {
	if m.VRID == 0 || p.strays(m) {
		return true
	}
	for _, g := range p.all {
		if slices.ContainsFunc(g.Members, func(o cluster.Member) bool { return o.Node != m.Node && p.Hear(o, m) }) {
			return true
		}
	}
	return !slices.ContainsFunc(p.everyNode(), func(n int) bool { // an unreadable file may have had one
		return n != m.Node && (len(p.Nodes[n].Config.Instances) > 0 || !p.about[n].Findings.Has(diag.Error))
	})
}

func passwordMismatch(p *peerPass) {
	s := setting("auth_pass")
	for _, g := range p.groups {
		odd(g.Members, func(m cluster.Member) string { return authType(m) + s.Key(m) }, func(m, o cluster.Member) {
			if authType(m) != authType(o) {
				return // that is another finding
			}
			p.tell(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s has another password than its peer %s", named(m.VRRPInstance), p.name(o)),
				Span:    s.At(m), Label: "differs",
				Notes: append(note(s.At(o), "the password of "+p.name(o)), diag.Note{Message: "each drops what the other one sends: both become MASTER"}),
				Help:  "write one password into all files, and reload all members at once: until then they do not hear each other",
			})
		})
	}
}

// addressMismatch reports the addresses that one list lacks, or has in excess of another.
func (p *peerPass) addressMismatch(g *group, m, o cluster.Member, word string, of func(cluster.Member) []netip.Addr) {
	lacks, more := without(of(o), of(m)), without(of(m), of(o))
	d := diag.Diagnostic{Span: m.At(word)}
	switch {
	case len(lacks) == 0 && len(more) == 0:
		return // one of them appears twice, which is a different finding
	case len(more) == 0:
		d.Message = fmt.Sprintf("%s lacks %s, which its peer %s holds", named(m.VRRPInstance), list(lacks), p.name(o))
		d.Label, d.Notes = "not here", note(lineOf(o, lacks[0]), "here")
	case len(lacks) == 0:
		d.Message = fmt.Sprintf("%s holds %s, which its peer %s lacks", named(m.VRRPInstance), list(more), p.name(o))
		d.Span, d.Label, d.Notes = lineOf(m, more[0]), "only here", note(o.At(word), "not here")
	default:
		d.Message = fmt.Sprintf("%s holds %s and its peer %s %s instead", named(m.VRRPInstance), list(more), p.name(o), list(lacks))
		d.Span, d.Label, d.Notes = lineOf(m, more[0]), "only here", note(lineOf(o, lacks[0]), p.name(o)+" has this")
	}
	if word == "virtual_ipaddress" {
		d.Notes = append(d.Notes, diag.Note{Message: "keepalived 2.2.7 drops adverts with other addresses than its own: both become MASTER"})
	}
	p.tell(g, m, d)
}

// lineOf returns where an instance names an address.
func lineOf(m cluster.Member, a netip.Addr) source.Span {
	i := slices.IndexFunc(m.Addresses, func(x ir.Address) bool { return x.Prefix.Addr() == a })
	return m.Addresses[i].Span()
}

func (p *peerPass) prefixMismatch(g *group, m, o cluster.Member) {
	for _, a := range m.Addresses {
		i := slices.IndexFunc(o.Addresses, func(x ir.Address) bool { return x.Prefix.Addr() == a.Prefix.Addr() })
		if i < 0 || o.Addresses[i].Prefix == a.Prefix {
			continue
		}
		b := o.Addresses[i]
		p.tell(g, m, diag.Diagnostic{
			Message: fmt.Sprintf("%s holds %s, its peer %s holds %s", named(m.VRRPInstance), a.Prefix, p.name(o), b.Prefix),
			Span:    a.Span(), Label: fmt.Sprintf("/%d", a.Prefix.Bits()), Notes: note(b.Span(), fmt.Sprintf("/%d", b.Prefix.Bits())),
		})
	}
}

// hmacMismatch compares whether members have auth_hmac, then the keys that each side signs with.
func hmacMismatch(p *peerPass) {
	for _, g := range p.groups {
		signs := func(m cluster.Member) string {
			if m.AuthHMAC != nil {
				return "signs its adverts"
			}
			return "does not sign"
		}
		odd(g.Members, signs, func(m, o cluster.Member) {
			p.tell(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s %s, its peer %s %s", named(m.VRRPInstance), signs(m), p.name(o), signs(o)),
				Span:    m.At("auth_hmac"), Label: "not as " + p.name(o), Notes: note(o.At("auth_hmac"), p.name(o)+" "+signs(o)),
			})
		})
		for _, m := range g.Members {
			for _, o := range g.Members {
				if m.Node != o.Node && m.AuthHMAC != nil && o.AuthHMAC != nil {
					p.keyMismatch(g, m, o)
				}
			}
		}
	}
}

// keyMismatch reports a member that cannot verify what another one signs.
func (p *peerPass) keyMismatch(g *group, m, o cluster.Member) {
	active := activeKey(o)
	mine, theirs := hmacKey(m, active), hmacKey(o, active)
	if theirs.IsZero() || mine == theirs {
		return
	}
	d := diag.Diagnostic{
		Message: fmt.Sprintf("%s has no key %d, with which its peer %s signs", named(m.VRRPInstance), active, p.name(o)),
		Span:    m.At("auth_hmac"), Label: "drops what " + p.name(o) + " sends", Notes: note(o.At("auth_hmac"), "signs with key "+fmt.Sprint(active)),
	}
	if !mine.IsZero() {
		if activeKey(m) == active && m.Node < o.Node {
			return // reported for the other one
		}
		d.Message = fmt.Sprintf("key %d of %s is another one on its peer %s", active, named(m.VRRPInstance), p.name(o))
	}
	p.tell(g, m, d)
}

// activeKey returns the id of the key that a member signs with: the first one unless the file says otherwise.
func activeKey(m cluster.Member) uint8 {
	if h := m.AuthHMAC; h.ActiveKey == 0 && len(h.Keys) > 0 {
		return h.Keys[0].ID
	}
	return m.AuthHMAC.ActiveKey
}

// hmacKey returns the key with an id; zero: there is none.
func hmacKey(m cluster.Member, id uint8) ir.Secret {
	for _, k := range m.AuthHMAC.Keys {
		if k.ID == id {
			return k.Key
		}
	}
	return ir.Secret{}
}

// hmacVersion compares the versions of keepalived where they matter.
func hmacVersion(p *peerPass) {
	for _, g := range p.groups {
		signing := slices.DeleteFunc(slices.Clone(g.Members), func(m cluster.Member) bool { return m.AuthHMAC == nil || p.about[m.Node].Version == "" })
		if len(signing) < 2 {
			continue
		}
		odd(signing, func(m cluster.Member) string { return hmacForm(p.about[m.Node].Version) }, func(m, o cluster.Member) {
			p.tell(g, m, diag.Diagnostic{
				Message: fmt.Sprintf("%s is signed by keepalived %s, on its peer %s by %s", named(m.VRRPInstance), p.about[m.Node].Version, p.name(o), p.about[o.Node].Version),
				Span:    m.At("auth_hmac"), Label: "another form of signatures", Notes: note(o.At("auth_hmac"), "keepalived "+p.about[o.Node].Version),
				Help: "run one version on all routers of the group",
			})
		})
	}
}

// hmacForm names the signature format of a version of keepalived by the first version that has it; empty: it has none.
func hmacForm(version string) (form string) {
	for _, v := range []string{"2.4", "2.4.1", "2.4.2"} {
		if schema.Older(version, v) {
			break
		}
		form = v
	}
	return form
}
