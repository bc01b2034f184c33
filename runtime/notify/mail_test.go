package notify_test

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/notify"
	"keepc/runtime/router"
)

// postOffice accepts mails and returns its address; each mail arrives as the lines of its session.
func postOffice(t *testing.T) (netip.AddrPort, <-chan []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	mails := make(chan []string, 10)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mails <- take(c)
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String()), mails
}

// take handles one session.
func take(c net.Conn) (lines []string) {
	defer c.Close()
	fmt.Fprint(c, "220 office\r\n")
	data := false
	for s := bufio.NewScanner(c); s.Scan(); {
		line := s.Text()
		lines = append(lines, line)
		switch {
		case data && line != ".":
		case line == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case strings.HasPrefix(line, "EHLO"):
			fmt.Fprint(c, "502 no such thing\r\n")
		case line == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return lines
		default:
			data = false
			fmt.Fprint(c, "250 yes\r\n")
		}
	}
	return lines
}

func mailing(server netip.AddrPort) *ir.Config {
	return &ir.Config{Global: ir.Global{
		RouterID: "lb01", MailFrom: "lb@example.com", SMTPHelo: "lb01.example.com", SMTPConnectTimeout: 5 * time.Second, NoEmailFaults: true,
		SMTPServer: ir.MailServer{Host: server.Addr().String(), Port: server.Port()},
		Recipients: []ir.Name{{Text: "ops@example.com"}, {Text: "two@example.com"}},
	}}
}

// TestMail compares with what keepalived 2.2.7 was recorded to send to a mail server, except for X-Mailer.
func TestMail(t *testing.T) {
	n := newNotifier(t)
	server, mails := postOffice(t)
	n.Configure(mailing(server))
	v, g := &ir.VRRPInstance{Name: "V0", SMTPAlert: true}, &ir.SyncGroup{Name: "G", SMTPAlert: true}
	for _, e := range []router.Effect{
		router.RoleChanged{Name: "V0", Config: v, Role: "MASTER"},
		router.RoleChanged{Name: "V0", Config: v, Role: "FAULT"}, // no_email_faults
		router.RoleChanged{Name: "V1", Config: &ir.VRRPInstance{}, Role: "MASTER"},
		router.GroupChanged{Name: "G", Config: g, Role: "BACKUP"},
		router.RoleChanged{Name: "V0", Config: v, Role: "STOP"},
	} {
		n.Tell(func() (notify.Telling, bool) { return notify.OfRouter(e) })
	}
	const mail = `EHLO lb01.example.com
HELO lb01.example.com
MAIL FROM:<lb@example.com>
RCPT TO:<ops@example.com>
RCPT TO:<two@example.com>
DATA
Date: then
From: lb@example.com
Subject: [lb01] %s
X-Mailer: keepc
To: ops@example.com, two@example.com

=> %s <=

.
QUIT`
	for _, want := range []string{
		fmt.Sprintf(mail, "VRRP Instance V0 - Entering MASTER state", "VRRP Instance is now owning VRRP VIPs"),
		fmt.Sprintf(mail, "VRRP Group G - Entering BACKUP state", "All VRRP group instances are now in BACKUP state"),
	} {
		got := regexp.MustCompile(`(?m)^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$`).ReplaceAllString(strings.Join(<-mails, "\n"), "Date: then")
		if got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	n.Close()
	if len(mails) > 0 {
		t.Errorf("one more: %q", <-mails)
	}
}

// TestDeadServer checks that a mail server that says nothing delays neither scripts nor lines nor the shutdown, and is
// reported once.
func TestDeadServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts the connection, and nothing answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := newNotifier(t, "mails are lost", "send a mail: the greeting")
	cfg := mailing(netip.MustParseAddrPort(l.Addr().String()))
	cfg.Global.SMTPConnectTimeout = time.Second
	n.Configure(cfg)
	start := time.Now()
	for range 1000 {
		tell(n, notify.Telling{Mail: &notify.Mail{Subject: "x"}})
	}
	if d := time.Since(start); d > 500*time.Millisecond {
		t.Errorf("telling took %v", d)
	}
	time.Sleep(1200 * time.Millisecond)
	start = time.Now()
	n.Close()
	if d := time.Since(start); d > 3500*time.Millisecond {
		t.Errorf("the end took %v", d)
	}
}
