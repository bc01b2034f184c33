package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProgress checks that a long job shows its progress on a terminal: files of a check, cases of simulate,
// rehearsals of diff. The final output is the same, and nothing of the progress appears elsewhere.
func TestProgress(t *testing.T) {
	t.Parallel()
	program := shipped(t)
	faults := absolute(t, filepath.Join("..", "..", "testdata", "faults"))
	rollout := t.TempDir()
	for name, lines := range map[string]string{"old/lb1.conf": "", "old/lb2.conf": "", "new/lb1.conf": "advert_int 3\n", "new/lb2.conf": "advert_int 3\n"} {
		text := "vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 7\n" + lines + " virtual_ipaddress {\n 192.0.2.10/24\n }\n}\n"
		put(t, filepath.Join(rollout, name), text)
	}
	for _, c := range []struct {
		args  []string
		shows []string
	}{
		{[]string{"check", faults}, []string{"file 1 of ", "\r\x1b[K", "errors"}},
		{[]string{"simulate", filepath.Join(faults, "track-file-fault-a.conf"), filepath.Join(faults, "track-file-fault-b.conf")}, []string{"case 1 of ", "\r\x1b[K", "all start"}},
		{[]string{"diff", filepath.Join(rollout, "old"), filepath.Join(rollout, "new")}, []string{"rehearsal 1\r", "\r\x1b[K", "Rollout"}},
	} {
		term := onTerminal(t, exec.Command(program, c.args...))
		if shown := term.all(); !inOrder(shown, c.shows...) {
			t.Errorf("%v shows\n%q", c.args, shown)
		}
		out, _ := exec.Command(program, c.args...).CombinedOutput() // it has findings
		if strings.Contains(string(out), "\r") {
			t.Errorf("%v writes to a pipe\n%q", c.args, out)
		}
	}
}

// put writes a file, with its directory.
func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// inOrder reports whether a text contains the words in order.
func inOrder(text string, words ...string) bool {
	for _, w := range words {
		_, after, found := strings.Cut(text, w)
		if !found {
			return false
		}
		text = after
	}
	return true
}
