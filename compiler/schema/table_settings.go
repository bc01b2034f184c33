package schema

import (
	"net/netip"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// settings is the top level of .keepc.conf, which keepalived never reads.
var settings = block(Head[ir.Settings]{}, ir.Settings{},
	Value("fail_on", severity, func(s *ir.Settings) *diag.Severity { return &s.FailOn }, "The least severity that makes check exit with 1.").Otherwise("error"),
	Value("keepalived_version", Version, func(s *ir.Settings) *string { return &s.Version }, "The keepalived that will read the files: words that it does not know yet are errors.").Otherwise("any"),
	Add("exclude", Words("patterns of files"), func(s *ir.Settings) *[]string { return &s.Exclude }, "Files and directories that check does not look for, relative to the directory of the settings; ** is any number of directories."),
	Value("baseline", Path, func(s *ir.Settings) *string { return &s.Baseline }, "The file of findings that are known and not shown, relative to the directory of the settings; check --write-baseline writes it."),
	Each("rule", ruleSetting, func(s *ir.Settings) *[]*ir.RuleSetting { return &s.Rules }, "Switches a rule off, or gives its findings another severity.").Bare(),
	Each("path", pathSetting, func(s *ir.Settings) *[]*ir.PathSetting { return &s.Paths }, "Settings of rules for some files and directories, relative to the directory of the settings; ** is any number of directories."),
	Each("cluster", cluster, func(s *ir.Settings) *[]*ir.Cluster { return &s.Clusters }, "Directors that back each other up; check compares their files."),
	Each("announce", announcement, func(s *ir.Settings) *[]*ir.Announcement { return &s.Announcements }, "Addresses that a routing engine of the director announces while their services work: run writes a route of each into a table that the engine exports."),
	Part("verify_certificates", verification, func(s *ir.Settings) **ir.Verification { return &s.Verification }, "SSL_GET takes a server for down whose certificate is not for its name, is not signed by a trusted authority, or has expired. The name is sni_name or virtualhost, without a port; without one it is the address of the server."),
)

var verification = block(Head[ir.Verification]{}, ir.Verification{},
	Value("ca", Path, func(v *ir.Verification) *string { return &v.CA }, "The file of the certificates that are trusted, in PEM, relative to the directory of the settings.").Otherwise("ca of the block SSL, or the certificates of this system"),
	Value("lasts", span(90*24*time.Hour), func(v *ir.Verification) *time.Duration { return &v.Lasts }, "A certificate must be valid for so long from now on, as 72h: a server that nobody renewed it for is taken out while others still serve.").Default("0s"),
)

var announcement = block(head(named, func(a *ir.Announcement) *ir.Name { return &a.Name }), ir.Announcement{},
	Add("virtual_address", hostAddrs, func(a *ir.Announcement) *[]ir.PlacedAddr { return &a.Addresses }, "Addresses of virtual servers. Each is announced while all services at it have their quorum."),
	Value("quorum_addresses", Flag, func(a *ir.Announcement) *bool { return &a.QuorumAddresses }, "The addresses that quorum_up adds, too."),
	Value("local", Flag, func(a *ir.Announcement) *bool { return &a.Local }, "The addresses are local to the director by a route, from its start to its end: no interface has to have them. FRR does not export what an interface has with its full prefix length."),
	Value("table", engineTable, func(a *ir.Announcement) *uint32 { return &a.Table }, "The routing table that the engine exports.").Required(),
	Value("drain_table", engineTable, func(a *ir.Announcement) *uint32 { return &a.DrainTable }, "The routing table that the engine exports with the community GRACEFUL_SHUTDOWN (RFC 8326).").Otherwise("none: a drain withdraws at once"),
	Value("hold", span(time.Hour), func(a *ir.Announcement) *time.Duration { return &a.Hold }, "How long all is well before an address is announced for the first time.").Default("0s"),
	Value("drain", span(time.Minute), func(a *ir.Announcement) *time.Duration { return &a.Drain }, "How long a route is in drain_table before it is withdrawn.").Default("5s"),
)

// engineTable is a table that a routing engine can be told to read; the kernel's own, 253 to 255, are not allowed.
var engineTable = Kind[uint32]{"1..252 or 256..65535", func(r *reader) (uint32, bool) {
	const expect = "1..252 or 256..65535"
	w, ok := r.word(expect)
	if !ok {
		return 0, false
	}
	n, ok := r.int(w, 1, 65535, expect)
	if ok && n >= 253 && n <= 255 {
		r.invalid(w, "a table of a routing engine", expect)
		return 0, false
	}
	return uint32(n), ok
}}

// hostAddrs is one or more addresses without prefix lengths.
var hostAddrs = Kind[[]ir.PlacedAddr]{"IP addresses", func(r *reader) (list []ir.PlacedAddr, ok bool) {
	for ok = true; ok && (len(list) == 0 || len(r.rest) > 0); {
		words := r.rest
		var a netip.Addr
		if a, ok = hostAddr.read(r); ok {
			list = append(list, ir.PlacedAddr{Addr: a, At: words[0].Span})
		}
	}
	return list, ok
}}

// span is a time with its unit, such as 10s or 500ms, or in seconds.
func span(most time.Duration) Kind[time.Duration] {
	expect := "a time up to " + timeText(most) + ", as 10s or 500ms"
	return Kind[time.Duration]{expect, func(r *reader) (time.Duration, bool) {
		w, ok := r.word(expect)
		if !ok {
			return 0, false
		}
		text := w.Text
		if isNumber(text) {
			text += "s"
		}
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 || d > most {
			r.invalid(w, "a time", expect)
			return 0, false
		}
		return d, true
	}}
}

var ruleSetting = block(ruleHead, ir.RuleSetting{},
	Value("severity", severity, func(s *ir.RuleSetting) *diag.Severity { return &s.Severity }, "The severity of the findings of this rule.").Required(),
)

var pathSetting = block(head(named, func(p *ir.PathSetting) *ir.Name { return &p.Pattern }), ir.PathSetting{},
	Each("rule", ruleSetting, func(p *ir.PathSetting) *[]*ir.RuleSetting { return &p.Rules }, "Switches a rule off, or gives its findings another severity.").Bare(),
)

// ruleHead is the name of a rule, followed by off if there is no block.
var ruleHead = Head[ir.RuleSetting]{expect: "the name of a rule [off]", read: func(r *reader, s *ir.RuleSetting) bool {
	w, ok := r.word("the name of a rule")
	if !ok {
		return false
	}
	s.Rule = ir.Name{Text: w.Text, Span: w.Span}
	switch next, more := r.optional(); {
	case more && next.Text == "off":
		s.Off = true
	case more:
		r.oneOf(next, []string{"off"})
		return false
	case r.stmt.Block == nil:
		r.missingValue("off, or a severity in braces")
		return false
	}
	return true
}}

var cluster = block(head(named, func(c *ir.Cluster) *ir.Name { return &c.Name }), ir.Cluster{},
	Each("member", member, func(c *ir.Cluster) *[]*ir.Member { return &c.Members }, "One director of the cluster.").Required(),
)

var member = block(head(named, func(m *ir.Member) *ir.Name { return &m.Name }), ir.Member{},
	With("file", memberFile, func(m *ir.Member) *ir.Reading { return &m.Reading }, "The file of this director, relative to the directory of the settings. A pattern makes a member of each file that it matches, called after the part of the path that the first wildcard is in.").Required(),
	Value("id", String, func(m *ir.Member) *string { return &m.ID }, "The id of @ lines that are for this director.").Otherwise("the name of the member"),
)

var memberFile = entry("file line", head(Path, func(r *ir.Reading) *string { return &r.File }), ir.Reading{},
	Value("id", String, func(r *ir.Reading) *string { return &r.ID }, "The id of @ lines that are for this director."),
)

var severity = Enum(diag.Error, diag.Warning, diag.Info)

// named is the name of a block with its place.
var named = Kind[ir.Name]{"a name", func(r *reader) (ir.Name, bool) {
	w, ok := r.word("a name")
	return ir.Name{Text: w.Text, Span: w.Span}, ok
}}

// Version is a version of keepalived.
var Version = Kind[string]{"a version, as 2.2.8", func(r *reader) (string, bool) {
	w, ok := r.word("a version, as 2.2.8")
	if ok && !IsVersion(w.Text) {
		r.invalid(w, "a version", "numbers with points between them, as 2.2.8")
		return "", false
	}
	return w.Text, ok
}}

// IsVersion reports whether a text is a version of keepalived: two or three numbers separated by dots.
func IsVersion(text string) bool {
	parts := strings.Split(text, ".")
	for _, p := range parts {
		if p == "" || len(p) > 4 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return len(parts) == 2 || len(parts) == 3
}

// DecodeSettings reads a .keepc.conf by its table.
func DecodeSettings(file *grammar.File) (*ir.Settings, diag.List) {
	r := &reader{table: settings.keywords(), own: true, room: grammar.Room}
	s := settings.fresh()
	top := grammar.Word{Text: "settings", Span: file.Source.Span(0, 0)}
	s.SetOrigin(&grammar.Stmt{Words: []grammar.Word{top}, Block: &grammar.Block{Stmts: settings.statements(r, file.Stmts, s)}})
	return s, r.found.List
}
