package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/runtime/daemon"
)

// TestBeside checks which settings a director obeys, and what it records about them for the next reload to be judged
// by.
func TestBeside(t *testing.T) {
	const service = "virtual_server 10.0.0.3 80 {\n    lb_algo mh\n    lb_kind DR\n    protocol TCP\n    real_server 10.0.0.7 80 {\n    }\n}\n"
	const edge = "announce edge {\n    virtual_address 10.0.0.3\n    table 198\n}\n"
	for _, c := range []struct {
		name          string
		settings      string // empty: the file is empty
		where         string // the directory of the settings, below that of the test
		mode          fs.FileMode
		owner         int
		missing       bool
		announces     bool
		fault, unread string // words of it; empty: none
		beside        bool
	}{
		{name: "its own", settings: edge, where: "etc", announces: true},
		{name: "a mistake in it", settings: edge + "rul x off\n", where: "etc", announces: true, fault: "rul"},
		{name: "a mistake, and nothing is announced", settings: "nonsense 1\n", where: "etc", beside: true},
		{name: "emptied", where: "etc"},
		{name: "missing", where: "etc", missing: true},
		{name: "above", settings: edge, where: ".", unread: "its announcements do not apply to "},
		{name: "of its group", settings: edge, where: "etc", mode: 0o664, fault: "not only its owner can write it (mode 0664)"},
		{name: "of everybody", settings: edge, where: ".", mode: 0o666, fault: "not only its owner can write it (mode 0666)"},
		{name: "of a stranger", settings: edge, where: "etc", owner: 4711, fault: "it belongs to user 4711"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.owner != 0 && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			dir := t.TempDir()
			file, settings := filepath.Join(dir, "etc", "lb.conf"), filepath.Join(dir, c.where, settingsName)
			put(t, file, service)
			if !c.missing {
				put(t, settings, c.settings)
				if err := os.Chmod(settings, max(c.mode, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if c.owner != 0 {
				if err := os.Chown(settings, c.owner, -1); err != nil {
					t.Fatal(err)
				}
			}
			app := App{Stdin: strings.NewReader(""), Stdout: t.Output(), Stderr: t.Output(), Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
			app.outside = true
			l := (&runRun{App: &app}).load(file)
			if l.Config == nil {
				t.Fatal(l.Refused)
			}
			if got := len(l.Config.Announcements) > 0; got != c.announces {
				t.Errorf("announces: %v", got)
			}
			for what, x := range map[string]struct {
				faults []daemon.Fault
				want   string
			}{"faults": {l.Faults, c.fault}, "unread": {l.Unread, c.unread}} {
				if text := lines(x.faults); !strings.Contains(text, x.want) || x.want == "" && text != "" {
					t.Errorf("%s: %q, want %q", what, text, x.want)
				}
			}
			if got := len(l.Beside) > 0; got != c.beside {
				t.Errorf("beside: %v", l.Beside)
			}
			want := daemon.NewDigest([]byte(c.settings), nil)
			if c.missing {
				want = daemon.NewDigest(nil, fs.ErrNotExist)
			}
			if digest, noted := l.Files[settings]; noted != (c.mode == 0 && c.owner == 0) || noted && digest != want {
				t.Errorf("noted as read: %v, as it is: %v", noted, digest == want)
			}
		})
	}
}
