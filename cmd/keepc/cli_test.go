package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCLI plays the scripts of testdata/cli. They have some additional commands; the first one, "exits CODE keepc
// ARGS...", runs keepc and checks its exit code; its output is in stdout and stderr as usual.
func TestCLI(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("..", "..", "testdata", "cli"),
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"fill":   fill,
			"random": random,
			"mode":   mode,
			"islink": islink,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			dir, err := filepath.Abs(filepath.Join("..", "..", "testdata", "tutorial"))
			e.Setenv("TUTORIAL", dir)
			return err
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || args[1] != "keepc" {
		ts.Fatalf("usage: exits CODE keepc ARGS...")
	}
	var in strings.Reader
	if name := ts.Getenv("STDIN"); name != "" {
		in.Reset(ts.ReadFile(name))
	}
	app := App{Stdin: &in, Stdout: ts.Stdout(), Stderr: ts.Stderr(), Env: ts.Getenv, FS: hostFiles(), Dir: ts.MkAbs(".")}
	if got := strconv.Itoa(app.Main(args[2:])); got != args[0] {
		ts.Fatalf("keepc exited with %s, not with %s", got, args[0])
	}
}

// fill makes a file of a repeated text: fill FILE COUNT TEXT, where the text may have escapes.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fill FILE COUNT TEXT")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(text, n)), 0o644))
}

// random makes a file of noise, the same every time: random FILE BYTES.
func random(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	noise := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(noise)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), noise, 0o644))
}

// mode checks the mode of a file: mode OCTAL FILE.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// islink checks that a file is a symbolic link: islink FILE.
func islink(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if info.Mode()&os.ModeSymlink == 0 {
		ts.Fatalf("%s is no symbolic link", args[0])
	}
}
