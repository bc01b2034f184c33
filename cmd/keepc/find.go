package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// maxPart is the size above which a file is not searched for includes: such a file is generated.
const maxPart = 1 << 20

// templateEnds are the extensions of templates. What they render is checked, not the templates.
var templateEnds = []string{".j2", ".jinja", ".jinja2", ".erb", ".epp", ".tmpl", ".tpl", ".gotmpl"}

// found returns the files that the arguments of check name. A directory means the configurations below it, and a
// pattern that is not the name of a file means its matches; both leave out what the settings exclude.
func (r *checkRun) found(names []string) (files []string, err error) {
	templates := 0
	for _, name := range names {
		if name == "-" {
			files = append(files, name)
			continue
		}
		info, err := fs.Stat(r.FS, inFS(r.abs(name)))
		var some []string
		switch {
		case err == nil && info.IsDir():
			some, err = r.configurations(r.abs(name), &templates)
			if err == nil && len(some) == 0 {
				err = fmt.Errorf("%s: it has no keepalived configuration below it", name)
			}
		case err != nil && isPattern(name):
			some, err = r.settings.matching(r.abs(name), true)
			if err == nil && len(some) == 0 {
				err = fmt.Errorf("%s: no file matches", name)
			}
		default:
			some, err = []string{name}, nil // the check reports what is wrong with it
		}
		if err != nil {
			return nil, err
		}
		for _, file := range some {
			files = append(files, r.shown(file))
		}
	}
	if templates > 0 && !r.quiet {
		r.complain("keepc: %s not checked; check what they render: keepc check --stdin-name NAME -", report.Count(templates, "template"))
	}
	return files, nil
}

// inFS returns the io/fs name of an absolute path.
func inFS(abs string) string {
	if abs == "/" {
		return "."
	}
	return strings.TrimPrefix(abs, "/")
}

// configurations returns the keepalived configurations below a directory: files called keepalived.conf, and *.conf
// with a line that begins with a top-level keyword.
func (r *checkRun) configurations(dir string, templates *int) (files []string, err error) {
	all, err := r.settings.walk(dir, true, func(name string) bool {
		if slices.Contains(templateEnds, path.Ext(name)) && strings.Contains(path.Base(name), "keepalived") {
			*templates++
		}
		return path.Ext(name) == ".conf" && path.Base(name) != settingsName
	})
	for _, file := range all {
		text, err := r.readFrom(r.files().With(dir), r.shown(file), false)
		if err != nil {
			return nil, err
		}
		if path.Base(file) == path.Base(defaultFile) || isMain(text) {
			files = append(files, file)
		}
	}
	return files, err
}

// isMain reports whether a line of a text begins with a top-level keyword, perhaps after a condition.
func isMain(text []byte) bool {
	for line := range bytes.Lines(text) {
		words := bytes.Fields(line)
		if len(words) > 1 && words[0][0] == '@' {
			words = words[1:]
		}
		if len(words) > 0 && schema.AtTop(string(words[0])) {
			return true
		}
	}
	return false
}

// matching returns the files that match a pattern of absolute paths.
func (r *settingsReader) matching(pattern string, exclude bool) ([]string, error) {
	elements := strings.Split(pattern, "/")
	dir := path.Join("/", path.Join(elements[:wildElement(pattern)]...))
	return r.walk(dir, exclude, func(name string) bool { return matches(pattern, name) })
}

// walk returns the regular files below a directory that are wanted. It follows no links, and leaves out hidden
// directories and, if exclude is set, what the settings exclude. A directory that cannot be listed does not end the
// walk: the files of the others are returned with an error that names the first such directory. check DIR and patterns
// fail with it, because what was not looked at must not pass for checked.
func (r *settingsReader) walk(dir string, exclude bool, wanted func(string) bool) (files []string, err error) {
	var unlisted error
	err = fs.WalkDir(r.FS, inFS(dir), func(at string, d fs.DirEntry, err error) error {
		name := path.Join("/", at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			unlisted = cmp.Or(unlisted, fileError(r.shown(name), err))
			return nil
		}
		if hidden := strings.HasPrefix(d.Name(), "."); d.IsDir() && hidden && name != dir {
			return fs.SkipDir
		}
		if exclude {
			s, err := r.below(path.Dir(name))
			if err != nil {
				return err
			}
			if name != dir && s.excludes(name) {
				s.excluded = true
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
		}
		if d.Type().IsRegular() && wanted(name) {
			files = append(files, name)
		}
		return nil
	})
	return files, cmp.Or(err, unlisted)
}

// excludes reports whether the settings exclude a file, or a directory with everything below it, from directories and
// patterns.
func (s *settings) excludes(file string) bool {
	return slices.ContainsFunc(s.Exclude, func(pattern string) bool { return s.covers(pattern, file) })
}

// covers reports whether a pattern of the settings, which is relative to their directory, matches a file.
func (s *settings) covers(pattern, file string) bool { return covers(s.path(pattern), file) }

// wholes replaces files that are parts of others by those others: a part has no meaning by itself. The others are
// searched for below the directory of the settings, or else beside the part and in the directory above. It reports the
// replacement of a named file.
func (r *checkRun) wholes(files []string) (wholes []string, err error) {
	parts := map[string][]string{} // the names of files by what they include
	asked := map[string]bool{}
	named := map[string]bool{}
	for _, f := range files {
		named[r.abs(f)] = true
	}
	for _, f := range files {
		abs := r.abs(f)
		if f == "-" || path.Base(f) == path.Base(defaultFile) || path.Base(f) == settingsName {
			wholes = append(wholes, f)
			continue
		}
		near, err := r.near(abs, asked)
		if err != nil {
			return nil, err
		}
		for _, file := range near {
			if named[file] {
				continue // it is checked, and what it includes is reported with it
			}
			for _, part := range r.includes(file) {
				parts[part] = append(parts[part], file)
			}
		}
		others := slices.DeleteFunc(slices.Clone(parts[abs]), func(other string) bool { return other == abs })
		if len(others) == 0 {
			wholes = append(wholes, f)
			continue
		}
		for i, other := range others {
			others[i] = r.shown(other)
		}
		if !r.quiet && slices.Contains(r.named, f) {
			r.complain("keepc: %s is part of %s, which is checked instead", f, strings.Join(others, ", "))
		}
		wholes = append(wholes, others...)
	}
	return wholes, nil
}

// near returns the files that may include a file, once each for all questions that share asked.
func (r *checkRun) near(file string, asked map[string]bool) (files []string, err error) {
	dir := path.Dir(file)
	s, err := r.settings.below(dir)
	if err != nil {
		return nil, err
	}
	if _, err := r.files().Locate(s.dir); s.dir != "" && err == nil { // above what may be read there is nothing to find
		if !asked[s.dir] {
			asked[s.dir] = true
			files, err = r.settings.walk(s.dir, false, func(name string) bool { return path.Ext(name) == ".conf" })
			if err != nil && !r.quiet {
				r.complain("keepc: %v: files there that include %s were not found", err, r.shown(file))
			}
		}
		return files, nil
	}
	for _, dir := range []string{dir, path.Dir(dir)} {
		if asked[dir] {
			continue
		}
		asked[dir] = true
		list, err := fs.ReadDir(r.FS, inFS(dir))
		if err != nil {
			continue // what cannot be listed is not known to include anything
		}
		for _, e := range list {
			if e.Type().IsRegular() && path.Ext(e.Name()) == ".conf" {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	return files, nil
}

// includes returns the absolute paths of what a file includes, at any depth; none if it cannot be read.
func (r *checkRun) includes(file string) (parts []string) {
	info, err := fs.Stat(r.FS, inFS(file))
	if err != nil || info.Size() > maxPart {
		return nil
	}
	files := r.files()
	text, err := r.readFrom(files, r.shown(file), false)
	if err != nil || !bytes.Contains(text, []byte("include")) {
		return nil
	}
	tree, _ := grammar.LoadText(source.New(r.shown(file), text), r.loading(files, r.id(), nil, r.forVersion))
	for _, inc := range tree.Includes {
		for _, part := range inc.Files {
			if name := r.abs(part.Name); !slices.Contains(parts, name) {
				parts = append(parts, name)
			}
		}
	}
	return parts
}
