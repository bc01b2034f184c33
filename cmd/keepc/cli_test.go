package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestCLI plays the scripts of testdata/cli. They have one command more than others: "exits CODE keepc ARGS..." runs keepc
// and wants its exit code; what it prints is in stdout and stderr as usual.
func TestCLI(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("..", "..", "testdata", "cli"),
		UpdateScripts: os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"fill":  fill,
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
	app := App{Stdin: &in, Stdout: ts.Stdout(), Stderr: ts.Stderr(), Env: ts.Getenv, FS: os.DirFS("/"), Dir: ts.Getenv("WORK")}
	if got := strconv.Itoa(app.Main(args[2:])); got != args[0] {
		ts.Fatalf("keepc exited with %s, not with %s", got, args[0])
	}
}

// fill makes a file of a text so many times: fill FILE COUNT TEXT, where the text may have escapes.
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
