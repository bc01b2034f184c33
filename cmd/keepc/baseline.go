package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"keepc/compiler/report"
)

// A baseline is the known findings, which are not shown, and the file that has them.
type baseline struct {
	name  string // its path
	all   []report.Known
	known map[string]bool // by fingerprint
}

// baselineFor returns the baseline for files with the settings: that of --baseline, or that of the settings; nil:
// there is none. Each is read once, and not at all if it is to be written for the first time.
func (r *checkRun) baselineFor(s *settings) (*baseline, error) {
	name, read := r.abs(r.baseline), r.readAny
	switch {
	case r.baseline != "":
	case s.Baseline != "": // which may be somebody else's
		name = s.path(s.Baseline)
		read = func(name string) ([]byte, error) { return r.readFrom(r.files().With(s.dir), name, false) }
	default:
		return nil, nil
	}
	if b, ok := r.baselines[name]; ok {
		return b, nil
	}
	b := &baseline{name: name, known: map[string]bool{}}
	text, err := read(r.shown(name))
	switch {
	case r.writeBaseline && errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("baseline: %w", err)
	default:
		read, err := report.ReadBaseline(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.shown(name), err)
		}
		b.all = read.Findings
	}
	for _, k := range b.all {
		b.known[k.Fingerprint] = true
	}
	if r.baselines == nil {
		r.baselines = map[string]*baseline{}
	}
	r.baselines[name] = b
	return b, nil
}

func (a *App) isFile(abs string) error {
	_, err := fs.Stat(a.FS, inFS(abs))
	return err
}

// stable returns a name for a file of a job that does not depend on where keepc was started: relative to the directory
// of its settings, or else to the working directory.
func (r *checkRun) stable(j job, name string) string {
	abs := r.abs(name)
	if rel, err := filepath.Rel(j.settings.dir, abs); err == nil && j.settings.dir != "" {
		return rel
	}
	return r.shown(abs)
}

// gone returns the findings of the baselines that no file of the check has any longer. Findings in files that were not
// looked at may still exist, unless the file is gone.
func (r *checkRun) gone(jobs []job, files []checked) (gone []report.Known) {
	there := map[string]bool{}
	for _, f := range files {
		for _, print := range f.prints {
			there[print] = true
		}
	}
	looked := r.looked(jobs, files)
	for _, b := range r.baselines {
		for _, k := range b.all {
			if !there[k.Fingerprint] && (looked[k.File] || errors.Is(r.isFile(filepath.Join(path.Dir(b.name), k.File)), fs.ErrNotExist)) {
				gone = append(gone, k)
			}
		}
	}
	return gone
}

// looked returns the stable names of the files of a check, and of what they include.
func (r *checkRun) looked(jobs []job, files []checked) map[string]bool {
	looked := map[string]bool{}
	for i, f := range files {
		if f.err != nil {
			continue
		}
		for _, name := range append([]string{f.Name}, f.includes...) {
			looked[report.Printable(r.stable(jobs[i], name))] = true
		}
	}
	return looked
}

// tellGone reports, file by file, what the baseline has and the check no longer finds.
func (r *checkRun) tellGone(gone []report.Known) {
	const few = 10
	for i, k := range gone {
		if i == few {
			r.complain("keepc: %s more of the baseline are no longer found", report.Count(len(gone)-few, "finding"))
			break
		}
		r.complain("keepc: %s: %s no longer found [%s]", k.File, k.Path, k.Rule)
	}
	if len(gone) > 0 {
		r.complain("keepc: check --write-baseline removes %s from the baseline", report.Count(len(gone), "finding"))
	}
}

// keep writes what was found to the baselines, and leaves what they say about other files.
func (r *checkRun) keep(jobs []job, files []checked, found []report.File) error {
	looked := r.looked(jobs, files)
	for _, b := range r.baselines {
		var all report.Baseline
		for _, k := range b.all {
			if !looked[k.File] && !errors.Is(r.isFile(filepath.Join(path.Dir(b.name), k.File)), fs.ErrNotExist) {
				all.Findings = append(all.Findings, k)
			}
		}
		n := 0
		for _, f := range found {
			if i := slices.IndexFunc(jobs, func(j job) bool { return r.shown(j.name) == f.Name }); i >= 0 && jobs[i].baseline == b {
				known := f.Known(func(name string) string { return r.stable(jobs[i], name) })
				n += len(known)
				all.Findings = append(all.Findings, known...)
			}
		}
		var text bytes.Buffer
		if err := all.Write(&text); err != nil {
			return failed(err)
		}
		if err := r.write(b.name, text.Bytes()); err != nil {
			return failed(fileError(r.shown(b.name), err))
		}
		if !r.quiet {
			r.complain("keepc: %s in %s; from now on, only other findings are shown", report.Count(n, "finding"), r.shown(b.name))
		}
	}
	return nil
}

// write replaces the content of a file, atomically if the file exists.
func (a *App) write(abs string, text []byte) error {
	if a.isFile(abs) == nil {
		return replaceFile(abs, text)
	}
	return os.WriteFile(abs, text, 0o644)
}
