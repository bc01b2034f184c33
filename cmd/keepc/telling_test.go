package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// A mailbox is a mail server on a host that handles one command after the other and keeps the subjects and the bodies.
type mailbox struct {
	mu    sync.Mutex
	mails []string
}

func (m *mailbox) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go m.session(c)
	}
}

func (m *mailbox) session(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 office\r\n")
	data, mail := false, ""
	for s := bufio.NewScanner(c); s.Scan(); {
		switch line := s.Text(); {
		case data && strings.HasPrefix(line, "Subject: "):
			mail = strings.TrimPrefix(line, "Subject: ")
		case data && strings.HasPrefix(line, "=>"):
			mail += " " + line
		case data && line == ".":
			m.mu.Lock()
			m.mails = append(m.mails, mail)
			m.mu.Unlock()
			data = false
			fmt.Fprint(c, "250 taken\r\n")
		case data:
		case line == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case line == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 yes\r\n")
		}
	}
}

func (m *mailbox) all() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.mails, "\n")
}

// TestTellsOfServers checks that a director reports about its servers by mail, scripts and lvs_notify_fifo, repeats
// its roles after a reload, and runs the startup and shutdown scripts before and after all that; a script that hangs
// is ended at its timeout.
func TestTellsOfServers(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "ip")
	h := oneHost(t)
	h.Run("ip", "link", "set", "lo", "up")
	var box mailbox
	l, err := h.Listen("tcp", "127.0.0.1:2525")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go box.serve(l)
	path := func(name string) string { return filepath.Join(h.Dir(), name) }
	if err := syscall.Mkfifo(path("lvs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path("vrrp"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := map[string]*lineLog{"lvs": readPipe(t, path("lvs")), "vrrp": readPipe(t, path("vrrp"))}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("say", "#!/bin/sh\necho \"$*\" >> "+path("said")+"\n[ \"$1\" != hangs ] || sleep 30\n")
	write("alive", "")
	server := fmt.Sprintf("real_server 10.9.0.11 80 {\nnotify_up \"%[1]s up\"\nnotify_down \"%[1]s down\"\nMISC_CHECK {\nmisc_path \"/usr/bin/test -e %[2]s\"\ndelay_loop 0.2\nretry 0\nmisc_timeout 10\n}\n}\n", path("say"), path("alive"))
	text := fmt.Sprintf(`global_defs {
	router_id R
	notification_email {
		ops@example.com
	}
	smtp_server 127.0.0.1 2525
	script_user root
	lvs_notify_fifo %[1]s
	vrrp_notify_fifo %[2]s
	fifo_write_vrrp_states_on_reload
	startup_script "%[3]s hangs"
	startup_script_timeout 1
	shutdown_script "%[3]s ends"
	shutdown_script_timeout 5
}
vrrp_sync_group G {
	group {
		V1
	}
}
vrrp_instance V1 {
	state MASTER
	interface eth0
	virtual_router_id 51
	priority 200
	virtual_ipaddress {
		10.0.0.3/24
	}
}
vrrp_instance V2 {
	interface nowhere0
	virtual_router_id 52
	virtual_ipaddress {
		10.0.0.4/24
	}
}
virtual_server 10.9.0.1 80 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	quorum_up "%[3]s qup"
	quorum_down "%[3]s qdown"
`, path("lvs"), path("vrrp"), path("say"))
	text = strings.Replace(text, "script_user root", "script_user root\n\tdynamic_interfaces", 1)
	write("keepalived.conf", text+server+"}\n")
	line := keepcArgs(t, "run", path("keepalived.conf"))
	p := h.Start(line[0], line[1:]...)
	await := func(what string, have func() string, want string) {
		t.Helper()
		lab.Eventually(t, 15*time.Second, what, func() bool { return strings.Contains(have(), want) })
	}
	said := func() string { text, _ := os.ReadFile(path("said")); return string(text) }
	p.WaitLog("timed out after 1s", 10*time.Second)
	await("the first result", box.all, "[R] Realserver [10.9.0.11]:tcp:80 of virtual server [10.9.0.1]:tcp:80 - UP => MISC CHECK succeeded on service <=")
	if err := os.Remove(path("alive")); err != nil {
		t.Fatal(err)
	}
	await("the failure", box.all, "- DOWN => MISC CHECK failed on service <=")
	write("alive", "")
	await("a line", lines["lvs"].all, "VS [10.9.0.1]:tcp:80 UP\nRS [10.9.0.11]:tcp:80 [10.9.0.1]:tcp:80 DOWN\nVS [10.9.0.1]:tcp:80 DOWN\nRS [10.9.0.11]:tcp:80 [10.9.0.1]:tcp:80 UP\nVS [10.9.0.1]:tcp:80 UP\n")
	await("the role", lines["vrrp"].all, "INSTANCE \"V1\" MASTER 200\nGROUP \"G\" MASTER 0\n")

	// A reload removes the service, and repeats the roles.
	write("keepalived.conf", text[:strings.Index(text, "virtual_server")])
	p.Signal(syscall.SIGHUP)
	await("the roles", lines["vrrp"].all, "GROUP \"G\" MASTER 0\nGROUP \"G\" MASTER 0\nINSTANCE \"V2\" FAULT 100\n")
	await("the end of the service", lines["lvs"].all, "UP\nRS [10.9.0.11]:tcp:80 [10.9.0.1]:tcp:80 DOWN\nVS [10.9.0.1]:tcp:80 DOWN\n")
	await("its mail", box.all, "- DOWN => Removing <=")
	await("its scripts", said, "qup\ndown\nqdown\n")
	p.Stop()
	if got, want := said(), "hangs\nqup\ndown\nqdown\nup\nqup\ndown\nqdown\nends\n"; got != want {
		t.Errorf("scripts:\n%s\nwant\n%s", got, want)
	}
}

// A lineLog is what came through a named pipe.
type lineLog struct {
	mu   sync.Mutex
	text string
}

func (l *lineLog) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// readPipe reads a named pipe until the end of the test.
func readPipe(t *testing.T, path string) *lineLog {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, ended := &lineLog{}, make(chan struct{})
	t.Cleanup(func() { _ = f.Close(); <-ended })
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(f); s.Scan(); {
			l.mu.Lock()
			l.text += s.Text() + "\n"
			l.mu.Unlock()
		}
	}()
	return l
}
