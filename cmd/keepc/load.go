package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash"
	"io/fs"
	"path"
	"slices"
	"strings"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/runtime/daemon"
)

// A loaded is the configuration that keepalived would make of a file, mistakes and all.
type loaded struct {
	daemon.Loaded
	name string // of the file, as it is shown
	tree *grammar.File
	code int // if it is refused
}

// load reads and compiles a file for a director. It refuses what keepalived does not start with, and what keepc cannot
// do yet; and also a file that asks for nothing, which is still being written.
func (r *runRun) load(name string) loaded {
	app := *r.App
	files := daemon.Files{}
	app.FS, app.acts = &recordingFS{FS: r.FS, files: files}, true
	if name == "-" { // standard input can be read once
		r.stdin.Do(func() { r.text, r.readErr = r.read(name) })
		if r.readErr != nil {
			return loaded{Loaded: daemon.Loaded{Refused: r.readErr.Error(), Files: files}, code: exitFailed}
		}
		app.Stdin = bytes.NewReader(r.text)
	}
	_, _ = fs.Stat(app.FS, inFS(path.Join(app.besides(name), settingsName))) // also where it is missing, because it may have been there before
	set, err := app.settingsOf(name)
	l := app.loadFor(name, set)
	l.Files = files
	if err != nil { // its announcements are unknown
		l.Faults = append(l.Faults, daemon.Fault{Text: err.Error(), Same: err.Error()})
	}
	if l.Config == nil {
		return l
	}
	l.Text = l.tree.Text
	cfg, why := l.Config, notYet(l.Config)
	keys := compiler.ReadKeys(cfg, app.FS)
	switch {
	case why == "" && keys != nil:
		why = keys.Error()
	case r.strict && len(l.Faults) > 0:
		why = lines(l.Faults) + "\n--strict refuses a file with errors"
	case len(cfg.Instances)+len(cfg.VirtualServers)+len(cfg.StaticAddresses)+len(cfg.StaticRoutes)+len(cfg.StaticRules) == 0:
		why = l.name + ": error: it has no instance, no virtual server and nothing static: there is nothing to enforce"
		if len(l.Faults) > 0 {
			why = lines(l.Faults) + "\n" + why
		}
	}
	if why != "" {
		l.Config, l.Refused, l.code = nil, why, exitFindings
	}
	return l
}

// cutsOff refuses a configuration that would take the only address of an interface away from this machine, as keepalived does.
func (l *loaded) cutsOff() {
	if l.Config == nil || l.OnHost == nil {
		return
	}
	faults := slices.DeleteFunc(l.OnHost(), func(f daemon.Fault) bool { return f.Loss != diag.Ends || !strings.HasPrefix(f.Same, "address-owned ") })
	if len(faults) > 0 {
		l.Config, l.code = nil, exitFindings
		l.Refused = lines(faults) + "\nnot started: this host would lose its only address on that interface and be cut off; use a different virtual address, or priority 255 on the router that owns this one"
	}
}

// lines returns the texts of faults, one per line.
func lines(faults []daemon.Fault) string {
	var b strings.Builder
	for i, f := range faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.Text)
	}
	return b.String()
}

// load reads and compiles a file as keepalived does. It refuses what keepalived does not start with.
func (a *App) load(name string) loaded {
	set, err := a.settingsOf(name)
	l := a.loadFor(name, set)
	if err != nil {
		l.Unread = append(l.Unread, daemon.Fault{Text: report.Printable(err.Error()), Same: err.Error()})
	}
	return l
}

// refuse reports why a file cannot be used, and returns the exit code. A finding begins with its place, as in the output
// of check; an error that prevented reading the file begins with the name of the program, as all errors do.
func (a *App) refuse(code int, why string) exit {
	if code == exitFailed {
		why = "keepc: " + why
	}
	fmt.Fprintln(a.Stderr, why)
	return exit{code: code}
}

// wrong returns the errors of settings.
func (a *App) wrong(s *settings) []daemon.Fault {
	return a.faults(s.File, slices.DeleteFunc(slices.Clone(s.Findings), func(d diag.Diagnostic) bool { return d.Severity < diag.Error }))
}

// settingsFor returns what the .keepc.conf for a file says. One that cannot be read says nothing: check reports what
// is wrong with it.
func (a *App) settingsFor(name string) *settings {
	s, _ := a.settingsOf(name)
	return s
}

func (a *App) settingsOf(name string) (*settings, error) {
	s, err := (&settingsReader{App: a}).below(a.besides(name))
	if err != nil {
		return &settings{}, err
	}
	return s, nil
}

// besides is the absolute path of the directory of a file.
func (a *App) besides(name string) string {
	if name == "-" {
		name = a.stdinName
	}
	return path.Dir(a.abs(name))
}

// announcing returns settings if their announcements count for a file, which must be in the same directory: whoever
// may write in a directory above decides neither what a director announces nor whom it trusts. nil: they do not count.
func (a *App) announcing(name string, s *settings) *ir.Settings {
	if s == nil || s.dir != a.besides(name) {
		return nil
	}
	return &s.Settings
}

// elsewhere says what of the settings does not apply to a file in another directory.
func (s *settings) elsewhere(name string) (all []string) {
	for _, about := range [][2]string{{"announce", "its announcements do"}, {"verify_certificates", "its verify_certificates does"}} {
		if s.Has(about[0]) {
			all = append(all, fmt.Sprintf("%s not apply to %s, which is in another directory", about[1], name))
		}
	}
	return all
}

func (a *App) loadFor(name string, s *settings) (l loaded) {
	j := job{name: name, ids: a.ids, version: cmp.Or(a.forVersion, s.Version), settings: s}
	l.name = report.Printable(a.shown(name))
	f := a.file(j)
	if f.err != nil {
		l.Refused, l.code = report.Printable(f.err.Error()), exitFailed
		return l
	}
	unit, ends := f.readings[0].literal()
	l.tree, l.Config = unit.Tree, unit.Config
	ends = a.errors(s, ends)
	l.Faults = a.faults(f.File, a.errors(s, f.Findings))
	l.Unread = a.faults(f.File, notJudged(f.Findings))
	switch beside := a.announcing(name, s) != nil; {
	case beside && (s.Has("announce") || s.Has("verify_certificates")):
		l.Faults = append(l.Faults, a.wrong(s)...)
	case beside:
		l.Beside = a.wrong(s)
	default:
		for _, what := range s.elsewhere(l.name) {
			text := fmt.Sprintf("%s: warning: %s", s.Name, what)
			l.Unread = append(l.Unread, daemon.Fault{Text: text, Same: text})
		}
	}
	about := f.File
	about.Findings = nil
	l.OnHost = func() []daemon.Fault { // lives as long as the configuration
		return a.faults(about, a.errors(s, unit.OnHost(thisHost{a})))
	}
	if len(ends) == 0 {
		return l
	}
	l.code = exitFindings
	l.Refused = lines(l.Faults)
	for _, f := range a.faults(f.File, ends) {
		if !slices.ContainsFunc(l.Faults, func(o daemon.Fault) bool { return o.Same == f.Same }) {
			l.Refused = strings.TrimLeft(l.Refused+"\n"+f.Text, "\n")
		}
	}
	l.Config = nil
	return l
}

// literal returns keepalived's reading of the file, and the findings with which it does not run. It differs from what
// was meant only for a file with errors.
func (r reading) literal() (unit compiler.Unit, ends diag.List) {
	if !r.All.Has(diag.Error) {
		return r.Unit, nil
	}
	unit = r.Unit.Literal()
	return unit, slices.DeleteFunc(slices.Clone(unit.Findings), func(d diag.Diagnostic) bool { return d.Severity < diag.Error || d.Loss.Runs() })
}

// notJudged returns the findings about includes that brought in nothing, other than patterns without matches.
func notJudged(found diag.List) (all diag.List) {
	for _, d := range found {
		if d.Rule == "include-outside" || d.Severity == diag.Warning && (d.Rule == "include-not-found" || d.Rule == "include-unread") {
			all.Add(d)
		}
	}
	return all
}

// errors returns the errors among findings, without those of rules that are off.
func (a *App) errors(s *settings, found diag.List) (errors diag.List) {
	for _, d := range found {
		if set := s.rule(&d, a.abs(d.Span.Position().File)); d.Severity >= diag.Error && (set == nil || !set.Off) {
			errors.Add(d)
		}
	}
	return errors
}

// faults turns the errors of a file into a director's faults.
func (a *App) faults(f report.File, errors diag.List) (all []daemon.Fault) {
	f.Findings = errors
	check := report.NewCheck([]report.File{f})
	for i, m := range check.Findings {
		var b strings.Builder
		one := check
		one.Findings = check.Findings[i : i+1]
		_ = report.Short(&b, one, false) // a Builder never fails
		text := strings.TrimRight(b.String(), "\n")
		all = append(all, daemon.Fault{Text: text, Loss: errors[i].Loss, Same: m.Rule + " " + m.Path + " " + m.Message})
	}
	return all
}

// tell reports on standard error that a file has errors, and which parts of it were not read.
func (a *App) tell(l loaded) {
	if l.Config == nil || a.quiet {
		return
	}
	if n := len(l.Faults); n > 0 {
		fmt.Fprintln(a.Stderr, "keepc: "+tolerated(n, l.name))
	}
	for _, f := range l.Unread {
		fmt.Fprintln(a.Stderr, f.Text)
	}
}

// tolerated says, in one line, that a file has errors and what the consequence is.
func tolerated(errors int, name string) string {
	return fmt.Sprintf("%s in %s: keepalived and keepc run without what these errors lose; see keepc check %s", report.Count(errors, "error"), name, name)
}

// notRead lists the includes that brought in nothing.
func notRead(missing []daemon.Fault) (notes []string) {
	for _, f := range missing {
		notes = append(notes, "Not read: "+f.Text)
	}
	return notes
}

// A recordingFS records what is read, so that a director knows which files its configuration depends on: includes too,
// missing ones, and the directories in which an include looks for files.
type recordingFS struct {
	fs.FS
	files daemon.Files
}

func (r *recordingFS) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		r.files["/"+name] = daemon.NewDigest(nil, err)
		return nil, err
	}
	return &recordedFile{File: f, hash: sha256.New(), end: func(d daemon.Digest) { r.files["/"+name] = d }}, nil
}

// ReadDir implements fs.ReadDirFS, which fs.Glob prefers.
func (r *recordingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(r.FS, name)
	r.files["/"+name] = daemon.NewDigest(nil, err)
	if err == nil {
		r.files["/"+name] = daemon.NewListing(list)
	}
	return list, err
}

// Stat implements fs.StatFS: it is not recorded as reading.
func (r *recordingFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(r.FS, name)
	if err != nil {
		r.files["/"+name] = daemon.NewDigest(nil, err)
	}
	return info, err
}

// Lstat implements fs.ReadLinkFS.
func (r *recordingFS) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (r *recordingFS) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

// A recordedFile is read once from its start, and recorded as read.
type recordedFile struct {
	fs.File
	hash hash.Hash
	read bool
	end  func(daemon.Digest)
}

func (f *recordedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.hash.Write(b[:n])
	f.read = true
	return n, err
}

func (f *recordedFile) Close() error {
	if f.read {
		f.end(daemon.Digest(f.hash.Sum(nil)))
	}
	return f.File.Close()
}

// localize gives names of routing tables, realms and so on the numbers that this machine has for them.
func (a *App) localize(cfg *ir.Config) {
	if cfg == nil {
		return
	}
	usr := []string{"usr/lib/iproute2", "usr/share/iproute2"}
	if cfg.Global.IPRouteUsrDir != "" {
		usr = []string{cfg.Global.IPRouteUsrDir}
	}
	dirs := append(usr, cmp.Or(cfg.Global.IPRouteEtcDir, "etc/iproute2"))
	for i, dir := range dirs {
		dirs[i] = strings.Trim(dir, "/")
	}
	compiler.Localize(cfg, compiler.NewNames(a.FS, dirs...))
}
