// Package engine writes the configuration with which the routing engine of a director exports what keepc announces.
package engine

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"keepc/compiler/ir"
)

// A fragment is the part of an announcement with the addresses of one family.
type fragment struct {
	*ir.Announcement
	addrs []netip.Addr
	v6    bool
}

// fragments are the announcements of a configuration by family, IPv4 first.
func fragments(cfg *ir.Config) (list []fragment) {
	all := cfg.Announced()
	for _, a := range cfg.Announcements {
		for _, v6 := range []bool{false, true} {
			f := fragment{Announcement: a, v6: v6}
			for _, one := range all {
				if one.Announcement == a && one.Addr.Is6() == v6 {
					f.addrs = append(f.addrs, one.Addr)
				}
			}
			if len(f.addrs) > 0 {
				list = append(list, f)
			}
		}
	}
	return list
}

// word is the name of a fragment in a language that allows letters, digits and one more character.
func (f fragment) word(joint string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return rune(joint[0])
	}, f.Name.Text)
	if f.v6 {
		name += joint + "6"
	}
	return "keepc" + joint + name
}

// prefix returns the route of an address.
func prefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// FRR writes the lines for an frr.conf. asn is the number of the existing autonomous system; 0: unknown, and its lines
// are comments.
//
// A route that is in both tables, for a moment during a drain, is taken from drain_table, because its distance is
// smaller.
func FRR(w io.Writer, cfg *ir.Config, asn uint32) error {
	var b strings.Builder
	for _, f := range fragments(cfg) {
		family, list, table := "ipv4", "ip", "table"
		if f.v6 {
			family, list, table = "ipv6", "ipv6", "table-direct"
		}
		name := strings.ToUpper(f.word("-"))
		fmt.Fprintf(&b, "! announce %s, %s\n", f.Name.Text, family)
		for i, a := range f.addrs {
			fmt.Fprintf(&b, "%s prefix-list %s seq %d permit %s\n", list, name, 5*(i+1), prefix(a))
		}
		var redistribute strings.Builder
		for _, t := range []struct {
			number   uint32
			distance int
			name     string
			drains   bool
		}{{f.Table, 15, name, false}, {f.DrainTable, 14, name + "-DRAIN", true}} {
			if t.number == 0 {
				continue
			}
			if !f.v6 { // FRR reads other tables only for IPv4
				fmt.Fprintf(&b, "ip import-table %d distance %d\n", t.number, t.distance)
			}
			fmt.Fprintf(&b, "route-map %s permit 10\n match %s address prefix-list %s\n", t.name, list, name)
			if t.drains {
				b.WriteString(" set community graceful-shutdown additive\n")
			}
			b.WriteString("exit\n")
			fmt.Fprintf(&redistribute, "  redistribute %s %d route-map %s\n", table, t.number, t.name)
		}
		text := fmt.Sprintf("router bgp %d\n address-family %s unicast\n%s exit-address-family\nexit\n", asn, family, redistribute.String())
		if f.v6 {
			b.WriteString("! FRR before 10.0 reads only the main table of IPv6; from 10.0 on, take the marks away:\n")
		}
		if asn == 0 || f.v6 {
			text = "! " + strings.ReplaceAll(strings.TrimSuffix(strings.Replace(text, "bgp 0\n", "bgp ASN\n", 1), "\n"), "\n", "\n! ") + "\n"
		}
		b.WriteString(text + "!\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// BIRD writes the lines for a bird.conf of BIRD 2. Its routes are in master4 and master6 with source RTS_INHERIT, for
// the export filter of a protocol bgp.
func BIRD(w io.Writer, cfg *ir.Config) error {
	var b strings.Builder
	for _, f := range fragments(cfg) {
		family, master := "ipv4", "master4"
		if f.v6 {
			family, master = "ipv6", "master6"
		}
		var nets []string
		for _, a := range f.addrs {
			nets = append(nets, prefix(a).String())
		}
		fmt.Fprintf(&b, "# announce %s, %s; in your protocol bgp: export where source = RTS_INHERIT;\n", f.Name.Text, family)
		for _, t := range []struct {
			number uint32
			name   string
			more   string
		}{
			{f.Table, f.word("_"), ""},
			{f.DrainTable, f.word("_") + "_drain", "preference = 200; bgp_community.add((65535, 0)); "}, // GRACEFUL_SHUTDOWN; it wins while the route is in both tables
		} {
			if t.number == 0 {
				continue
			}
			fmt.Fprintf(&b, "%s table %s;\n", family, t.name)
			fmt.Fprintf(&b, "protocol kernel %s_routes {\n\tkernel table %d;\n\tlearn;\n\t%s { table %s; import all; export none; };\n}\n", t.name, t.number, family, t.name)
			fmt.Fprintf(&b, "protocol pipe %s_pipe {\n\ttable %s;\n\tpeer table %s;\n\timport filter { if net ~ [ %s ] then { %saccept; } reject; };\n\texport none;\n}\n",
				t.name, master, t.name, strings.Join(nets, ", "), t.more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
