package notify

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A Mail is what the recipients of global_defs read about one event. The name of the director is put before its
// subject.
type Mail struct {
	Subject, Body string
	Fault         bool // no_email_faults suppresses it
}

// ofState returns the mail about a role, in the words of keepalived; nil: it has none.
func ofState(what, role, master, other string) *Mail {
	switch role {
	case "MASTER":
		other = master
	case "BACKUP", "FAULT":
	default:
		return nil
	}
	return &Mail{Subject: fmt.Sprintf("%s - Entering %s state", what, role), Body: "=> " + other + " <=", Fault: role == "FAULT"}
}

// ofInstance returns the mail about an instance.
func ofInstance(name, role string) *Mail {
	return ofState("VRRP Instance "+name, role, "VRRP Instance is now owning VRRP VIPs", "VRRP Instance is no longer owning VRRP VIPs")
}

// ofGroup returns the mail about a sync group.
func ofGroup(name, role string) *Mail {
	all := "All VRRP group instances are now in " + role + " state"
	return ofState("VRRP Group "+name, role, all, all)
}

// mailsWaiting is the number of mails that can wait for the server. More are lost: if a server is dead for that long,
// enough is waiting.
const mailsWaiting = 256

// A mailer sends mails one after the other, at the speed of the server.
type mailer struct {
	log   func(subject, text string)
	queue chan letter
	lost  int // since the last one that could be queued
}

// A letter is a mail with its destination.
type letter struct {
	server  string // host:port
	helo    string
	from    string
	to      []string
	timeout time.Duration
	text    []byte
}

func newMailer(log func(subject, text string)) *mailer {
	return &mailer{log: log, queue: make(chan letter, mailsWaiting)}
}

// send hands a mail to the mailer and never waits.
func (m *mailer) send(g *ir.Global, x Mail, at time.Time) {
	if g == nil || g.SMTPServer.Host == "" || len(g.Recipients) == 0 || x.Fault && g.NoEmailFaults {
		return
	}
	select {
	case m.queue <- newLetter(g, x, at):
		m.lost = 0
	default:
		if m.lost++; m.lost == 1 {
			m.log("mail", fmt.Sprintf("%s is too slow: mails are lost", g.SMTPServer.Host))
		}
	}
}

func newLetter(g *ir.Global, x Mail, at time.Time) letter {
	host, _ := os.Hostname() // empty: the kernel has no host name
	l := letter{
		server: net.JoinHostPort(g.SMTPServer.Host, strconv.Itoa(int(g.SMTPServer.Port))), timeout: g.SMTPConnectTimeout,
		helo: g.SMTPHelo, from: g.MailFrom,
	}
	if l.helo == "" {
		l.helo = host
	}
	if l.from == "" {
		l.from = "root@" + host
		if u, err := user.Current(); err == nil {
			l.from = u.Username + "@" + host
		}
	}
	for _, r := range g.Recipients {
		l.to = append(l.to, r.Text)
	}
	id := g.RouterID
	if id == "" {
		id = host
	}
	l.text = fmt.Appendf(nil, "Date: %s\r\nFrom: %s\r\nSubject: [%s] %s\r\nX-Mailer: keepc\r\nTo: %s\r\n\r\n%s\r\n\r\n",
		at.Format(time.RFC1123Z), l.from, id, x.Subject, strings.Join(l.to, ", "), x.Body)
	return l
}

// run sends until the queue is closed. It reports the first mail that fails, and the first that gets through again.
func (m *mailer) run(ctx context.Context) {
	failing := ""
	for l := range m.queue {
		err := l.deliver(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && failing != err.Error():
			failing = err.Error()
			m.log("mail", failing)
		case err == nil && failing != "":
			failing = ""
			m.log("mail", "mails arrive again at "+l.server)
		}
	}
}

// deliver delivers one mail to the server.
func (l letter) deliver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.server)
	if err != nil {
		return fmt.Errorf("send a mail: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // wakes what waits for the connection
	c, err := smtp.NewClient(conn, l.server)
	if err != nil {
		_ = conn.Close() // nothing was said
		return fmt.Errorf("send a mail: the greeting of %s: %w", l.server, err)
	}
	defer c.Close()
	if err := l.hand(c); err != nil {
		return fmt.Errorf("send a mail by %s: %w", l.server, err)
	}
	return nil
}

// hand runs the SMTP dialogue.
func (l letter) hand(c *smtp.Client) error {
	if err := c.Hello(l.helo); err != nil {
		return err
	}
	if err := c.Mail(l.from); err != nil {
		return err
	}
	taken := slices.DeleteFunc(slices.Clone(l.to), func(to string) bool { return c.Rcpt(to) != nil })
	if len(taken) == 0 {
		return fmt.Errorf("no recipient is taken")
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(l.text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // the mail has been accepted
	return nil
}
