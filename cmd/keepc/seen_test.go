package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/status"
)

// TestSeen checks what a director shows to Prometheus and to followers of its events, and what it tells the service
// manager. Each metric that the README asks for exists.
func TestSeen(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	host := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	file := filepath.Join(host.Dir(), "keepalived.conf")
	text := "include absent.conf\nvrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  192.0.2.10/24\n }\n}\n" +
		"virtual_server 192.0.2.10 80 {\n lb_algo rr\n protocol TCP\n real_server 127.0.0.1 443 {\n  SSL_GET {\n   warmup 0\n   url {\n    path /\n   }\n  }\n }\n}\n"
	settings := filepath.Join(host.Dir(), settingsName)
	if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.WriteFile(settings, []byte("announce edge {\n virtual_address 192.0.2.10\n table 198\n}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	web, err := host.Listen("tcp", "127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	_ = secure.Listener.Close() // the one on the host takes its place
	secure.Listener = web
	secure.StartTLS()
	defer secure.Close()
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	args := keepcArgs(t, "run", "--http", "127.0.0.1:9650", file)
	p := host.Start("env", append([]string{"NOTIFY_SOCKET=" + manager.LocalAddr().String()}, args...)...)
	p.WaitLog("enforcing", 15*time.Second)
	// Messages are taken off the socket at once: its queue has room for ten, and their sender waits for nothing.
	told := make(chan string, 1000)
	go func() {
		defer close(told)
		for b := make([]byte, 4096); ; {
			n, err := manager.Read(b)
			if err != nil {
				return // the test closed it
			}
			told <- string(b[:n])
		}
	}()
	heard := func(want string) {
		t.Helper()
		for late := time.After(20 * time.Second); ; {
			select {
			case got := <-told:
				if strings.HasPrefix(got, want) {
					return
				}
			case <-late:
				t.Fatalf("%q was not told\n%s", want, p.Log())
			}
		}
	}
	heard("READY=1")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	get := func(path string) string {
		t.Helper()
		code, body, err := host.HTTPGet(ctx, "http://127.0.0.1:9650"+path)
		if err != nil || code != 200 {
			t.Fatalf("GET %s: %d, %v\n%s", path, code, err, p.Log())
		}
		return body
	}
	metrics := ""
	lab.Eventually(t, 15*time.Second, "the first check", func() bool {
		metrics = get("/metrics")
		return strings.Contains(metrics, "keepc_server_certificate_expiry_timestamp_seconds{")
	})
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bkeepc_[a-z_]+`).FindAllString(string(readme), -1) {
		if !strings.Contains(metrics, "\n"+name+"{") && !strings.Contains(metrics, "\n"+name+" ") {
			t.Errorf("the README asks for %s, which is not there:\n%s", name, metrics)
		}
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "process_resident_memory_bytes"} {
		if !strings.Contains(metrics, "\n"+name+" ") {
			t.Errorf("there is no %s:\n%s", name, metrics)
		}
	}
	if page := get("/"); !strings.Contains(page, "VI_1") {
		t.Errorf("the page:\n%s", page)
	}
	var d status.Document
	if err := json.Unmarshal([]byte(get("/status.json")), &d); err != nil || len(d.Instances) != 1 || len(d.Events) == 0 {
		t.Errorf("status.json: %v, %+v", err, d)
	}
	// A missing include is reported by the log and by status, and is not an error.
	if len(d.Unread) != 1 || len(d.Faults) != 0 || !strings.Contains(p.Log(), "no file absent.conf") {
		t.Errorf("not read: %v, faults: %v\n%s", d.Unread, d.Faults, p.Log())
	}

	follow := keepcArgs(t, "status", "--follow")
	follower := host.Start(follow[0], follow[1:]...)
	for end := time.Now().Add(20 * time.Second); !strings.Contains(follower.Log(), "reload"); {
		if time.Now().After(end) {
			t.Fatalf("nothing was followed:\n%s", p.Log())
		}
		p.Signal(syscall.SIGHUP) // until it follows
		time.Sleep(200 * time.Millisecond)
	}
	heard("RELOADING=1\nMONOTONIC_USEC=")
	heard("READY=1")
	p.Stop()
	heard("STOPPING=1")
}
