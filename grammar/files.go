package grammar

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Files is where configurations are read from.
type Files struct {
	// Root is the file tree from its "/", as os.DirFS("/") gives it, or that of an image; nil means that there are no files.
	Root fs.FS
	// Dir is the absolute path of the directory that relative names start from; "/" when empty.
	Dir string
	// Below is the absolute path of the directory that absolute names in configurations start from, as that of an image; "/"
	// when empty. Neither ".." nor a symbolic link leads out of it.
	Below string
	// Within are the absolute paths of directories, without symbolic links: see With. Only files below one of them are read, and those
	// below the directory of the text itself. A symbolic link counts as what it leads to, "/" has nothing below it but its own files,
	// and what the kernel makes is always outside. Nil: files are read wherever they are, as keepalived does.
	Within []string
}

// ErrOutside is the error for a file that is not in one of the directories in which files are read.
var ErrOutside = errors.New("is outside of the directories that are read")

var (
	errDirectory  = errors.New("is a directory")
	errNotRegular = errors.New("is not a regular file")
	errExecutable = errors.New("is executable")
	errTooLarge   = fmt.Errorf("is larger than %d MiB", maxText>>20)
	errLinks      = errors.New("has too many symbolic links")
)

// abs returns the absolute path of a name.
func (f Files) abs(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", f.Dir, name)
}

// inFS returns the name that io/fs has for an absolute path.
func inFS(abs string) string {
	if abs == "/" {
		return "."
	}
	return strings.TrimPrefix(abs, "/")
}

// start returns the directory that a name in a file of a directory starts from, and the rest of the name, without ".." before it.
func (f Files) start(dir, name string) (from, rest string) {
	top := path.Join("/", f.Below)
	if path.IsAbs(name) {
		return top, strings.TrimPrefix(path.Clean(name), "/")
	}
	name = path.Clean(name)
	for name == ".." || strings.HasPrefix(name, "../") {
		if name = strings.TrimPrefix(name[2:], "/"); dir != top {
			dir = path.Dir(dir)
		}
	}
	return dir, name
}

// isBelow tells whether an absolute path is that of a directory, or lies below it.
func isBelow(abs, dir string) bool {
	return abs == dir || dir == "/" || strings.HasPrefix(abs, dir) && abs[len(dir)] == '/'
}

// With returns Files that are read below one more directory, too, which is given by its absolute path.
func (f Files) With(dir string) Files {
	if f.Within == nil {
		return f
	}
	if real, err := f.real(dir); err == nil && !slices.Contains(f.Within, real) {
		f.Within = append(slices.Clip(f.Within), real)
	}
	return f
}

// Locate returns the name in Root of the file with an absolute path, if that may be read; else ErrOutside. Where it matters where links
// lead, the name has none. Locate does not tell whether there is such a file.
func (f Files) Locate(abs string) (string, error) {
	if f.Within == nil && f.Below == "" {
		return inFS(path.Clean(abs)), nil
	}
	real, err := f.real(abs)
	switch {
	case err != nil:
		return "", err
	case !f.inside(real):
		return "", ErrOutside
	}
	return inFS(real), nil
}

// made are the directories whose files are made by the kernel.
var made = []string{"/proc", "/sys", "/dev"}

// inside tells whether files with a path, which has no symbolic links, are read.
func (f Files) inside(real string) bool {
	if f.Within == nil {
		return true
	}
	if slices.ContainsFunc(made, func(dir string) bool { return isBelow(real, dir) }) {
		return false
	}
	return slices.ContainsFunc(f.Within, func(dir string) bool {
		return dir == "/" && path.Dir(real) == "/" || dir != "/" && isBelow(real, dir)
	})
}

// maxLinks is how many symbolic links may lead to a file; Linux allows as many.
const maxLinks = 40

// real returns where an absolute path leads, without symbolic links. From Below on, "/" is Below: that is the root of the host whose
// files these are. What is not there has no links.
func (f Files) real(abs string) (string, error) {
	at, rest, top := "/", path.Clean(abs), "/"
	if f.Below != "" && isBelow(rest, path.Clean(f.Below)) {
		below, err := Files{Root: f.Root}.real(f.Below)
		if err != nil {
			return "", err
		}
		at, rest, top = below, strings.TrimPrefix(rest, path.Clean(f.Below)), below
	}
	links, open := 0, strings.Split(rest, "/")
	_, known := f.Root.(fs.ReadLinkFS)
	for len(open) > 0 {
		part := open[0]
		open = open[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at != top {
				at = path.Dir(at)
			}
			continue
		}
		at = path.Join(at, part)
		if !known {
			continue
		}
		info, err := fs.Lstat(f.Root, inFS(at))
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := fs.ReadLink(f.Root, inFS(at))
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", errLinks
		}
		if at = path.Dir(at); path.IsAbs(target) {
			at = top
		}
		open = append(strings.Split(target, "/"), open...)
	}
	return at, nil
}

// read returns the bytes of a regular file. The reference does not read files that are executable.
func (f Files) read(abs string) ([]byte, error) {
	if f.Root == nil {
		return nil, fs.ErrNotExist
	}
	name, err := f.Locate(abs)
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(f.Root, name)
	if err = cmp.Or(err, unfit(abs, info)); err != nil {
		return nil, err // to open one may take for ever
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err = file.Stat() // it may be another one by now
	if err = cmp.Or(err, unfit(abs, info)); err != nil {
		return nil, err
	}
	text := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead))
	if _, err := text.ReadFrom(io.LimitReader(file, maxText+1)); err != nil {
		return nil, err
	}
	if text.Len() > maxText {
		return nil, errTooLarge
	}
	return text.Bytes(), nil
}

// unfit returns why a file is not read; nil: it is, or it is not known.
func unfit(abs string, info fs.FileInfo) error {
	switch {
	case info == nil:
	case info.IsDir():
		return errDirectory
	case !info.Mode().IsRegular(), strings.HasPrefix(abs, "/proc/"): // some of these never end
		return errNotRegular
	case info.Mode().Perm()&0o111 != 0:
		return errExecutable
	case info.Size() > maxText:
		return errTooLarge
	}
	return nil
}

// An ExactFS is a file tree that can open a file by a name in which nothing is a symbolic link, and fails where something is.
type ExactFS interface {
	fs.FS
	OpenExact(name string) (fs.File, error)
}

// Open opens the file with a name that Locate returned. Where it matters where links lead, one that came in between is not followed, if
// the file tree can tell: else a file could be another one than the one that was judged.
func (f Files) Open(name string) (fs.File, error) {
	if exact, ok := f.Root.(ExactFS); ok && (f.Within != nil || f.Below != "") {
		return exact.OpenExact(name)
	}
	return f.Root.Open(name)
}

// A finder finds the files that patterns match. It looks into each directory once.
type finder struct {
	Files
	listed map[string][]string // the names in the directories that it looked into
	looked int                 // how much it looked at
}

// maxDirectories is how many directories the wildcards of all includes may look into, "/*/*/*/*" being all of a machine; maxLooks is how
// often they may look at a name.
const (
	maxDirectories = 2000
	maxLooks       = 1 << 20
)

// A match is what a pattern matches.
type match struct {
	files   []string // their absolute paths, sorted
	partial bool     // it was not looked into all directories that the pattern asks for
	outside bool     // some of these, or the file, are not among those that are read
}

// glob returns the files that a pattern without braces matches below a directory. Unlike path.Match, but like glob(3), a wildcard
// does not match a dot at the start of a name.
func (f *finder) glob(dir, pattern string) (m match) {
	if f.Root == nil {
		return m
	}
	if !hasWildcard(pattern) {
		f.file(&m, path.Join(dir, pattern))
		return m
	}
	parts, at := strings.Split(path.Clean(pattern), "/"), []string{dir}
	for i, part := range parts {
		var next []string
		for _, dir := range at {
			switch {
			case !hasWildcard(part) && i == len(parts)-1:
				f.file(&m, path.Join(dir, part))
			case !hasWildcard(part):
				next = append(next, path.Join(dir, part))
			default:
				next = append(next, f.within(&m, dir, part)...)
			}
		}
		if at = next; i == len(parts)-1 {
			m.files = append(m.files, next...)
		}
	}
	slices.Sort(m.files)
	return m
}

// file adds a file that a pattern names, if it is there.
func (f *finder) file(m *match, abs string) {
	if f.looked++; f.looked > maxLooks {
		m.partial = true
		return
	}
	name, err := f.Locate(abs)
	if err == nil {
		_, err = fs.Stat(f.Root, name)
	}
	switch {
	case errors.Is(err, ErrOutside):
		m.outside = true
	case !errors.Is(err, fs.ErrNotExist):
		m.files = append(m.files, abs)
	}
}

// within returns what a part of a pattern matches in a directory.
func (f *finder) within(m *match, dir, part string) (all []string) {
	names, ok := f.list(m, dir)
	if !ok {
		return nil
	}
	for _, name := range names {
		if f.looked++; f.looked > maxLooks {
			m.partial = true
			return all
		}
		hidden := name[0] == '.' && strings.IndexByte("*?[", part[0]) >= 0
		if same, _ := path.Match(part, name); same && !hidden { // a malformed pattern matches nothing
			all = append(all, path.Join(dir, name))
		}
	}
	return all
}

// list returns the names in a directory; false when it was not looked into.
func (f *finder) list(m *match, dir string) (names []string, ok bool) {
	if names, ok = f.listed[dir]; ok {
		return names, true
	}
	at, err := f.Locate(dir)
	if err != nil {
		m.outside = m.outside || errors.Is(err, ErrOutside)
		return nil, false
	}
	if len(f.listed) >= maxDirectories {
		m.partial = true
		return nil, false
	}
	entries, _ := fs.ReadDir(f.Root, at) // what is no directory has nothing in it
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if f.listed == nil {
		f.listed = map[string][]string{}
	}
	f.listed[dir] = names
	return names, true
}

func hasWildcard(pattern string) bool { return strings.ContainsAny(pattern, "*?[") }
