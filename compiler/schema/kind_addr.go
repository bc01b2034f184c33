package schema

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/value"
)

// Addr is an address of either family.
var Addr = addr("an IP address", func(netip.Addr) bool { return true })

// Multicast4 is an IPv4 multicast address.
var Multicast4 = addr("an IPv4 multicast address", func(a netip.Addr) bool { return a.Is4() && a.IsMulticast() })

// Multicast6 is a link-local IPv6 multicast address.
var Multicast6 = addr("an IPv6 multicast address of the link", func(a netip.Addr) bool { return a.IsLinkLocalMulticast() && a.Is6() })

// Multicast is a multicast address of either family; an IPv6 one is link-local.
var Multicast = addr("a multicast address", func(a netip.Addr) bool { return a.IsMulticast() && (a.Is4() || a.IsLinkLocalMulticast()) })

// hostAddr is an address for which keepalived takes no prefix length.
var hostAddr = Kind[netip.Addr]{Addr.Expect, func(r *reader) (netip.Addr, bool) {
	if address, _, cut := strings.Cut(r.peek(), "/"); cut && isAddr(address) {
		r.invalid(r.rest[0], "an address", address+" without a prefix length")
		return netip.Addr{}, false
	}
	return Addr.read(r)
}}

func addr(expect string, good func(netip.Addr) bool) Kind[netip.Addr] {
	return Kind[netip.Addr]{expect, func(r *reader) (netip.Addr, bool) {
		w, ok := r.word(expect)
		if !ok {
			return netip.Addr{}, false
		}
		a, ok := r.addr(w, expect, diag.Warning)
		if ok && !good(a) {
			r.invalid(w, expect, expect)
			return netip.Addr{}, false
		}
		return a, ok
	}}
}

// addr reads a word as an address. The reference reads up to the first "/" or "-" and drops the rest silently; keepc
// does so too, and reports it. mask is the severity of a dropped prefix length, which changes nothing after the
// address of a single host.
func (r *reader) addr(w grammar.Word, expect string, mask diag.Severity) (netip.Addr, bool) {
	a, err := parseAddr(w.Text)
	if err == nil {
		return a, true
	}
	i := strings.IndexAny(w.Text, "/-")
	if i > 0 {
		a, err = parseAddr(w.Text[:i])
	}
	if err != nil {
		r.noAddress(w, expect)
		return netip.Addr{}, false
	}
	what := "prefix length"
	if w.Text[i] == '-' {
		what, mask = "range", diag.Error
	}
	d := diag.Diagnostic{
		Rule: "cut-address", Severity: mask,
		Message: fmt.Sprintf("the %s of %s is dropped", what, r.quote(w)),
		Span:    w.Span,
		Label:   fmt.Sprintf("keepalived reads %s", a),
	}
	if mask == diag.Error {
		d.Help = "write one address; a virtual_server_group takes prefixes and ranges"
	}
	r.report(d)
	return a, true
}

// noAddress reports a word that is not an address, and suggests the address without what people write around it.
func (r *reader) noAddress(w grammar.Word, expect string) {
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not an IP address",
		Span:    w.Span,
		Label:   "expected " + expect,
	}
	switch as := value.ReadAddress(w.Text); {
	case as.Addr.IsValid() && as.Port != "" && strings.Contains(expect, "port"): // the right form needs a second word
	case as.Addr.IsValid() && as.Port != "":
		d.Label = fmt.Sprintf("expected %s without the port", as.Addr)
	case as.Addr.IsValid() && as.Zone+as.Sign == "":
		d.Label = "expected " + as.Host
		if as.Before+as.After == "" {
			d.Label = "an address has no brackets"
		}
		d.Fixes = r.bared(w, as.Host, isAddr)
	case looksLikeName(w.Text):
		d.Notes = []diag.Note{{Message: "keepalived resolves no names here"}}
	}
	r.fail(d)
}

func isAddr(s string) bool {
	_, err := parseAddr(s)
	return err == nil
}

// looksLikeName reports whether a text can be a host name with a domain.
func looksLikeName(s string) bool {
	letter := func(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
	other := func(c rune) bool { return !letter(c) && (c < '0' || c > '9') && c != '-' && c != '.' }
	return strings.Contains(s, ".") && strings.ContainsFunc(s, letter) && !strings.ContainsFunc(s, other)
}

// parseAddr reads an address without a zone, as inet_pton(3) does.
func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err == nil && a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%s: an address with a zone", s)
	}
	return a, err
}

// Port is a port number; names of services are not accepted here.
var Port = port(1)

// AnyPort is a port, or 0 for all ports.
var AnyPort = port(0)

func port(lo int64) Kind[uint16] {
	expect := fmt.Sprintf("a port %d..65535", lo)
	return Kind[uint16]{expect, func(r *reader) (uint16, bool) {
		w, ok := r.word(expect)
		if !ok {
			return 0, false
		}
		text := r.number(w)
		n, err := strconv.ParseInt(text, 10, 32)
		if err == nil && n >= lo && n <= 65535 {
			return uint16(n), true
		}
		d := diag.Diagnostic{Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value, Message: r.quote(w) + " is not a port", Span: w.Span, Label: "expected " + expect}
		switch known, first, _ := strings.Cut(text, "-"); {
		case isNumber(text):
			d.Rule, d.Message = "value-range", fmt.Sprintf("port %s is outside %d..65535", r.show(w), lo)
		case wellKnown[text] != "":
			d.Label = "expected a number: " + wellKnown[text]
			d.Fixes = []diag.Fix{replace(w.Span, wellKnown[text])}
		case isNumber(known) && isNumber(first), strings.Contains(text, ","):
			d.Label = "expected one port"
			d.Help = "for several ports mark the packets in the firewall, and write virtual_server fwmark; or use a virtual_server_group"
		}
		r.fail(d)
		return 0, false
	}}
}

// wellKnown maps the service names that people write to their ports (services(5)).
var wellKnown = map[string]string{
	"ftp": "21", "ssh": "22", "telnet": "23", "smtp": "25", "domain": "53", "dns": "53", "tftp": "69", "http": "80", "www": "80", "pop3": "110",
	"ntp": "123", "imap": "143", "snmp": "161", "ldap": "389", "https": "443", "syslog": "514", "ldaps": "636", "imaps": "993", "pop3s": "995",
	"radius": "1812", "mysql": "3306", "rdp": "3389", "sip": "5060", "postgresql": "5432", "redis": "6379", "http-alt": "8080",
}

// Endpoint is an address and a port as two words; the port may be omitted: 0.
var Endpoint = Kind[netip.AddrPort]{"an address and a port", func(r *reader) (none netip.AddrPort, ok bool) {
	w, ok := r.word("an address and a port")
	if !ok {
		return none, false
	}
	if both, ok := r.joined(w); ok {
		return both, true
	}
	a, ok := r.addr(w, "an address and a port", diag.Error)
	if !ok || len(r.rest) == 0 {
		return netip.AddrPortFrom(a, 0), ok
	}
	port, ok := AnyPort.read(r)
	return netip.AddrPortFrom(a, port), ok
}}

// joined reads "10.0.0.3:80", which people write and the reference does not understand, and "10.0.0.3/80", whose port
// the reference drops.
func (r *reader) joined(w grammar.Word) (netip.AddrPort, bool) {
	if r.literal || isAddr(w.Text) { // almost all words
		return netip.AddrPort{}, false
	}
	as := value.ReadAddress(w.Text)
	both, ok := as.Endpoint()
	if !ok {
		return netip.AddrPort{}, false
	}
	two := fmt.Sprintf("%s %d", both.Addr(), both.Port())
	lost := fmt.Sprintf("keepalived finds no address here and drops the %s", r.key.Word)
	if as.Sign == "/" {
		lost = fmt.Sprintf("keepalived reads %s and drops what follows", both.Addr())
	}
	r.twoWords(w, two, lost)
	return both, true
}

// twoWords reports an address and a port in one word, and what keepalived loses because of it.
func (r *reader) twoWords(w grammar.Word, two, lost string) {
	r.report(diag.Diagnostic{
		Rule: "address-port", Severity: diag.Error,
		Message: fmt.Sprintf("%s %s: address and port are two words", r.key.Word, short(w.Text)),
		Span:    w.Span,
		Label:   fmt.Sprintf("write %q", two),
		Notes:   []diag.Note{{Message: lost}},
		Fixes:   []diag.Fix{replace(w.Span, two)},
	})
}

// Prefix is an address with a prefix length; without one, it is a single host.
var Prefix = prefix("an address with a prefix length")

func prefix(expect string) Kind[netip.Prefix] {
	return Kind[netip.Prefix]{expect, func(r *reader) (none netip.Prefix, ok bool) {
		w, ok := r.word(expect)
		if !ok {
			return none, false
		}
		text, length, cut := strings.Cut(w.Text, "/")
		a, err := parseAddr(text)
		if err == nil && !cut {
			return r.prefixLength(w, a), true
		}
		bits, err2 := strconv.ParseUint(length, 10, 16)
		if err != nil || err2 != nil {
			what := "an address"
			if err == nil {
				what = expect
			}
			r.noPrefix(w, what, expect)
			return none, false
		}
		if int(bits) > a.BitLen() {
			if at := w.Span; r.literal {
				r.report(diag.Diagnostic{Rule: "value-range", Severity: diag.Error, Loss: diag.GoesOnWith, Message: "the prefix length is too large", Span: at, Label: "that of a host is used"})
				return netip.PrefixFrom(a, a.BitLen()), true
			}
			at := w.Span
			if at.Text() == w.Text {
				at.Start = at.End - int32(len(length))
			}
			r.fail(diag.Diagnostic{
				Rule: "value-range", Severity: diag.Error,
				Message: fmt.Sprintf("prefix length %d is outside 0..%d", bits, a.BitLen()),
				Span:    at,
				Label:   fmt.Sprintf("expected 0..%d", a.BitLen()),
			})
			return none, false
		}
		return netip.PrefixFrom(a, int(bits)), true
	}}
}

// prefixLength adds the prefix length to an address that has none in its own word: that of a single host, or that of a
// mask after a blank, which it reports.
func (r *reader) prefixLength(w grammar.Word, a netip.Addr) netip.Prefix {
	words := 0
	if next := r.peek(); next == "netmask" || next == "mask" || next == "/" {
		words++
	}
	if len(r.rest) == words || r.literal {
		return netip.PrefixFrom(a, a.BitLen())
	}
	last := r.rest[words]
	bits, ok := maskLength(strings.TrimPrefix(last.Text, "/"), a)
	if !ok || !strings.HasPrefix(last.Text, "/") && !strings.Contains(last.Text, ".") && words == 0 {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, at := netip.PrefixFrom(a, bits), w.Span.To(last.Span)
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: fmt.Sprintf("%s does not give %s a prefix length", r.quoteAll(r.rest[:words+1]), a),
		Span:    at,
		Label:   fmt.Sprintf("expected %s in one word", p),
		Fixes:   []diag.Fix{replace(at, p.String())},
	}
	r.rest = r.rest[words+1:]
	r.report(d)
	return p
}

// maskLength reads a netmask or the prefix length of an address.
func maskLength(s string, of netip.Addr) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n >= 0 && n <= of.BitLen()
	}
	mask, err := netip.ParseAddr(s)
	if err != nil || !mask.Is4() || !of.Is4() {
		return 0, false
	}
	n, bits := ones(mask)
	return n, bits == 0 && n > 0
}

// ones returns the number of leading ones of a netmask, and the bits after them.
func ones(mask netip.Addr) (n int, rest uint32) {
	four := mask.As4()
	for rest = binary.BigEndian.Uint32(four[:]); rest&(1<<31) != 0; rest <<= 1 {
		n++
	}
	return n, rest
}

// noPrefix reports a word that is not an address with a prefix length, and suggests what was likely meant.
func (r *reader) noPrefix(w grammar.Word, what, expect string) {
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not " + what,
		Span:    w.Span,
		Label:   "expected " + expect,
	}
	as := value.ReadAddress(w.Text)
	bits, known := maskLength(as.Rest, as.Addr)
	if as.Rest == "" {
		bits, known = as.Addr.BitLen(), true
	}
	meant := netip.PrefixFrom(as.Addr, bits)
	name, _, _ := strings.Cut(strings.Trim(w.Text, `'",;<>()*`), "/")
	switch {
	case looksLikeName(name):
		d.Notes = []diag.Note{{Message: "keepalived resolves no names here"}}
	case !as.Addr.IsValid() && strings.Contains(name, "-"), as.Sign == "-":
		d.Label = "expected one address a line"
	case !as.Addr.IsValid() || !known:
	case as.Port != "":
		d.Label = fmt.Sprintf("expected %s without the port", as.Addr)
	case as.Zone != "":
		d.Label = fmt.Sprintf("expected %s dev %s", meant, as.Zone)
	case as.Sign != "" && as.Rest == "":
		d.Label = `expected a number behind "/"`
		d.Notes = []diag.Note{{Message: "keepalived reads 0: every address is then one of the link"}}
	default:
		d.Label = fmt.Sprintf("expected %s", meant)
		d.Fixes = r.bared(w, meant.String(), isAddr)
	}
	r.fail(d)
}

// Mask is the granularity of persistence.
var Mask = Kind[ir.ClientMask]{"a netmask (IPv4) or a prefix length 1..128 (IPv6)", func(r *reader) (ir.ClientMask, bool) {
	const expect = "a netmask or a prefix length"
	w, ok := r.word(expect)
	if !ok {
		return 0, false
	}
	if !strings.Contains(w.Text, ".") {
		n, ok := r.int(w, 1, 128, expect)
		return ir.MaskOf(int(n), true), ok
	}
	a, err := netip.ParseAddr(w.Text)
	if err != nil || !a.Is4() {
		r.invalid(w, "a netmask", expect)
		return 0, false
	}
	if _, bits := ones(a); bits != 0 {
		r.report(diag.Diagnostic{
			Rule: "mask-with-holes", Severity: diag.Warning,
			Message: fmt.Sprintf("netmask %s has ones behind zeros", a),
			Span:    w.Span,
			Label:   "clients that differ only where it has zeros count as one",
		})
	}
	return ir.MaskFrom(a), true
}}

// serviceHead reads what is between virtual_server and its brace: an address and a port, a firewall mark or the name
// of a group.
var serviceHead = Head[ir.VirtualServer]{expect: "an address and a port, fwmark and a number, or group and a name", read: func(r *reader, v *ir.VirtualServer) bool {
	switch r.peek() {
	case "fwmark":
		mark, ok := r.mark(1)
		v.Key.FWMark = mark
		if next := r.peek(); ok && (next == "inet" || next == "inet6") {
			v.Key.IPv6, ok = family.read(r)
		}
		return ok
	case "group":
		r.optional()
		name, ok := Name.read(r)
		v.Group = name
		return ok
	}
	if best, sure := diag.Suggest(r.peek(), []string{"fwmark", "group"}); sure || r.peek() == "mark" {
		r.oneOf(r.rest[0], []string{cmp.Or(best, "fwmark")})
		return false
	}
	at, ok := Endpoint.read(r)
	v.Key.Addr, v.Key.Port = at.Addr(), at.Port()
	return ok
}}

// mark reads fwmark and the firewall mark after it.
func (r *reader) mark(least int64) (uint32, bool) {
	key := r.key
	defer func() { r.key = key }()
	w, _ := r.optional()
	r.key = &Keyword{Word: w.Text, Block: key.Block}
	return Int[uint32](least, 1<<32-1).read(r)
}

// family is the family of a firewall mark; true means IPv6.
var family = as(Choice("inet", "inet6"), func(s string) bool { return s == "inet6" })

// addrRange reads "10.0.0.1", "10.0.0.1-9", "10.0.0.1-10.0.0.9" or "10.0.0.0/28" as the first and last address.
func addrRange(r *reader) (first, last netip.Addr, port uint16, ok bool) {
	const expect = "an address, range or prefix"
	w, ok := r.word(expect)
	if !ok {
		return first, last, 0, false
	}
	if both, ok := r.joined(w); ok {
		return both.Addr(), both.Addr(), both.Port(), true
	}
	text, end, ranged := strings.Cut(w.Text, "-")
	prefix, err := netip.ParsePrefix(text)
	switch {
	case !ranged && err == nil:
		if masked := prefix.Masked(); masked != prefix {
			if r.hostBits(w, masked); r.literal {
				return first, last, 0, false
			}
		}
		return prefix.Masked().Addr(), lastOf(prefix), 0, true
	case !ranged:
		first, ok = r.addr(w, expect, diag.Error)
		return first, first, 0, ok
	}
	if first, err = parseAddr(text); err != nil {
		r.invalid(w, "an address", expect)
		return first, last, 0, false
	}
	if last, err = parseAddr(end); err != nil {
		last, err = parseAddr(first.String()[:1+strings.LastIndexAny(first.String(), ".:")] + end)
	}
	if err != nil || !first.Less(last) || last.Is4() != first.Is4() {
		r.invalid(w, "a range of addresses", "a last address above the first one, as 192.0.2.1-9")
		return first, last, 0, false
	}
	return first, last, 0, true
}

// hostBits reports a prefix with host bits set: the reference drops such a line.
func (r *reader) hostBits(w grammar.Word, network netip.Prefix) {
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not a network",
		Span:    w.Span,
		Label:   fmt.Sprintf("expected %s, or one address without a prefix length", network),
		Notes:   []diag.Note{{Message: "keepalived drops the line"}},
	}
	r.report(d)
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
