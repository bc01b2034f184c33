package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"keepc/compiler"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// maxWork is how many bytes are read to repair a file, including what it includes; maxReadings is how often a large
// file is read. A finding costs as much as a number of bytes.
const (
	maxWork     = 8 << 20
	maxReadings = 6
	findingWork = 128
)

// maxRounds is how often a repaired text is checked again for more to repair.
const maxRounds = 10

// repair repairs the files and those that they include, or with --diff shows how: then a file that several include has
// one patch.
func (r *checkRun) repair(jobs []job) error {
	unread := false
	var hidden []source.Span
	patches := map[string]change{}
	texts := map[string][]byte{} // what the patches make of files
	for _, j := range jobs {
		if !r.diff {
			texts = map[string][]byte{}
		}
		changes, done, secrets, err := r.rounds(j, texts)
		if err != nil {
			unread = true
			if r.diff { // otherwise the check that follows says so
				r.complain("keepc: %v", err)
			}
			continue
		}
		hidden = append(hidden, secrets...)
		written := map[string]bool{}
		for _, file := range slices.Sorted(maps.Keys(changes)) {
			may := r.mayWrite(j, file)
			if !may && j.brought {
				continue // to repair it, name it
			}
			if r.diff {
				c := changes[file]
				if first, again := patches[file]; again {
					c.before = first.before
				}
				patches[file] = c
			} else if !may {
				r.complain("keepc: %s: is not repaired: it is not below the directory of %s", file, r.shown(j.name))
			} else if err := replaceFile(r.abs(file), changes[file].after); err != nil {
				return failed(fileError(file, err))
			} else {
				written[file] = true
			}
		}
		for _, d := range done {
			if written[d.Span.Position().File] && !r.quiet {
				r.complain("%s: repaired: %s [%s]", d.Span, d.Fixes[0].Title, d.Rule)
			}
		}
	}
	for _, file := range slices.Sorted(maps.Keys(patches)) {
		if err := r.showPatch(file, patches[file], hidden, "keepc check --fix"); err != nil {
			return failed(fmt.Errorf("write the patch: %w", err))
		}
	}
	if r.diff && unread {
		return exit{code: exitFailed}
	}
	return nil
}

// showPatch shows a change of a file as a patch, and reports if the patch does not apply, and what makes the change
// instead.
func (a *App) showPatch(file string, c change, secrets []source.Span, instead string) error {
	text, altered := patch(file, c, secrets)
	if altered.line > 0 && !a.quiet {
		a.complain("keepc: %s:%d: the patch is for reading only, %s; %s makes the change", file, altered.line, altered.why, instead)
	}
	_, err := fmt.Fprint(a.Stdout, text)
	return err
}

// mayWrite reports whether a repair of a job may change a file: a named file, or one below the directory of a named
// file.
func (r *checkRun) mayWrite(j job, file string) bool {
	if j.brought {
		return r.asked[r.abs(file)]
	}
	near := grammar.Files{Root: r.FS, Within: []string{}}.With(path.Dir(r.abs(j.name)))
	_, err := near.Locate(r.abs(file))
	return err == nil || r.abs(file) == r.abs(j.name)
}

// A change is the text of a file before and after its repair.
type change struct{ before, after []byte }

// rounds repairs a file in memory, where some files have changed texts, until nothing is left to repair. It returns
// the changed texts by file name, the findings that were repaired, and where secrets are in all the texts.
func (r *checkRun) rounds(j job, texts map[string][]byte) (changes map[string]change, all diag.List, secrets []source.Span, err error) {
	memory := overlay{r.FS, texts}
	app := *r.App
	app.FS = memory
	changes = map[string]change{}
	told := map[string]bool{}
	work := 0 // that is left
	for round := 0; ; round++ {
		f := app.file(j)
		if round == 0 {
			work = max(maxWork, maxReadings*f.bytes)
		}
		spend := func() bool {
			work -= max(f.bytes, 4096) + findingWork*len(f.Findings)
			return work >= 0
		}
		if f.err != nil {
			return nil, nil, nil, f.err
		}
		secrets = append(secrets, f.Secrets...)
		if round == maxRounds || !spend() {
			break
		}
		found, _ := r.judge(j, f.Findings)
		repaired := 0
		put := func(src *source.Source, text []byte) {
			if at, err := r.files().With(j.dir(r.App)).Locate(r.abs(src.Name)); err == nil { // it was read there
				memory.texts[at] = text
			}
		}
		for src := range sources(found) {
			_, done := found.Repair(src)
			t := trial{src: src, before: f.Findings, spend: spend, after: func(text []byte) diag.List {
				put(src, text)
				return app.file(j).Findings
			}}
			text, done := t.safe(nil, done).Repair(src)
			if !r.quiet {
				tellLeft(r.Stderr, told, t.left, "it would cause another error")
				tellLeft(r.Stderr, told, t.open, "there are too many to try")
			}
			put(src, text)
			if len(done) == 0 || bytes.Equal(text, src.Text) {
				continue
			}
			c := changes[src.Name]
			if c.before == nil {
				c.before = src.Text
			}
			c.after = text
			changes[src.Name] = c
			all = append(all, done...)
			repaired += len(done)
		}
		if repaired == 0 {
			break
		}
	}
	return changes, all, secrets, nil
}

// tellLeft reports once which findings are not repaired, and why.
func tellLeft(w io.Writer, told map[string]bool, left diag.List, why string) {
	for i, d := range left {
		if i == maxTold {
			fmt.Fprintf(w, "%s not repaired either: %s\n", report.Count(len(left)-i, "finding"), why)
			return
		}
		if line := fmt.Sprintf("%s: not repaired: %s [%s]: %s", d.Span, d.Fixes[0].Title, d.Rule, why); !told[line] {
			told[line] = true
			fmt.Fprintln(w, report.Printable(line))
		}
	}
}

// A trial finds out which repairs of a text make nothing worse.
type trial struct {
	src    *source.Source
	before diag.List
	after  func(text []byte) diag.List // what is found with another text
	spend  func() bool                 // reports whether there is time for one more trial
	left   diag.List                   // the findings whose repair would cause an error
	open   diag.List                   // those whose repair was not tried
}

// safe returns the findings kept so far, and those of more whose repairs cause no new error together with them.
func (t *trial) safe(kept, more diag.List) diag.List {
	all := slices.Concat(kept, more)
	if len(more) > 0 && !t.spend() {
		t.open = append(t.open, more...)
		return kept
	}
	text, _ := all.Repair(t.src)
	switch {
	case len(more) == 0 || !compiler.Worse(t.before, t.after(text)):
		return all
	case len(more) == 1:
		t.left = append(t.left, more...)
		return kept
	}
	half := len(more) / 2
	return t.safe(t.safe(kept, more[:half]), more[half:])
}

// sources yields each text that a repair edits, once each.
func sources(found diag.List) iter.Seq[*source.Source] {
	return func(yield func(*source.Source) bool) {
		var seen []*source.Source
		for _, d := range found {
			if len(d.Fixes) != 1 || len(d.Fixes[0].Edits) == 0 {
				continue
			}
			src := d.Fixes[0].Edits[0].Span.Source
			if src == nil || slices.ContainsFunc(seen, src.Same) {
				continue
			}
			seen = append(seen, src)
			if !yield(src) {
				return
			}
		}
	}
}

// replaceFile replaces the content of a file atomically: a reader sees the old or the new content, and a failure
// leaves the old one. Mode, owner and extended attributes stay; a symbolic link remains a link.
func replaceFile(name string, text []byte) error {
	if err := replaceBy(name, text); err != nil {
		return fmt.Errorf("cannot be replaced: %w", cause(err))
	}
	return nil
}

func replaceBy(name string, text []byte) (err error) {
	name, err = filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	switch {
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "replace", Path: name, Err: errors.New("is not a regular file")}
	case info.Mode().Perm()&0o222 == 0:
		return &fs.PathError{Op: "replace", Path: name, Err: errors.New("is read-only")}
	case links(info) > 1: // the other names would keep the old text
		return &fs.PathError{Op: "replace", Path: name, Err: errors.New("has a second name (a hard link), which would keep the old text")}
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".keepc-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is reported
		}
	}()
	_, err = f.Write(text)
	err = cmp.Or(err, f.Chmod(info.Mode().Perm()), keepOwner(f, info), keepAttributes(f, name), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
