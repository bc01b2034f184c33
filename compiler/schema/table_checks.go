package schema

import (
	"net/netip"

	"keepc/compiler/ir"
)

// checker is a block that makes a check of a kind: the words that all checks share, and its own.
func checker(kind ir.CheckKind, shared []Row[ir.Check], own ...Row[ir.Check]) *Block[ir.Check] {
	proto := ir.Check{CheckSpec: ir.CheckSpec{
		Kind:           kind,
		ConnectTimeout: ir.Unset, DelayLoop: ir.Unset, DelayBeforeRetry: ir.Unset, Warmup: ir.Unset, Retry: ir.Unset,
	}}
	return block(Head[ir.Check]{}, proto, append(shared[:len(shared):len(shared)], own...)...)
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
	Checked[ir.Check]("log_all_failures", Bool, "Logs every failure, not only the last.").Otherwise("checker_log_all_failures").Since("2.0.11"),
}

// connecting is the words of every check that opens a connection.
var connecting = append([]Row[ir.Check]{
	Value("connect_ip", Addr, func(c *ir.Check) *netip.Addr { return &c.ConnectIP },
		"The address to connect to.").Otherwise("that of the real server"),
	Value("connect_port", Port, func(c *ir.Check) *uint16 { return &c.ConnectPort },
		"The port to connect to.").Otherwise("that of the real server"),
	Value("bindto", Addr, func(c *ir.Check) *netip.Addr { return &c.BindAddr },
		"The source address.").Otherwise("any"),
	Value("bind_port", Port, func(c *ir.Check) *uint16 { return &c.BindPort },
		"The source port.").Otherwise("any"),
	Value("bind_if", Interface, func(c *ir.Check) *string { return &c.BindIf },
		"The interface to connect through; needed for link-local addresses.").Otherwise("any"),
	Value("connect_timeout", Decimal(0.000001, 4294.967295), func(c *ir.Check) *duration { return &c.ConnectTimeout },
		"How long the check waits for the connection.").Otherwise("that of the real server, else 5"),
	Value("fwmark", Int[uint32](0, 1<<32-1), func(c *ir.Check) *uint32 { return &c.FWMark },
		"The firewall mark of packets.").Default("0").Build("so-mark"),
}, timing...)

// oldRetry is what retry is called in HTTP_GET and SSL_GET of old; people write it everywhere.
func oldRetry() Row[ir.Check] {
	return Value("nb_get_retry", Int[int](0, 1<<32-1), func(c *ir.Check) *int { return &c.Retry }, "Old name of retry.")
}

var (
	tcpCheck  = checker(ir.TCPCheck, connecting, oldRetry().Instead("retry"))
	pingCheck = checker(ir.PingCheck, connecting, oldRetry().Instead("retry"))
	udpCheck  = checker(ir.UDPCheck, connecting,
		oldRetry().Instead("retry"),
		Checked[ir.Check]("payload", Words("bytes in hex"), "What is sent.").Since("2.2.0"),
		Checked[ir.Check]("require_reply", AnyWords("[bytes in hex, x for any digit]"), "An answer must come, and match when bytes are given.").Since("2.1.0"),
		Checked[ir.Check]("min_reply_length", Int[int](0, 65535), "The shortest good answer.").Default("0").Since("2.2.0"),
		Checked[ir.Check]("max_reply_length", Int[int](0, 65535), "The longest good answer.").Default("255").Since("2.2.0"),
	)
	smtpCheck = checker(ir.SMTPCheck, connecting,
		oldRetry().Instead("retry"),
		Checked[ir.Check]("helo_name", String, "The name in HELO.").Default("smtpchecker.keepalived.org"),
		CheckedBlock[ir.Check]("host", checker(ir.SMTPCheck, connecting), "One more target of the check.").Repeat().Deprecated("one SMTP_CHECK for each target").Build("host-entries"),
	)
	dnsCheck = checker(ir.DNSCheck, connecting,
		oldRetry().Instead("retry"),
		Checked[ir.Check]("type", FoldedChoice("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"), "The type of record that is asked for.").Default("SOA"),
		Checked[ir.Check]("name", String, "The name that is asked for.").Default("."),
	)
	httpGet = checker(ir.HTTPCheck, connecting, http(url)...)
	sslGet  = checker(ir.SSLCheck, connecting, append(http(sslURL),
		Checked[ir.Check]("tls_compliant", Bool, "The server must close TLS properly.").Since("2.2.8"))...)
	miscCheck = checker(ir.MiscCheck, timing,
		Checked[ir.Check]("misc_path", Program, "The program; only the first word or quoted text counts.").Required(),
		Checked[ir.Check]("misc_timeout", Seconds(0, 4294), "A run that takes longer is a failure.").Otherwise("delay_loop"),
		Checked[ir.Check]("misc_dynamic", Flag, "Exit status 2..255 sets the weight to 0..253."),
		Checked[ir.Check]("user", Account, "Who runs the program.").Otherwise("script_user"),
	)
	fileCheck = checker(ir.FileCheck, nil,
		Checked[ir.Check]("track_file", Name, "The name of a track_file that stands before.").Required().Since("2.1.0"),
		Checked[ir.Check]("weight", Weighted(-(1<<31-1), 1<<31-1), "The number in the file is multiplied by it.").Otherwise("that of the track_file").Since("2.1.0"),
		Checked[ir.Check]("dynamic", Flag, "A word of the manual that keepalived does not know.").Removed("the manual alone"),
	)
	bfdCheck = checker(ir.BFDCheck, nil,
		Checked[ir.Check]("name", Short(31), "The name of a bfd_instance.").Required().Build("bfd"),
		Value("alpha", Bool, func(c *ir.Check) *bool { return &c.Alpha }, "Counts as failed until the session is up.").Otherwise("that of the real server").Build("bfd"),
	)
)

// http is the words of HTTP_GET and SSL_GET beside those that every check has.
func http(url *Block[none]) []Row[ir.Check] {
	return []Row[ir.Check]{
		CheckedBlock[ir.Check]("url", url, "A page that must be right.").Repeat().Required(),
		oldRetry().Deprecated("retry"),
		Checked[ir.Check]("virtualhost", String, "The Host header.").Otherwise("that of the real server"),
		Checked[ir.Check]("http_protocol", Choice("1.0", "1.1", "1.0C", "1.0c"), "The version of HTTP; 1.0C is 1.0 that closes the connection.").Default("1.0").Since("2.0.17"),
		Checked[ir.Check]("enable_sni", Bool, "Tells the server its name in TLS.").Build("sni"),
		Checked[ir.Check]("sni_name", Optional(String, ""), "The name told in TLS.").Otherwise("virtualhost").Since("2.4.4").Build("sni"),
		Checked[ir.Check]("fast_recovery", Bool, "A server that comes back gets its remaining pages checked without a pause.").Since("2.0.17"),
	}
}

var (
	url    = block(Head[none]{}, none{}, urlRows...)
	sslURL = block(Head[none]{}, none{}, append(urlRows[:len(urlRows):len(urlRows)],
		Checked[none]("tls_compliant", Bool, "The server must close TLS properly.").Otherwise("that of the check").Since("2.2.8"))...)
)

var urlRows = []Row[none]{
	Checked[none]("path", String, "The path of the page.").Required(),
	Checked[none]("digest", Hex(32), "The MD5 digest of the page.").Repeat(),
	Checked[none]("status_code", StatusCodes, "The status that is right.").Otherwise("200-299").Repeat(),
	Checked[none]("virtualhost", String, "The Host header.").Otherwise("that of the check"),
	Checked[none]("regex", String, "A regular expression (PCRE) that the page must match.").Since("2.0.7").Build("regex"),
	Checked[none]("regex_no_match", Flag, "The page must not match.").Since("2.0.7").Build("regex"),
	Checked[none]("regex_options", ChoiceList("allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall", "dupnames",
		"extended", "firstline", "match_unset_backref", "multiline", "never_ucp", "never_utf", "no_auto_capture", "no_auto_possess",
		"no_dotstar_anchor", "no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c", "alt_circumflex", "alt_verbnames",
		"use_offset_limit"), "Options of the regular expression.").Since("2.0.7").Build("regex"),
	Checked[none]("regex_min_offset", Int[int](0, 1<<32-1), "The page is searched from this byte.").Default("0").Since("2.0.7").Build("regex"),
	Checked[none]("regex_max_offset", Int[int](0, 1<<32-1), "The match must begin before this byte.").Otherwise("no limit").Since("2.0.7").Build("regex"),
	Checked[none]("regex_stack", Words("the first and the largest size"), "The stack of the regular expression in bytes.").Otherwise("0 0").Since("2.0.7").Build("regex"),
}
