package main

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// An unlisted is a file tree with a directory that cannot be listed.
type unlisted struct {
	fstest.MapFS
	dir string
}

func (u unlisted) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == u.dir {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return u.MapFS.ReadDir(name)
}

// TestUnlisted checks that a directory that cannot be listed hides only its own content: files elsewhere that include
// a part are found, and the directory is reported. The check of such a directory is incomplete and fails.
func TestUnlisted(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	tree := unlisted{fstest.MapFS{
		"repo/.keepc.conf":       file("fail_on error\n"),
		"repo/a/closed/x.conf":   file(""),
		"repo/b/main.conf":       file("include ../parts/p.conf\nglobal_defs {\n routr_id x\n}\n"),
		"repo/parts/p.conf":      file("global_defs {\n router_id lb1\n}\n"),
		"repo/parts/unused.conf": file("global_defs {\n router_id lb2\n}\n"),
	}, "repo/a/closed"}
	for _, c := range []struct {
		name           string
		stdout, stderr string
		code           int
	}{
		{"parts/p.conf", "b/main.conf:3:2: error: unknown keyword \"routr_id\" in global_defs [unknown-keyword]\n",
			"keepc: a/closed: permission denied: files there that include parts/p.conf were not found\nkeepc: parts/p.conf is part of b/main.conf, which is checked instead\n", exitFindings},
		{"parts/unused.conf", "", "keepc: a/closed: permission denied: files there that include parts/unused.conf were not found\n", exitOK},
		{".", "", "keepc: a/closed: permission denied\n", exitFailed},
	} {
		var out, errs bytes.Buffer
		app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: tree, Dir: "/repo"}
		if code := app.Main([]string{"check", "--format", "short", c.name}); code != c.code || out.String() != c.stdout || errs.String() != c.stderr {
			t.Errorf("check %s: exit code %d\n%s%s", c.name, code, &out, &errs)
		}
	}
}
