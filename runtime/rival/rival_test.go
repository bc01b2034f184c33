package rival_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"keepc/runtime/lab"
	"keepc/runtime/rival"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m).Run()) }

func TestClaim(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keepc")
	one, err := rival.Claim(dir, "4026531840-1")
	if err != nil {
		t.Fatal(err)
	}
	var taken *rival.Error
	if _, err := rival.Claim(dir, "4026531840-1"); !errors.As(err, &taken) || taken.PID != os.Getpid() {
		t.Errorf("a second claim: %v", err)
	}
	other, err := rival.Claim(dir, "4026531840-2")
	if err != nil {
		t.Errorf("another namespace: %v", err)
	} else if err := other.Close(); err != nil {
		t.Error(err)
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	again, err := rival.Claim(dir, "4026531840-1")
	if err != nil {
		t.Fatalf("after the end of the first: %v", err)
	}
	_ = again.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the directory: %v %v", info.Mode(), err)
	}
}

// TestClaimRefuses checks that a directory that not only root can change is not used for a lock, and no file of others
// is opened.
func TestClaimRefuses(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others")
	}
	for _, c := range []struct {
		name    string
		prepare func(dir string) error
		says    string
	}{
		{"a directory of a user", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, 65534, 65534)) }, "DIR belongs to user 65534"},
		{"a directory that others can write", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777)) }, "DIR can be written by others (mode 0777)"},
		{"a link", func(dir string) error { return os.Symlink("/tmp", dir) }, "DIR is not a directory"},
		{"a file", func(dir string) error { return os.WriteFile(dir, nil, 0o644) }, "DIR is not a directory"},
		{"a link as the lock", func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o755), os.Symlink("/etc/passwd", dir+"/x.lock"))
		}, "open DIR/x.lock: too many levels of symbolic links"},
		{"a pipe as the lock", func(dir string) error { return errors.Join(os.Mkdir(dir, 0o755), syscall.Mkfifo(dir+"/x.lock", 0o600)) }, "DIR/x.lock is not a regular file"},
		{"no directory above", func(dir string) error { return os.Remove(filepath.Dir(dir)) }, "mkdir DIR: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "in", "keepc")
			if err := errors.Join(os.Mkdir(filepath.Dir(dir), 0o755), c.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			_, err := rival.Claim(dir, "x")
			if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != c.says {
				t.Errorf("got %v, want %s", err, c.says)
			}
		})
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		err  rival.Error
		want string
	}{
		{rival.Error{Name: "keepalived", PID: 7}, "keepalived runs here already (process 7), and two directors would fight for the addresses; stop it first: kill 7"},
		{rival.Error{Name: "keepalived", PID: 7, Unit: "keepalived.service"}, "keepalived runs here already (process 7), and two directors would fight for the addresses; stop it first: systemctl stop keepalived.service"},
		{rival.Error{Name: "another keepc"}, "another keepc runs here already"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestKeepalived checks that a keepalived counts in its own network namespace, under any process names, and until it
// has ended; one that tests a file does not count.
func TestKeepalived(t *testing.T) {
	lab.NeedPrograms(t, "keepalived")
	n := lab.New(t)
	lan := n.Segment("lan")
	here, there := n.Host("here", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("there", lab.On(lan, "eth0", "192.0.2.2/24"))
	conf := filepath.Join(here.Dir(), "keepalived.conf")
	settings := "global_defs {\n\tprocess_names\n}\nvrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10\n\t}\n}\n"
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(h *lab.Host) (found *rival.Error) {
		err := h.Do(rival.Keepalived)
		if err != nil && !errors.As(err, &found) {
			t.Error(err)
		}
		return found
	}
	if found := find(here); found != nil {
		t.Errorf("nobody runs, got %v", found)
	}
	p := here.Start("keepalived", lab.KeepalivedFlags("/run", conf, "-P")...)
	p.WaitLog("Entering BACKUP STATE", 10e9)
	if found := find(here); found == nil || found.PID != p.Pid() || found.Name != "keepalived" {
		t.Errorf("got %v, want process %d", found, p.Pid())
	}
	if found := find(there); found != nil {
		t.Errorf("on another host: %v", found)
	}
	p.Stop()
	if found := find(here); found != nil {
		t.Errorf("it has ended, got %v", found)
	}

	// A keepalived with a different program name is found by its pid file, if that is in the default place, and while
	// it runs.
	copied := filepath.Join(here.Dir(), "keepalived-2.2")
	program, err := exec.LookPath("keepalived")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(program)
	}
	if err == nil {
		err = os.WriteFile(copied, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, pidFile := range []string{"/run/keepalived.pid", "/run/k.pid"} {
		p := here.Start(copied, "-P", "-n", "-l", "-f", conf, "-p", pidFile, "-r", "/run/v.pid", "-c", "/run/c.pid", "-b", "/run/b.pid")
		p.WaitLog("Entering BACKUP STATE", 10e9)
		if found := find(here); (found != nil) != (pidFile == "/run/keepalived.pid") || found != nil && found.PID != p.Pid() {
			t.Errorf("pid file %s: got %v, want process %d", pidFile, found, p.Pid())
		}
		if found := find(there); found != nil {
			t.Errorf("pid file %s, on another host: %v", pidFile, found)
		}
		p.Stop()
	}
	sleep := here.Start("sleep", "60") // has reused the pid
	here.Run("sh", "-c", "echo "+strconv.Itoa(sleep.Pid())+" >/run/keepalived.pid")
	if found := find(here); found != nil {
		t.Errorf("a stale pid file: %v", found)
	}
	sleep.Kill()

	// A program that has the name, and one that has the arguments of a test.
	shell, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(here.Dir(), "keepalived")
	if err := os.WriteFile(program, shell, 0o755); err != nil {
		t.Fatal(err)
	}
	q := here.Start(program, "-c", "echo up; sleep 60; :")
	q.WaitLog("up", 5e9)
	if found := find(here); found == nil || found.PID != q.Pid() {
		t.Errorf("a program with the name: %v", found)
	}
	q.Kill()
	r := here.Start(program, "-c", "echo up; sleep 60; :", "keepalived", "-t")
	r.WaitLog("up", 5e9)
	if found := find(here); found != nil {
		t.Errorf("one that tests a file: %v", found)
	}
}
