package schema

import (
	"strings"

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
)

var ruleSetting = block(ruleHead, ir.RuleSetting{},
	Value("severity", severity, func(s *ir.RuleSetting) *diag.Severity { return &s.Severity }, "The severity of the findings of this rule.").Required(),
)

var pathSetting = block(head(named, func(p *ir.PathSetting) *ir.Name { return &p.Pattern }), ir.PathSetting{},
	Each("rule", ruleSetting, func(p *ir.PathSetting) *[]*ir.RuleSetting { return &p.Rules }, "Switches a rule off, or gives its findings another severity.").Bare(),
)

// ruleHead is the name of a rule, and off where no block follows.
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

// IsVersion tells whether a text is a version of keepalived: two or three numbers with points between them.
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
	s.SetOrigin(&grammar.Stmt{Words: []grammar.Word{top}, Block: &grammar.Block{Stmts: file.Stmts}})
	settings.statements(r, file.Stmts, s)
	return s, r.found.List
}
