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
	// Root is the file tree from its "/", as os.DirFS("/") returns it, or that of an image; nil: there are no files.
	Root fs.FS
	// Dir is the absolute path of the directory that relative names start from; empty: "/".
	Dir string
	// Below is the absolute path of the directory that absolute names in configurations start from, such as the root
	// of an image; empty: "/". Neither ".." nor a symbolic link leads out of it.
	Below string
	// Within are absolute paths of directories, without symbolic links: see With. Only files below one of them, or
	// below the directory of the text itself, are read. A symbolic link counts as its target, "/" has nothing below it
	// except the files directly in it unless it is Below, and files that the kernel makes are always outside. Nil:
	// files are read wherever they are, as keepalived does.
	Within []string
}

// ErrOutside is the error for a file outside the directories in which files are read.
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

// inFS returns the io/fs name of an absolute path.
func inFS(abs string) string {
	if abs == "/" {
		return "."
	}
	return strings.TrimPrefix(abs, "/")
}

// start returns the directory that a name in a file of a directory starts from, and the rest of the name, without
// leading "..".
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

// isBelow reports whether an absolute path is a directory, or below it.
func isBelow(abs, dir string) bool {
	return abs == dir || dir == "/" || strings.HasPrefix(abs, dir) && abs[len(dir)] == '/'
}

// With returns Files that are also read below one more directory, given by its absolute path.
func (f Files) With(dir string) Files {
	if f.Within == nil {
		return f
	}
	if real, err := f.real(dir); err == nil && !slices.Contains(f.Within, real) {
		f.Within = append(slices.Clip(f.Within), real)
	}
	return f
}

// Locate returns the name in Root of the file with an absolute path, if that may be read; otherwise ErrOutside. If the
// target of links matters, the name has none. Locate does not check whether the file exists.
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

// inside reports whether files with a path, which has no symbolic links, may be read.
func (f Files) inside(real string) bool {
	if f.Within == nil {
		return true
	}
	if slices.ContainsFunc(made, func(dir string) bool { return isBelow(real, dir) }) {
		return false
	}
	return slices.ContainsFunc(f.Within, func(dir string) bool {
		if dir == "/" && f.Below != "/" {
			return path.Dir(real) == "/"
		}
		return isBelow(real, dir)
	})
}

// Bounds names the directories that Within stands for, for "it leads out of ...".
func (f Files) Bounds() string {
	switch {
	case f.Below != "":
		return "--root"
	case path.Join("/", f.Dir) == "/":
		return "the directory of the file (of the working directory /, only the files directly in it are read)"
	}
	return "the working directory and that of the file"
}

// maxLinks is how many symbolic links may lead to a file; Linux allows as many.
const maxLinks = 40

// real returns the target of an absolute path, without symbolic links. From Below on, "/" is Below: the root of the
// host that the files belong to. What does not exist has no links.
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

// read returns the bytes of a regular file. The reference does not read executable files.
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
		return nil, err // to open one may take forever
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err = file.Stat() // it may be a different file by now
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

// unfit returns why a file is not read; nil: it is, or that is not known.
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

// An ExactFS is a file tree that can open a file by a name without symbolic links, and fails if there is one.
type ExactFS interface {
	fs.FS
	OpenExact(name string) (fs.File, error)
}

// Open opens the file with a name that Locate returned. If the target of links matters, a link that was put in place
// since is not followed, provided that the file tree supports it: otherwise the file could differ from the one that
// was judged.
func (f Files) Open(name string) (fs.File, error) {
	if exact, ok := f.Root.(ExactFS); ok && (f.Within != nil || f.Below != "") {
		return exact.OpenExact(name)
	}
	return f.Root.Open(name)
}

// A finder finds the files that patterns match. It reads each directory once.
type finder struct {
	Files
	listed map[string][]string // the names in the directories that were read
	looked int                 // how many names were looked at
}

// maxDirectories is the number of directories that the wildcards of all includes may read, since "/*/*/*/*" is a whole
// machine; maxLooks is the number of names that they may look at.
const (
	maxDirectories = 2000
	maxLooks       = 1 << 17
)

// A match is what a pattern matches.
type match struct {
	files   []string // their absolute paths, sorted
	partial bool     // not all directories that the pattern covers were read
	outside bool     // some of the files are not among those that may be read
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

// file adds a file that a pattern names, if it exists.
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

// list returns the names in a directory; false if it was not read.
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
	entries, _ := fs.ReadDir(f.Root, at) // what is not a directory has nothing in it
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
