package schema

import (
	"fmt"
	"slices"

	"keepc/grammar"
	"keepc/grammar/diag"
)

// widespread is the version that current distributions have at least: that of Debian 12. Newer keywords are reported.
const widespread = "2.2.7"

// A provision is a part of keepalived that only some builds have.
type provision struct {
	name  string // such as "built with BFD"
	label string // what other builds do
	help  string
}

// provision returns what a keyword needs that not every build has; false: nothing, or a part that is on by default.
func (k *Keyword) provision() (provision, bool) {
	const unknown, debian = "unknown to other builds", "Debian's has it; keepalived --version lists what another one has"
	const tables = "Debian's has nftables instead, which the keyword nftables turns on"
	switch k.Build {
	case "bfd":
		return provision{"BFD (--enable-bfd)", unknown, debian}, true
	case "dbus":
		return provision{"D-Bus (--enable-dbus)", unknown, debian}, true
	case "json":
		return provision{"JSON (--enable-json)", unknown, debian}, true
	case "regex":
		return provision{"regular expressions (--enable-regex)", unknown, debian}, true
	case "snmp":
		return provision{"SNMP (--enable-snmp)", unknown, debian}, true
	case "iptables":
		return provision{"iptables", "others use nftables", tables}, true
	case "ipset":
		return provision{"ipsets", unknown, tables}, true
	}
	return provision{}, false
}

// recent reports whether a keyword is newer than the keepalived on many machines.
func (k *Keyword) recent() bool { return k.Since != "" && Older(widespread, k.Since) }

// everywhere reports whether every current keepalived knows the word.
func (k *Keyword) everywhere() bool {
	_, optional := k.provision()
	return !optional && !k.recent()
}

// provided reports what the keepalived that will read the file must have for a keyword: each version and build option
// once per file.
func (r *reader) provided(key *Keyword) {
	if r.own || !key.Current() {
		return
	}
	if p, optional := key.provision(); optional && r.first("build "+key.Build) {
		r.report(diag.Diagnostic{
			Rule: "needs-build", Severity: diag.Info,
			Message: fmt.Sprintf("%s needs a keepalived that is built with %s", key.Word, p.name),
			Span:    r.keyword().Span,
			Label:   p.label,
			Help:    p.help,
		})
	}
	if key.recent() && r.version == "" && !r.asYoung(key) && r.first(r.path(key)) {
		r.report(diag.Diagnostic{
			Rule: "recent-keyword", Severity: diag.Info,
			Message: fmt.Sprintf("%s needs keepalived %s", key.Word, key.Since),
			Span:    r.keyword().Span,
			Label:   "unknown to " + widespread + " (Debian 12)",
			Help:    "keepalived_version in .keepc.conf, or --keepalived-version, says which one will read the file",
		})
	}
}

// fraction reports a decimal number that keepalived reads as a whole number before a version. It returns whether the
// keepalived that will read the file ignores the line.
func (r *reader) fraction(w grammar.Word, since string) (ignored bool) {
	if r.own || r.version != "" && !Older(r.version, since) {
		return false
	}
	d := diag.Diagnostic{
		Rule: "recent-fraction", Severity: diag.Warning,
		Message: fmt.Sprintf("%s %s needs keepalived %s", r.key.Word, r.show(w), since),
		Span:    w.Span,
		Label:   widespread + " (Debian 12) ignores the line",
		Help:    "write whole seconds",
	}
	if r.version != "" {
		d.Severity, d.Label = diag.Error, r.version+" ignores the line"
	}
	r.report(d)
	return r.version != ""
}

// asYoung reports whether a block around the current line is as new as a keyword, so that there is nothing to add.
func (r *reader) asYoung(key *Keyword) bool {
	return slices.ContainsFunc(r.inside, func(f frame) bool { return f.key.Since == key.Since })
}

// first reports whether something is reported for the first time.
func (r *reader) first(what string) bool {
	if r.provisions == nil {
		r.provisions = map[string]bool{}
	}
	seen := r.provisions[what]
	r.provisions[what] = true
	return !seen
}

// provisos returns the same as notes about a suggested word, or about the block in which it is valid.
func (r *reader) provisos(path ...*Keyword) (notes []diag.Note) {
	reads := r.version
	if reads == "" {
		reads = widespread
	}
	for _, k := range path {
		if k.Since != "" && Older(reads, k.Since) {
			notes = append(notes, diag.Note{Message: fmt.Sprintf("%s needs keepalived %s", k.Word, k.Since)})
		}
		if p, optional := k.provision(); optional {
			notes = append(notes, diag.Note{Message: fmt.Sprintf("%s needs a keepalived that is built with %s", k.Word, p.name)})
		}
		if len(notes) > 0 {
			return notes // what is in it needs nothing more
		}
	}
	return nil
}
