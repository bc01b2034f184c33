package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// settingsName is the name of files that say how the files below their directory are checked.
const settingsName = ".keepc.conf"

// settings are the settings for the files of a directory.
type settings struct {
	ir.Settings        // zero if there is no file
	report.File        // what is wrong with it
	dir         string // of the file
	text        *source.Source
	excluded    bool // it left something out of a directory or pattern
}

// A settingsReader finds the settings of files. It reads each .keepc.conf once.
type settingsReader struct {
	*App
	known map[string]*settings // by the directory of the files that they apply to
	all   []*settings          // those that were read, in order of use
}

// members replaces members of clusters that are patterns by one member for each file that matches.
func (r *settingsReader) members(s *settings) {
	for _, c := range s.Clusters {
		var members []*ir.Member
		for _, m := range c.Members {
			switch {
			case m.File == "": // which is reported
				continue
			case !isPattern(m.File):
				members = append(members, m)
				continue
			}
			pattern := s.path(m.File)
			at := wildElement(pattern)
			_, err := r.files().With(s.dir).Locate(path.Join("/", path.Join(strings.Split(pattern, "/")[:at]...)))
			var files []string
			if err == nil {
				files, err = r.matching(pattern, false)
			}
			if err == nil && len(files) == 0 {
				err = errors.New("no file matches")
			}
			if err != nil {
				s.Findings.Add(diag.Diagnostic{
					Rule: "invalid-value", Severity: diag.Error, Span: m.Span(),
					Message: fmt.Sprintf("member %s: %s: %v", m.Name.Text, m.File, err), Label: "it has no file",
				})
			}
			for _, file := range files {
				one := *m
				one.Name.Text = strings.TrimSuffix(strings.Split(file, "/")[at], ".conf")
				if one.File = file; m.ID == m.Name.Text {
					one.ID = one.Name.Text
				}
				members = append(members, &one)
			}
		}
		c.Members = members
	}
}

// below returns the settings for the files of a directory: those of the nearest .keepc.conf upward.
func (r *settingsReader) below(dir string) (*settings, error) {
	if s, ok := r.known[dir]; ok {
		return s, nil
	}
	name := path.Join(dir, settingsName)
	var s *settings
	var text []byte
	_, err := fs.Lstat(r.FS, inFS(name))
	if err == nil {
		files := r.files().With(dir)
		text, err = r.readBy(files, r.trusted(files.Open), r.shown(name), false)
	}
	switch missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR); {
	case err == nil:
		s = r.parseSettings(name, text)
		r.members(s)
		r.all = append(r.all, s)
	case !missing:
		return nil, err
	case dir == "/":
		s = &settings{}
	default:
		if s, err = r.below(path.Dir(dir)); err != nil {
			return nil, err
		}
	}
	if r.known == nil {
		r.known = map[string]*settings{}
	}
	r.known[dir] = s
	return s, nil
}

// trusted opens settings files. For a verb that acts on this host they must belong to root or to the user who runs it,
// and nobody else may be able to write them.
func (a *App) trusted(open func(string) (fs.File, error)) func(string) (fs.File, error) {
	return func(name string) (fs.File, error) {
		f, err := open(name)
		if err != nil || !a.acts {
			return f, err
		}
		info, err := f.Stat()
		if err == nil {
			err = strangers(info)
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
}

// strangers returns an error for a file that users other than root and the one who runs keepc can write.
func strangers(info fs.FileInfo) error {
	stat, known := info.Sys().(*syscall.Stat_t)
	switch {
	case known && stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("is not read: it belongs to user %d, who is neither root nor the user of keepc", stat.Uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("is not read: not only its owner can write it (mode %04o)", info.Mode().Perm())
	}
	return nil
}

// parseSettings reads the text of a .keepc.conf.
func (a *App) parseSettings(name string, text []byte) *settings {
	src := source.New(a.shown(name), text)
	tree, reading := grammar.Parse(src)
	said, found := compiler.Settings(tree, reading)
	s := &settings{Settings: *said, File: report.File{Name: src.Name, Findings: found}, dir: path.Dir(a.abs(name)), text: src}
	if v := s.Verification; v != nil && v.CA != "" {
		v.CA = s.path(v.CA)
	}
	return s
}

// path returns the absolute path of a file that the settings name.
func (s *settings) path(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(s.dir, name)
}

// files returns the files of all members of clusters, once each.
func (s *settings) files() (names []string) {
	for _, c := range s.Clusters {
		for _, m := range c.Members {
			if name := s.path(m.File); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// ids returns the ids with which members of clusters read a file.
func (s *settings) ids(file string) (ids []string) {
	for _, c := range s.Clusters {
		for _, m := range c.Members {
			if s.path(m.File) == file && !slices.Contains(ids, m.ID) {
				ids = append(ids, m.ID)
			}
		}
	}
	return ids
}

// A job is one file to check, and how.
type job struct {
	name     string
	beside   string    // an additional directory in which files are read; empty: that of the file
	brought  bool      // it was not named: it is a peer of a named file, or includes it
	ids      []string  // of the readings; empty: one reading, for this host
	about    lint.Host // the machine that the file is also judged for; nil: none
	version  string    // of the keepalived that will read it; empty: any
	peers    bool      // it is compared with others
	failOn   diag.Severity
	settings *settings
	baseline *baseline // nil: there is none
}

// dir returns the absolute path of the additional directory in which files are read.
func (j job) dir(a *App) string {
	name := j.name
	if name == "-" {
		name = a.stdinName
	}
	return cmp.Or(j.beside, path.Dir(a.abs(name)))
}

// jobs returns the files to check. Without names they are those of the clusters of the settings here, or else the
// default file. A file that is a part of others means these, and the member of a cluster means all of its members.
func (r *checkRun) jobs(names []string) (jobs []job, err error) {
	beside := ""
	if names, err = r.found(names); err != nil {
		return nil, err
	}
	r.asked = map[string]bool{}
	for _, name := range names {
		r.asked[r.abs(name)] = true
	}
	if len(names) == 0 {
		s, err := r.settings.below(r.Dir)
		if err != nil {
			return nil, err
		}
		beside = s.dir
		for _, file := range s.files() {
			names = append(names, r.shown(file))
		}
	}
	if len(names) == 0 {
		names, beside = []string{r.defaultFile()}, ""
	}
	if !r.peers {
		if names, err = r.wholes(names); err != nil {
			return nil, err
		}
		if names, err = r.withPeers(names); err != nil {
			return nil, err
		}
		named := map[string]bool{}
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			again := name != "-" && named[r.abs(name)]
			named[r.abs(name)] = true
			return again
		})
	}
	jobs = make([]job, len(names))
	for i, name := range names {
		file := r.abs(name)
		if name == "-" {
			file = r.abs(r.stdinName)
		}
		s, err := r.settings.below(path.Dir(file))
		if err != nil {
			return nil, err
		}
		j := job{name: name, beside: beside, ids: r.ids, about: r.about, version: r.forVersion, failOn: r.threshold, settings: s}
		if j.brought = len(r.asked) > 0 && !r.asked[file] && name != "-"; j.brought {
			j.beside = cmp.Or(s.dir, r.Dir) // a settings file may name any file, and the user did not name this one
		}
		if len(j.ids) == 0 {
			j.ids = s.ids(file)
		}
		if j.version == "" {
			j.version = s.Version
		}
		if j.failOn == 0 {
			j.failOn = s.FailOn
		}
		if j.failOn == 0 {
			j.failOn = diag.Error
		}
		if j.baseline, err = r.baselineFor(s); err != nil {
			return nil, err
		}
		if r.writeBaseline && j.baseline == nil {
			return nil, fmt.Errorf("--write-baseline: name the file with --baseline FILE, or with \"baseline FILE\" in %s", settingsName)
		}
		jobs[i] = j
	}
	return jobs, nil
}

// withPeers returns the files, followed by the other members of their clusters.
func (r *checkRun) withPeers(names []string) (all []string, err error) {
	all = slices.Clone(names)
	done := map[*ir.Cluster]bool{}
	if len(r.ids) > 0 { // the readings are chosen
		return all, nil
	}
	for _, name := range names {
		if name == "-" {
			continue
		}
		s, err := r.settings.below(path.Dir(r.abs(name)))
		if err != nil {
			return nil, err
		}
		for _, c := range s.Clusters {
			if !done[c] && slices.ContainsFunc(c.Members, func(m *ir.Member) bool { return s.path(m.File) == r.abs(name) }) {
				done[c] = true
				for _, m := range c.Members {
					all = append(all, r.shown(s.path(m.File)))
				}
			}
		}
	}
	return all, nil
}

// unjudged are the rules about what a check did not look at.
var unjudged = []string{"include-outside", "unread-variable"}

// rule returns how the settings judge a finding in a file; nil: not set.
func (s *settings) rule(d *diag.Diagnostic, file string) *ir.RuleSetting {
	return s.Rule(d, func(p *ir.PathSetting) bool { return s.covers(p.Pattern.Text, file) })
}

// everywhere returns how the settings judge a rule, paths aside; nil: not set.
func (s *settings) everywhere(name string) *ir.RuleSetting {
	return s.rule(&diag.Diagnostic{Rule: name}, "")
}

// judge is the one place that decides which findings of a file are shown, in every format: it sets the severity
// according to the settings, and leaves out what is switched off, what is in the baseline, what is about this machine
// unless requested, and infos. Infos are shown with -v, with --only, if they fail the check, if they have a repair,
// and if they say what was not judged.
func (r *checkRun) judge(j job, found diag.List) (shown diag.List, known report.Summary) {
	for _, d := range found {
		elsewhere := d.Host && r.about == nil // a file that this machine lacks may exist on the one that is meant
		if elsewhere {
			d.Severity, d.Label, d.Help = diag.Info, "its content is not checked", ""
		}
		setting := j.settings.rule(&d, r.abs(cmp.Or(d.Span.Position().File, j.name)))
		if setting != nil && setting.Severity != 0 {
			d.Severity = setting.Severity
		}
		off := slices.ContainsFunc(r.skip, d.Named)
		if len(r.only) > 0 {
			off = off || !slices.ContainsFunc(r.only, d.Named)
		} else {
			off = off || setting != nil && setting.Off
		}
		told := slices.Contains(unjudged, d.Rule) || elsewhere
		off = off || elsewhere && !strings.HasPrefix(d.Rule, "include-")
		quiet := d.Severity < diag.Warning && len(d.Fixes) == 0 && !r.infos && j.failOn > d.Severity && !told
		switch {
		case off || quiet:
		case j.baseline != nil && !r.writeBaseline && j.baseline.known[d.Fingerprint]:
			known.Add(d.Severity)
		default:
			shown.Add(d)
		}
	}
	return shown, known
}

// showSettings prints the effective settings of the check as a .keepc.conf; comments say where each line comes from.
func (r *checkRun) showSettings(jobs []job) error {
	var b strings.Builder
	var shown []*settings
	for _, j := range jobs {
		if slices.Contains(shown, j.settings) {
			continue
		}
		shown = append(shown, j.settings)
		if len(shown) > 1 {
			b.WriteByte('\n')
		}
		r.writeSettings(&b, j)
	}
	_, err := fmt.Fprint(r.Stdout, b.String())
	return failed(err)
}

func (r *checkRun) writeSettings(b *strings.Builder, j job) {
	s := j.settings
	// source says where a setting comes from: its flag, its line of the settings, or nowhere.
	source := func(flag, keyword string) string {
		switch {
		case r.given(flag):
			return "--" + flag
		case s.Has(keyword):
			at := s.At(keyword).Position()
			return fmt.Sprintf("%s:%d", at.File, at.Line)
		}
		return "default"
	}
	line := func(text, from string) { fmt.Fprintf(b, "%-40s # %s\n", text, from) }
	where := func(o ir.Origin) string {
		at := o.Span().Position()
		return fmt.Sprintf("%s:%d", at.File, at.Line)
	}
	line("fail_on "+j.failOn.String(), source("fail-on", "fail_on"))
	if j.version != "" {
		line("keepalived_version "+j.version, source("keepalived-version", "keepalived_version"))
	}
	if j.baseline != nil {
		line("baseline "+r.shown(j.baseline.name), source("baseline", "baseline"))
	}
	for _, rule := range r.skip {
		line("rule "+rule+" off", "--off")
	}
	if len(s.Exclude) > 0 {
		line("exclude "+strings.Join(s.Exclude, " "), source("exclude", "exclude"))
	}
	for _, rule := range s.Rules {
		switch name := rule.Rule.Text; {
		case slices.Contains(r.skip, name) || s.everywhere(name) != rule:
		case !rule.Off:
			line(fmt.Sprintf("rule %s { severity %s }", name, rule.Severity), where(rule.Origin))
		case len(r.only) == 0:
			line("rule "+name+" off", where(rule.Origin))
		}
	}
	if len(r.only) > 0 {
		fmt.Fprintf(b, "# no rule but %s: --only\n", strings.Join(r.only, ", "))
	}
	for _, p := range s.Paths {
		line("path "+p.Pattern.Text+" {", where(p.Origin))
		for _, rule := range p.Rules {
			if rule.Off {
				fmt.Fprintf(b, "    rule %s off\n", rule.Rule.Text)
			} else {
				fmt.Fprintf(b, "    rule %s { severity %s }\n", rule.Rule.Text, rule.Severity)
			}
		}
		b.WriteString("}\n")
	}
	if r.announcing(j.name, s) != nil {
		for _, a := range s.Announcements {
			line("announce "+a.Name.Text+" {", where(a.Origin))
			writeAnnouncement(b, a)
		}
		if v := s.Verification; v != nil {
			line("verify_certificates {", where(v.Origin))
			if v.CA != "" {
				fmt.Fprintf(b, "    ca %s\n", r.shown(v.CA))
			}
			fmt.Fprintf(b, "    lasts %v\n}\n", v.Lasts)
		}
	}
	for _, c := range s.Clusters {
		line("cluster "+c.Name.Text+" {", where(c.Origin))
		for _, m := range c.Members {
			fmt.Fprintf(b, "    member %s { file %s id %s }\n", m.Name.Text, r.shown(s.path(m.File)), m.ID)
		}
		b.WriteString("}\n")
	}
}

// writeAnnouncement writes what is inside an announce block, and its end.
func writeAnnouncement(b *strings.Builder, a *ir.Announcement) {
	for _, x := range a.Addresses {
		fmt.Fprintf(b, "    virtual_address %s\n", x.Addr)
	}
	if a.QuorumAddresses {
		b.WriteString("    quorum_addresses\n")
	}
	if a.Local {
		b.WriteString("    local\n")
	}
	fmt.Fprintf(b, "    table %d\n    hold %v\n", a.Table, a.Hold)
	if a.DrainTable != 0 {
		fmt.Fprintf(b, "    drain_table %d\n    drain %v\n", a.DrainTable, a.Drain)
	}
	b.WriteString("}\n")
}
