package notify_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keepc/compiler/ir"
	"keepc/runtime/notify"
	"keepc/runtime/script"
)

// newNotifier returns one whose complaints fail the test, except for given ones.
func newNotifier(t *testing.T, expected ...string) *notify.Notifier {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	scripts := script.NewRunner(t.Context())
	n := notify.New(scripts, func(subject, text string) {
		for _, e := range expected {
			if strings.Contains(text, e) {
				return
			}
		}
		t.Error(subject, text)
	})
	t.Cleanup(func() {
		n.Close()
		scripts.Close()
	})
	return n
}

func tell(n *notify.Notifier, x notify.Telling) {
	n.Tell(func() (notify.Telling, bool) { return x, true })
}

// TestOrder checks that the scripts of a subject run one after the other, and those of others beside them.
func TestOrder(t *testing.T) {
	n := newNotifier(t)
	out := filepath.Join(t.TempDir(), "out")
	sh := func(text string) ir.Command { return ir.Command{Args: []string{"/bin/sh", "-c", text + " >> " + out}} }
	slow, quick := notify.Subject{Kind: "INSTANCE", Name: "slow"}, notify.Subject{Kind: "GROUP", Name: "slow"}
	for i := range 4 {
		tell(n, notify.Telling{Subject: slow, Scripts: []ir.Command{sh(fmt.Sprintf("sleep 0.%d; echo %d", 3-i, i)), sh(fmt.Sprintf("echo any %d", i))}})
	}
	tell(n, notify.Telling{Subject: quick, Scripts: []ir.Command{sh("echo quick")}})
	tell(n, notify.Telling{Subject: slow, Scripts: []ir.Command{sh("echo last")}, Last: true})
	n.Close()
	text, err := os.ReadFile(out)
	if want := "quick 0 any 0 1 any 1 2 any 2 3 any 3 last"; err != nil || strings.Join(strings.Fields(string(text)), " ") != want {
		t.Errorf("%v\n got %q\nwant %q", err, text, want)
	}
}

// TestHangs checks that a script that does not end delays the director's shutdown only for a moment, and continues.
func TestHangs(t *testing.T) {
	n := newNotifier(t)
	out := filepath.Join(t.TempDir(), "out")
	tell(n, notify.Telling{Scripts: []ir.Command{{Args: []string{"/bin/sh", "-c", "sleep 4; echo went on > " + out}}}})
	start := time.Now()
	n.Close()
	if d := time.Since(start); d > 3500*time.Millisecond {
		t.Errorf("the end took %v", d)
	}
	for range 100 {
		if text, _ := os.ReadFile(out); string(text) == "went on\n" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the script was ended")
}

// TestPipes checks which pipe gets which line: notify_fifo all, vrrp_notify_fifo those of instances and groups,
// lvs_notify_fifo the others.
func TestPipes(t *testing.T) {
	n := newNotifier(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	// Its reader gets the path after its arguments.
	reader := ir.Command{Args: []string{"/bin/sh", "-c", `cat "$1" > ` + path("read"), "sh"}}
	var cfg ir.Config
	cfg.Global.NotifyFIFO, cfg.Global.VRRPNotifyFIFO, cfg.Global.LVSNotifyFIFO = ir.FIFO{Path: path("all")}, ir.FIFO{Path: path("vrrp")}, ir.FIFO{Path: path("lvs")}
	n.Configure(&cfg)
	tell(n, notify.Telling{Subject: notify.Subject{Kind: "INSTANCE"}, Line: `INSTANCE "V" MASTER 1`})
	tell(n, notify.Telling{Subject: notify.Subject{Kind: "RS"}, Line: "RS up"})
	tell(n, notify.Telling{Subject: notify.Subject{Kind: "GROUP"}, Line: `GROUP "G" MASTER 0`})
	for name, want := range map[string]string{
		"all":  "INSTANCE \"V\" MASTER 1\nRS up\nGROUP \"G\" MASTER 0\n",
		"vrrp": "INSTANCE \"V\" MASTER 1\nGROUP \"G\" MASTER 0\n",
		"lvs":  "RS up\n",
	} {
		if got := read(t, path(name), strings.Count(want, "\n")); got != want {
			t.Errorf("%s got %q, want %q", name, got, want)
		}
		if s, err := os.Stat(path(name)); err != nil || s.Mode() != os.ModeNamedPipe|0o600 {
			t.Errorf("%s: %v, %v", name, s.Mode(), err)
		}
	}
	next := cfg
	next.Global.VRRPNotifyFIFO, next.Global.NotifyFIFOScript = ir.FIFO{}, reader
	n.Configure(&next)
	tell(n, notify.Telling{Subject: notify.Subject{Kind: "INSTANCE"}, Line: `INSTANCE "V" STOP 1`})
	for range 100 {
		if text, _ := os.ReadFile(path("read")); string(text) == "INSTANCE \"V\" STOP 1\n" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	n.Close()
	if text, _ := os.ReadFile(path("read")); string(text) != "INSTANCE \"V\" STOP 1\n" {
		t.Errorf("the script read %q", text)
	}
	for _, name := range []string{"all", "vrrp", "lvs"} {
		if _, err := os.Stat(path(name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
}

// read reads lines of a named pipe, once it exists.
func read(t *testing.T, path string, lines int) (all string) {
	t.Helper()
	for range 100 {
		if _, err := os.Stat(path); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for range lines {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		all += line
	}
	return all
}

// TestFullPipe checks that a pipe without a reader loses lines and delays nothing.
func TestFullPipe(t *testing.T) {
	n := newNotifier(t, "a line is lost")
	path := filepath.Join(t.TempDir(), "pipe")
	n.Configure(&ir.Config{Global: ir.Global{NotifyFIFO: ir.FIFO{Path: path}}})
	for range 4000 {
		tell(n, notify.Telling{Subject: notify.Subject{Kind: "INSTANCE"}, Line: strings.Repeat("x", 100)})
	}
	n.Close()
}

// TestNotPipe checks that a regular file in place of the named pipe is not touched.
func TestNotPipe(t *testing.T) {
	n := newNotifier(t, "it is not a named pipe")
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Configure(&ir.Config{Global: ir.Global{NotifyFIFO: ir.FIFO{Path: path}}})
	tell(n, notify.Telling{Line: "x"})
	n.Close()
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("%q, %v", text, err)
	}
}
