package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRaces runs what works on all processors without starting a director, with the race detector.
func TestRaces(t *testing.T) {
	t.Parallel()
	if os.Getenv("KEEPC_RACE") == "" {
		t.Skip("make test builds keepc with the race detector")
	}
	tutorial := filepath.Join("..", "..", "testdata", "tutorial")
	one, two := filepath.Join(tutorial, "lb01.conf"), filepath.Join(tutorial, "lb02.conf")
	fixed := filepath.Join(tutorial, "repaired")
	for _, c := range []struct {
		code int
		args []string
	}{
		{1, []string{"check", one, two}},
		{1, []string{"check", "--peers", one, two}},
		{0, []string{"check", filepath.Join("..", "..", "testdata", "ok")}},
		{0, []string{"diff", one, two}},
		{0, []string{"simulate", filepath.Join(fixed, "lb01.conf"), filepath.Join(fixed, "lb02.conf")}},
	} {
		line := keepcArgs(t, c.args...)
		cmd := exec.Command(line[0], line[1:]...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.code || strings.Contains(string(out), "WARNING: DATA RACE") {
			t.Errorf("%s: %v, want exit status %d\n%s", c.args, err, c.code, out)
		}
	}
}
