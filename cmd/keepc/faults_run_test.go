package main

import (
	"io"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestFaultsRun runs two files that once took a working server out of service, or never added the address of a service:
// a server that answers stays, one that does not goes, and quorum_up and quorum_down follow it.
func TestFaultsRun(t *testing.T) {
	t.Parallel()
	answered := new(atomic.Int32)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answered.Add(1)
		_, _ = io.WriteString(w, "hello")
	})
	start := func(t *testing.T, file string) (director, server *lab.Host, p *lab.Process) {
		n := lab.New(t)
		lan := n.Segment("lan")
		director = n.Host("director", lab.On(lan, "eth0", "192.0.2.9/24", "198.51.100.9/24"))
		server = n.Host("server", lab.On(lan, "eth0", "192.0.2.1/24", "198.51.100.1/24"))
		director.Run("ip", "link", "set", "lo", "up")
		args := keepcArgs(t, "run", absolute(t, filepath.Join("..", "..", "testdata", "faults", file)))
		return director, server, director.Start(args[0], args[1:]...)
	}
	t.Run("http-check", func(t *testing.T) {
		t.Parallel()
		_, server, p := start(t, "http-check.conf")
		stop := server.Serve("192.0.2.1:8080", page)
		before := answered.Load()
		lab.Eventually(t, time.Minute, "three checks", func() bool { return answered.Load() >= before+3 })
		if strings.Contains(p.Log(), "down:") || strings.Contains(p.Log(), "removed") {
			t.Errorf("a server that answers is taken out\n%s", p.Log())
		}
		stop()
		p.WaitLog("warning: down:", time.Minute)
		p.Stop()
	})
	t.Run("quorum-up-address", func(t *testing.T) {
		t.Parallel()
		director, server, p := start(t, "quorum-up-address.conf")
		held := func() bool { return director.HasAddr(netip.MustParseAddr("192.0.2.10")) }
		p.WaitLog("enforcing", time.Minute)
		time.Sleep(time.Second) // without alpha, it would be there by now
		if held() {
			t.Error("the address is there before a server was up: alpha")
		}
		stop := server.Serve("198.51.100.1:80", page)
		lab.Eventually(t, time.Minute, "the quorum has the address", held)
		stop()
		lab.Eventually(t, time.Minute, "without the quorum the address is gone", func() bool { return !held() })
		stop = server.Serve("198.51.100.1:80", page)
		defer stop()
		lab.Eventually(t, time.Minute, "the address is back", held)
		p.Signal(syscall.SIGTERM)
		if err := p.Wait(30 * time.Second); err != nil {
			t.Error(err)
		}
		if held() {
			t.Error("the address stays after the end: omega")
		}
	})
}
