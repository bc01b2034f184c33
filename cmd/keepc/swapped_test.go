package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"keepc/grammar"
)

// A swapping is a file tree in which something happens as soon as a file has been examined.
type swapping struct {
	fs.FS
	at   string // the file
	swap func()
	left *int // how often it is examined until then: a part twice to find the file that includes it, twice for its content
}

func (s swapping) OpenExact(name string) (fs.File, error) {
	return s.FS.(grammar.ExactFS).OpenExact(name)
}
func (s swapping) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(s.FS, name) }
func (s swapping) ReadLink(name string) (string, error)   { return fs.ReadLink(s.FS, name) }

func (s swapping) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(s.FS, name)
	if "/"+name == s.at {
		if *s.left--; *s.left == 0 {
			s.swap()
		}
	}
	return info, err
}

// TestSwapped checks that a file is not read if it, or its directory, becomes a link out of the working directory
// between its examination and its reading.
func TestSwapped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux opens without following links")
	}
	for what, looks := range map[string]int{"main.conf": 1, ".keepc.conf": 1, "part.conf": 4, "sub/part.conf": 4, "sub": 4, "pipe.conf": 2} {
		t.Run(what, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "repo")
			file := what
			if what == "sub" {
				file = "sub/part.conf"
			}
			for name, text := range map[string]string{
				"secret/part.conf": "hunter2 is the password\n", "repo/.keepc.conf": "fail_on warning\n", "repo/pipe.conf": "", "repo/part.conf": "", "repo/sub/part.conf": "",
				"repo/main.conf": "include part.conf\ninclude sub/part.conf\ninclude pipe.conf\nglobal_defs {\n    router_id lb1\n}\n",
			} {
				path := filepath.Join(top, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			left := looks // the last one comes before it is opened
			swap := func() {
				victim, to := filepath.Join(dir, what), filepath.Join(top, "secret", "part.conf")
				if what == "sub" {
					to = filepath.Dir(to)
				}
				err := os.RemoveAll(victim)
				if err == nil && what == "pipe.conf" {
					err = syscall.Mkfifo(victim, 0o600)
				} else if err == nil {
					err = os.Symlink(to, victim)
				}
				if err != nil {
					t.Error(err)
				}
			}
			var out bytes.Buffer
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, Dir: dir,
				FS: swapping{hostFiles(), filepath.Join(dir, file), swap, &left}}
			code := app.Main([]string{"check", "main.conf"})
			if left > 0 {
				t.Fatalf("%d more looks at it were expected", left)
			}
			if strings.Contains(out.String(), "hunter2") || code == exitOK {
				t.Errorf("exit code %d: %s", code, &out)
			}
		})
	}
}
