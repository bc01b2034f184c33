package schema

import (
	"net/netip"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
)

// bare is a block that makes a check of a kind without its own part.
func bare(of ir.Checker, rows ...Row[ir.Check]) *Block[ir.Check] {
	return block(Head[ir.Check]{}, silent(of), rows...)
}

// silent is a check about which the file says nothing.
func silent(of ir.Checker) ir.Check { return ir.Check{Checker: of, CheckTiming: ir.NoTiming} }

// checker is a block that makes a check of a kind: the words that it shares with other checks, and those of its own
// part. The part holds what the defaults of rows cannot express.
func checker[P any, Part interface {
	*P
	ir.Checker
}](of Part, shared []Row[ir.Check], own ...Row[P]) *Block[ir.Check] {
	part := func(c *ir.Check) *P { p, _ := c.Checker.(Part); return p }
	rows := shared[:len(shared):len(shared)]
	for _, row := range own {
		rows = append(rows, Row[ir.Check]{
			Keyword: row.Keyword,
			read:    func(r *reader, c *ir.Check) { row.read(r, part(c)) },
			show:    func(c, unset *ir.Check, lines []*grammar.Stmt) view { return row.show(part(c), part(unset), lines) },
		})
	}
	b := block(Head[ir.Check]{}, silent(of), rows...)
	b.own = func(c *ir.Check) {
		p := *part(c)
		c.Checker = Part(&p)
	}
	return b
}

// timing is the words of every check that has a period of its own.
var timing = []Row[ir.Check]{
	Value("retry", Int[int](0, 1<<32-1), func(c *ir.Check) *int { return &c.Retry },
		"Failures beyond the first that are forgiven.").Otherwise("that of the real server, else 1; MISC_CHECK 0, DNS_CHECK 3"),
	Value("delay_before_retry", Decimal(0, forever), func(c *ir.Check) *duration { return &c.DelayBeforeRetry },
		"The time from a failure to the next try.").Otherwise("that of the real server, else 1; HTTP_GET and SSL_GET 3, DNS_CHECK delay_loop"),
	Value("warmup", Decimal(0, forever), func(c *ir.Check) *duration { return &c.Warmup },
		"The first check comes at random within this time.").Otherwise("that of the real server, else delay_loop"),
	Value("delay_loop", Decimal(0.000001, forever), func(c *ir.Check) *duration { return &c.DelayLoop },
		"The time between two checks.").Otherwise("that of the real server, else 60"),
	Value("alpha", Bool, func(c *ir.Check) *bool { return &c.Alpha },
		"Counts as failed until the first success.").Otherwise("that of the real server"),
	Value("log_all_failures", Bool, func(c *ir.Check) *bool { return &c.LogAllFailures },
		"Logs every failure, not only the last.").Otherwise("checker_log_all_failures").Since("2.0.11"),
}

// connecting is the words of every check that opens a connection.
var connecting = append([]Row[ir.Check]{
	end("connect_ip", Addr, farEnd, netip.AddrPort.Addr, withAddr,
		"The address to connect to.").Otherwise("that of the real server"),
	end("connect_port", Port, farEnd, netip.AddrPort.Port, withPort,
		"The port to connect to.").Otherwise("that of the real server"),
	end("bindto", Addr, nearEnd, netip.AddrPort.Addr, withAddr,
		"The source address.").Otherwise("any"),
	end("bind_port", Port, nearEnd, netip.AddrPort.Port, withPort,
		"The source port.").Otherwise("any"),
	Value("bind_if", Interface, func(c *ir.Check) *string { return &c.BindIf },
		"The interface to connect through; needed for link-local addresses.").Otherwise("any"),
	Value("connect_timeout", Decimal(0.000001, 4294.967295), func(c *ir.Check) *duration { return &c.ConnectTimeout },
		"How long the check waits for the connection.").Otherwise("that of the real server, else 5"),
	Value("fwmark", Int[uint32](0, 1<<32-1), func(c *ir.Check) *uint32 { return &c.FWMark },
		"The firewall mark of packets.").Default("0").Build("so-mark"),
}, timing...)

// end is a keyword for the address or port of one end of a check's connection.
func end[V comparable](word string, k Kind[V], at func(*ir.Check) *netip.AddrPort, of func(netip.AddrPort) V, with func(netip.AddrPort, V) netip.AddrPort, text string) Row[ir.Check] {
	key := &Keyword{Word: word, Expect: k.Expect, Text: text}
	return Row[ir.Check]{
		Keyword: key,
		read: func(r *reader, c *ir.Check) {
			if v, ok := k.read(r); ok {
				*at(c) = with(*at(c), v)
			}
		},
		show: func(c, _ *ir.Check, lines []*grammar.Stmt) view {
			s := Setting{Key: key}
			if v := of(*at(c)); v != *new(V) {
				s = valueOf(key, v, lines)
			}
			return view{settings: []Setting{s}}
		},
	}
}

func farEnd(c *ir.Check) *netip.AddrPort  { return &c.Target }
func nearEnd(c *ir.Check) *netip.AddrPort { return &c.BindTo }

func withAddr(end netip.AddrPort, a netip.Addr) netip.AddrPort {
	return netip.AddrPortFrom(a, end.Port())
}
func withPort(end netip.AddrPort, p uint16) netip.AddrPort { return netip.AddrPortFrom(end.Addr(), p) }

// oldRetry is the former name of retry in HTTP_GET and SSL_GET; people write it everywhere.
func oldRetry() Row[ir.Check] {
	return Value("nb_get_retry", Int[int](0, 1<<32-1), func(c *ir.Check) *int { return &c.Retry }, "Old name of retry.")
}

// connects is the words of a check that opens a connection and never had nb_get_retry.
func connects() []Row[ir.Check] {
	return slices.Concat(connecting, connectingMisnamed, []Row[ir.Check]{misnamed[ir.Check]("nb_get_retry", "retry")})
}

// asks is the words of an HTTP check that are not about its pages.
func asks() []Row[ir.Check] {
	return slices.Concat(connecting, connectingMisnamed, []Row[ir.Check]{oldRetry().Same("retry").Deprecated("retry")})
}

// connectingMisnamed is the wrong words that people write in checks that open a connection.
var connectingMisnamed = []Row[ir.Check]{
	misnamed[ir.Check]("port", "connect_port"),
	misnamed[ir.Check]("timeout", "connect_timeout"),
	misnamed[ir.Check]("retries", "retry"),
	misnamed[ir.Check]("interval", "delay_loop"),
}

var (
	tcpCheck  = bare(&ir.TCPCheck{}, connects()...)
	pingCheck = bare(&ir.PingCheck{}, connects()...)
	udpCheck  = checker(&ir.UDPCheck{}, connects(),
		Value("payload", Octets, func(u *ir.UDPCheck) *ir.Octets { return &u.Payload }, "What is sent.").Since("2.2.0"),
		Value("require_reply", Reply, func(u *ir.UDPCheck) **ir.Reply { return &u.Reply }, "An answer must come, and match the bytes as far as both go.").Since("2.1.0"),
		Value("min_reply_length", Int[int](0, 65535), func(u *ir.UDPCheck) *int { return &u.MinLength }, "The shortest good answer, where require_reply has bytes.").Default("0").Since("2.2.0"),
		Value("max_reply_length", Int[int](0, 65535), func(u *ir.UDPCheck) *int { return &u.MaxLength }, "The longest good answer, where require_reply has bytes.").Default("255").Since("2.2.0"),
	)
	smtpCheck = checker(&ir.SMTPCheck{}, connects(),
		Value("helo_name", String, func(s *ir.SMTPCheck) *string { return &s.Helo }, "The name in HELO.").Default("smtpchecker.keepalived.org"),
		misnamed[ir.SMTPCheck]("helo", "helo_name"),
		Each("host", bare(&ir.SMTPCheck{}, connecting...), func(s *ir.SMTPCheck) *[]*ir.Check { return &s.Hosts },
			"One more target of the check.").Deprecated("one SMTP_CHECK for each target").Build("host-entries"),
	)
	dnsCheck = checker(&ir.DNSCheck{}, connects(),
		Value("type", FoldedChoice("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"), func(d *ir.DNSCheck) *string { return &d.Type },
			"The type of record that is asked for.").Default("SOA"),
		Value("name", Domain, func(d *ir.DNSCheck) *string { return &d.Name }, "The name that is asked for.").Default(".").First(),
		misnamed[ir.DNSCheck]("query", "name"),
		misnamed[ir.DNSCheck]("query_type", "type"),
	)
	httpGet = checker(&ir.HTTPCheck{}, asks(), pages(url)...)
	sslGet  = checker(&ir.HTTPCheck{TLS: true}, asks(), append(pages(sslURL),
		Value("tls_compliant", Bool, func(h *ir.HTTPCheck) *bool { return &h.TLSCompliant }, "The server must close TLS properly.").Since("2.2.8"))...)
	miscCheck = checker(&ir.MiscCheck{}, timing,
		Value("misc_path", Program, func(m *ir.MiscCheck) *ir.Command { return &m.Command }, "The program; only the first word or quoted text counts.").Required(),
		Value("misc_timeout", Seconds(0, 4294), func(m *ir.MiscCheck) *duration { return &m.Timeout }, "A run that takes longer is a failure.").Otherwise("delay_loop"),
		Value("misc_dynamic", Flag, func(m *ir.MiscCheck) *bool { return &m.Dynamic }, "Exit status 2..255 sets the weight to 0..253."),
		Value("user", Account, func(m *ir.MiscCheck) *ir.User { return &m.User }, "Who runs the program.").Otherwise("script_user"),
		misnamed[ir.MiscCheck]("script", "misc_path"),
		misnamed[ir.MiscCheck]("path", "misc_path"),
		misnamed[ir.MiscCheck]("misc_script", "misc_path"),
		misnamed[ir.MiscCheck]("timeout", "misc_timeout"),
		misnamed[ir.MiscCheck]("dynamic", "misc_dynamic"),
	)
	fileCheck = checker(&ir.FileCheck{}, nil,
		Value("track_file", Reference, func(f *ir.FileCheck) *ir.Name { return &f.TrackFile }, "The name of a track_file that comes before.").Required().Since("2.1.0"),
		Value("weight", as(Weighted(-(1<<31-1), 1<<31-1), pointer), func(f *ir.FileCheck) **ir.Weight { return &f.Weight },
			"The number in the file is multiplied by it.").Otherwise("that of the track_file").Since("2.1.0"),
		Checked[ir.FileCheck]("dynamic", Flag, "A word of the manual that keepalived does not know.").Removed("the manual alone"),
	)
	bfdCheck = checker(&ir.BFDCheck{}, []Row[ir.Check]{
		Value("alpha", Bool, func(c *ir.Check) *bool { return &c.Alpha }, "Counts as failed until the session is up.").Otherwise("that of the real server").Build("bfd"),
	},
		Value("name", Reference, func(b *ir.BFDCheck) *ir.Name { return &b.Name }, "The name of a bfd_instance.").Required().Build("bfd"),
	)
)

// pages is the words of HTTP_GET and SSL_GET in addition to those of every check.
func pages(url *Block[ir.URL]) []Row[ir.HTTPCheck] {
	return []Row[ir.HTTPCheck]{
		Each("url", url, func(h *ir.HTTPCheck) *[]*ir.URL { return &h.URLs }, "A page that must be right.").Required().Vital(),
		Value("virtualhost", String, func(h *ir.HTTPCheck) *string { return &h.VirtualHost }, "The Host header.").Otherwise("that of the real server"),
		misnamed[ir.HTTPCheck]("host", "virtualhost"),
		Value("http_protocol", as(Choice("1.0", "1.1", "1.0C", "1.0c"), strings.ToUpper), func(h *ir.HTTPCheck) *string { return &h.Version },
			"The version of HTTP; 1.0C is 1.0 that closes the connection.").Default("1.0").Since("2.0.17"),
		Value("enable_sni", Bool, func(h *ir.HTTPCheck) *bool { return &h.SNI }, "Tells the server its name in TLS.").Build("sni"),
		Value("sni_name", Optional(String, ""), func(h *ir.HTTPCheck) *string { return &h.SNIName }, "The name told in TLS.").Otherwise("virtualhost").Since("2.4.4").Build("sni"),
		Value("fast_recovery", Bool, func(h *ir.HTTPCheck) *bool { return &h.FastRecovery },
			"A server that comes back gets its remaining pages checked without a pause.").Since("2.0.17"),
	}
}

var (
	url    = block(Head[ir.URL]{}, ir.URL{}, urlRows...)
	sslURL = block(Head[ir.URL]{}, ir.URL{}, append(urlRows[:len(urlRows):len(urlRows)],
		Value("tls_compliant", Bool, func(u *ir.URL) *bool { return &u.TLSCompliant }, "The server must close TLS properly.").Otherwise("that of the check").Since("2.2.8"))...)
)

var urlRows = []Row[ir.URL]{
	Value("path", String, func(u *ir.URL) *string { return &u.Path }, "The path of the page.").Required().Vital(),
	Add("digest", list(as(Hex(32), strings.ToLower)), func(u *ir.URL) *[]string { return &u.Digests }, "The MD5 digest of the page."),
	Add("status_code", StatusCodes, func(u *ir.URL) *[]ir.StatusRange { return &u.Status }, "The status that is right.").Otherwise("200-299"),
	misnamed[ir.URL]("status", "status_code"),
	misnamed[ir.URL]("http_code", "status_code"),
	Value("virtualhost", String, func(u *ir.URL) *string { return &u.VirtualHost }, "The Host header.").Otherwise("that of the check"),
	misnamed[ir.URL]("host", "virtualhost"),
	Value("regex", Pattern, func(u *ir.URL) *string { return &u.Regex.Pattern }, "A regular expression (PCRE) that the page must match.").Since("2.0.7").Build("regex"),
	Value("regex_no_match", Flag, func(u *ir.URL) *bool { return &u.Regex.NoMatch }, "The page must not match.").Since("2.0.7").Build("regex"),
	Value("regex_options", ChoiceList("allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall", "dupnames",
		"extended", "firstline", "match_unset_backref", "multiline", "never_ucp", "never_utf", "no_auto_capture", "no_auto_possess",
		"no_dotstar_anchor", "no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c", "alt_circumflex", "alt_verbnames",
		"use_offset_limit"), func(u *ir.URL) *[]string { return &u.Regex.Options }, "Options of the regular expression.").Since("2.0.7").Build("regex"),
	Value("regex_min_offset", Int[int](0, 1<<32-1), func(u *ir.URL) *int { return &u.Regex.MinOffset }, "The page is searched from this byte.").Default("0").Since("2.0.7").Build("regex"),
	Value("regex_max_offset", as(Int[int](0, 1<<32-1), func(n int) int { return n + 1 }), func(u *ir.URL) *int { return &u.Regex.EndOffset }, "The match must begin at this byte or before it.").Otherwise("no limit").Since("2.0.7").Build("regex"),
	Value("regex_stack", Sizes, func(u *ir.URL) *ir.Sizes { return &u.Regex.Stack }, "The stack of the regular expression in bytes: the first and the largest size.").Otherwise("0 0").Since("2.0.7").Build("regex"),
}

var bfd = block(head(Short(31), func(b *ir.BFD) *string { return &b.Name }), ir.BFD{},
	Value("neighbor_ip", Addr, func(b *ir.BFD) *address { return &b.Neighbor }, "The other end of the session."),
	Value("neighbour_ip", Addr, func(b *ir.BFD) *address { return &b.Neighbor }, "Same as neighbor_ip.").Same("neighbor_ip"),
	Value("source_ip", Addr, func(b *ir.BFD) *address { return &b.Source }, "The own address, of the family of the neighbour.").Otherwise("any"),
	Value("min_rx", Milliseconds(1, 4294967), func(b *ir.BFD) *duration { return &b.MinRX }, "The shortest time between packets that can be received.").Default("10"),
	Value("min_tx", Milliseconds(1, 4294967), func(b *ir.BFD) *duration { return &b.MinTX }, "The shortest time between packets that are sent.").Default("10"),
	Value("idle_tx", Milliseconds(1000, 4294967), func(b *ir.BFD) *duration { return &b.IdleTX }, "The time between packets while the session is down.").Default("1000"),
	Value("multiplier", Int[int](1, 255), func(b *ir.BFD) *int { return &b.Multiplier }, "Packets that must be missed before the session is down.").Default("5"),
	Value("passive", Flag, func(b *ir.BFD) *bool { return &b.Passive }, "Waits for the other end to begin."),
	Value("ttl", Int[int](1, 255), func(b *ir.BFD) *int { return &b.TTL }, "The TTL of packets.").Otherwise("255 with IPv4, 64 with IPv6"),
	Value("hoplimit", Int[int](1, 255), func(b *ir.BFD) *int { return &b.TTL }, "Same as ttl.").Same("ttl").Otherwise("255 with IPv4, 64 with IPv6"),
	Value("max_hops", Int[int](-1, 255), func(b *ir.BFD) *int { return &b.MaxHops }, "How many routers may be between; -1 accepts all.").Default("0"),
	Value("multihop", Bool, func(b *ir.BFD) *bool { return &b.Multihop }, "Uses the port of multihop sessions, 4784.").Since("2.2.8"),
	Value("weight", Weighted(-253, 253), func(b *ir.BFD) *ir.Weight { return &b.Weight }, "What the session adds to the priority of instances that track it.").Default("0"),
	Value("vrrp", Flag, func(b *ir.BFD) *bool { return &b.VRRP }, "Tells instances about the session.").Otherwise("both vrrp and checker"),
	Value("checker", Flag, func(b *ir.BFD) *bool { return &b.Checker }, "Tells checkers about the session.").Otherwise("both vrrp and checker"),
	misnamed[ir.BFD]("neighbor", "neighbor_ip"),
	misnamed[ir.BFD]("neighbour", "neighbor_ip"),
	misnamed[ir.BFD]("peer", "neighbor_ip"),
	misnamed[ir.BFD]("src_ip", "source_ip"),
)
