package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
)

// gitTime is the timeout of a git command.
const gitTime = time.Minute

// at returns an App that sees the file of a name as it is in a revision, REV:path as in git, and its name there. For
// other names, and files that exist, it returns the App itself.
func (a *App) at(name string) (*App, string, error) {
	rev, file, ok := strings.Cut(name, ":")
	if !ok || rev == "" || strings.HasPrefix(rev, "-") {
		return a, name, nil
	}
	if _, err := fs.Stat(a.FS, inFS(a.abs(name))); err == nil {
		return a, name, nil
	}
	tree, err := a.revision(rev)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", name, err)
	}
	if strings.HasPrefix(file, "./") || strings.HasPrefix(file, "../") { // from the working directory
		prefix, err := a.git("rev-parse", "--show-prefix")
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", name, err)
		}
		file = path.Join(strings.TrimSpace(string(prefix)), file)
	}
	there := *a
	there.FS, there.Dir, there.root, there.outside = tree, "/", "", true // there is nothing outside a revision
	return &there, tree.prefix + file, nil
}

// isRevision reports whether a name is a commit that git knows.
func (a *App) isRevision(name string) bool {
	if strings.HasPrefix(name, "-") {
		return false
	}
	_, err := a.git("rev-parse", "--verify", "--quiet", name+"^{commit}")
	return err == nil
}

// git runs git in the repository of the working directory.
func (a *App) git(args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gitTime)
	defer cancel()
	var said bytes.Buffer
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir, c.Stderr = a.Dir, &said
	out, err := c.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("no such file, and git, which reads revisions, is not installed")
	case err != nil && said.Len() > 0:
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return nil, fmt.Errorf("no such file, and git says: %s", strings.TrimPrefix(first, "fatal: "))
	case err != nil:
		return nil, fmt.Errorf("git %s: %w", args[0], err)
	}
	return out, nil
}

// A revision is the file tree of a commit. Its names may begin with the revision, as in HEAD:conf/lb1.conf; a name
// below the directory of the repository means the file in the commit.
type revision struct {
	app    *App
	prefix string // "HEAD:"
	top    string // the directory of the repository, without the leading slash
	blobs  map[string]blob
	dirs   map[string][]fs.DirEntry
}

// A blob is a file of a revision.
type blob struct {
	name, id string
	mode     fs.FileMode
}

// revision lists the files of a commit.
func (a *App) revision(rev string) (*revision, error) {
	top, err := a.git("rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	id, err := a.git("rev-parse", "--verify", "--short", rev+"^{commit}")
	if err != nil {
		return nil, err
	}
	commit := strings.TrimSpace(string(id))
	list, err := a.git("ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	r := &revision{
		app: a, prefix: rev + ":", top: strings.Trim(string(top), "/\n"), blobs: map[string]blob{}, dirs: map[string][]fs.DirEntry{".": nil},
	}
	if strings.Contains(rev, "/") { // it would look like a directory
		r.prefix = commit + ":"
	}
	for _, line := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		about, name, _ := strings.Cut(line, "\t")
		if f := strings.Fields(about); len(f) == 3 && f[1] == "blob" {
			r.add(name, blob{path.Base(name), f[2], gitMode(f[0])})
		}
	}
	return r, nil
}

func gitMode(s string) fs.FileMode {
	switch s {
	case "100755":
		return 0o755
	case "120000":
		return fs.ModeSymlink | 0o777
	}
	return 0o644
}

// add adds a file to its directory, and that to the one above.
func (r *revision) add(name string, b blob) {
	r.blobs[name] = b
	entry := fs.FileInfoToDirEntry(memoryFile{bytes.NewReader(nil), b.name, b.mode})
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		_, known := r.dirs[dir]
		r.dirs[dir] = append(r.dirs[dir], entry)
		if known {
			return
		}
		entry = fs.FileInfoToDirEntry(memoryFile{bytes.NewReader(nil), path.Base(dir), fs.ModeDir | 0o755})
	}
}

// inside returns the name in the tree.
func (r *revision) inside(name string) string {
	name = strings.TrimPrefix(name, r.prefix)
	if rest, ok := strings.CutPrefix(name, r.top+"/"); ok && r.top != "" {
		name = rest
	}
	if name = path.Clean(name); name == "/" {
		return "."
	}
	return name
}

// maxLinks is how many symbolic links may lead to a file.
const maxLinks = 8

// Open implements fs.FS.
func (r *revision) Open(name string) (fs.File, error) {
	at := r.inside(name)
	for range maxLinks {
		if _, ok := r.dirs[at]; ok {
			return memoryFile{bytes.NewReader(nil), path.Base(at), fs.ModeDir | 0o755}, nil
		}
		b, ok := r.blobs[at]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		text, err := r.app.git("cat-file", "blob", b.id)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		if b.mode&fs.ModeSymlink == 0 {
			return memoryFile{bytes.NewReader(text), b.name, b.mode}, nil
		}
		at = r.inside(path.Join(path.Dir(at), string(text)))
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many symbolic links")}
}

// Lstat implements fs.ReadLinkFS.
func (r *revision) Lstat(name string) (fs.FileInfo, error) {
	at := r.inside(name)
	if _, ok := r.dirs[at]; ok {
		return memoryFile{bytes.NewReader(nil), path.Base(at), fs.ModeDir | 0o755}, nil
	}
	b, ok := r.blobs[at]
	if !ok {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return memoryFile{bytes.NewReader(nil), b.name, b.mode}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (r *revision) ReadLink(name string) (string, error) {
	text, err := r.app.git("cat-file", "blob", r.blobs[r.inside(name)].id)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return string(text), nil
}

// ReadDir implements fs.ReadDirFS.
func (r *revision) ReadDir(name string) ([]fs.DirEntry, error) {
	list, ok := r.dirs[r.inside(name)]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}
