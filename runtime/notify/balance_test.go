package notify_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
	"keepc/runtime/health"
	"keepc/runtime/notify"
)

// A play is a director with virtual servers whose check results are set by the test.
type play struct {
	t       *testing.T
	machine *balance.Machine
	now     time.Time
	failing map[string]bool // servers
	told    strings.Builder
}

func (p *play) step(ev balance.Event) {
	for _, f := range p.machine.Step(p.now, ev) {
		switch f := f.(type) {
		case balance.Told:
			x := notify.OfBalance(f)
			for _, s := range x.Scripts {
				fmt.Fprintln(&p.told, "script", s.Args[0])
			}
			if x.Line != "" {
				fmt.Fprintln(&p.told, x.Line)
			}
			if x.Mail != nil {
				fmt.Fprintf(&p.told, "mail %s %s\n", x.Mail.Subject, x.Mail.Body)
			}
		case balance.StartProbe:
			cause := ""
			if p.failing[f.Server.Server.String()] {
				cause = "connect: connection refused"
			}
			p.step(balance.ProbeDone{ID: f.ID, Result: health.Outcome(cause)})
		}
	}
}

// round lets every check run once, and compares what is told with what keepalived 2.2.7 told, under the name of the
// round.
func (p *play) round(name, want string, failing ...string) {
	p.t.Helper()
	p.failing = map[string]bool{}
	for _, f := range failing {
		p.failing[f] = true
	}
	for end := p.now.Add(10 * time.Second); ; p.step(balance.Tick{}) {
		at, some := p.machine.Deadline()
		if !some || at.After(end) {
			p.now = end
			break
		}
		p.now = at
	}
	p.heard(name, want)
}

func (p *play) heard(name, want string) {
	p.t.Helper()
	if got := strings.TrimSpace(p.told.String()); got != strings.TrimSpace(want) {
		p.t.Errorf("%s:\ngot\n%s\nwant\n%s", name, got, want)
	}
	p.told.Reset()
}

// told is a configuration of one service with two servers that are checked by MISC_CHECK, and its listeners.
func told(change func(*ir.Global, *ir.VirtualServer)) *ir.Config {
	cfg := &ir.Config{Global: ir.Global{LVSNotifyFIFO: ir.FIFO{Path: "/run/lvs"}, SMTPServer: ir.MailServer{Host: "192.0.2.1"}, Recipients: []ir.Name{{Text: "a"}}}}
	script := func(name string) *ir.Command { return &ir.Command{Args: []string{name}} }
	v := &ir.VirtualServer{Quorum: 1, Key: ir.ServiceKey{Protocol: ir.TCP, Addr: netip.MustParseAddr("10.9.0.1"), Port: 80}, QuorumUp: script("qup"), QuorumDown: script("qdown")}
	for _, a := range []string{"10.9.0.11:80", "10.9.0.12:81"} {
		c := &ir.Check{Checker: &ir.MiscCheck{Command: ir.Command{Args: []string{"/bin/" + a}}}, CheckTiming: ir.CheckTiming{DelayLoop: 10 * time.Second, ConnectTimeout: time.Second}}
		v.RealServers = append(v.RealServers, &ir.RealServer{Addr: netip.MustParseAddrPort(a), Weight: 1, SMTPAlert: true, Checks: []*ir.Check{c}, NotifyUp: script("up"), NotifyDown: script("down")})
	}
	cfg.VirtualServers = []*ir.VirtualServer{v}
	if change != nil {
		change(&cfg.Global, v)
	}
	return cfg
}

func newPlay(t *testing.T, cfg *ir.Config) *play {
	now := time.Unix(1_000_000, 0)
	p := &play{t: t, now: now, machine: balance.New(now, balance.Prepare(cfg, balance.Start(0)))}
	p.step(balance.Tick{})
	return p
}

const (
	one, two  = "10.9.0.11:80", "10.9.0.12:81"
	rs1       = "[10.9.0.11]:tcp:80"
	rs2       = "[10.9.0.12]:tcp:81"
	vs        = "[10.9.0.1]:tcp:80"
	mail1     = "mail Realserver " + rs1 + " of virtual server " + vs + " - "
	mail2     = "mail Realserver " + rs2 + " of virtual server " + vs + " - "
	mailVS    = "mail Virtualserver " + vs + " - "
	good, bad = "UP => MISC CHECK succeeded on service <=\n", "DOWN => MISC CHECK failed on service <=\n"
)

// TestOfBalance compares with what keepalived 2.2.7 did in a virtual machine with ip_vs: scripts, lines of
// lvs_notify_fifo byte for byte, mails.
func TestOfBalance(t *testing.T) {
	p := newPlay(t, told(nil))
	p.heard("start", "script qup\nVS "+vs+" UP")
	p.round("first results", mail1+good+mail2+good)
	p.round("one fails", "script down\nRS "+rs1+" "+vs+" DOWN\n"+mail1+bad, one)
	p.round("both fail", "script down\nRS "+rs2+" "+vs+" DOWN\nscript qdown\nVS "+vs+" DOWN\n"+mail2+bad, one, two)
	p.round("one is back", "script up\nRS "+rs1+" "+vs+" UP\nscript qup\nVS "+vs+" UP\n"+mail1+good, two)
	p.round("both are", "script up\nRS "+rs2+" "+vs+" UP\n"+mail2+good)
	smaller := told(func(_ *ir.Global, v *ir.VirtualServer) { v.RealServers = v.RealServers[:1] })
	p.step(balance.Swap{Next: balance.Prepare(smaller, p.machine.Current())})
	p.heard("a reload without the second", "script down\nRS "+rs2+" "+vs+" DOWN\n"+mail2+"DOWN => Removing <=")
	p.step(balance.Stop{})
	p.heard("stop", "")

	// With alpha, rs_init_notifies, omega and smtp_alert_checker.
	all := func(g *ir.Global, v *ir.VirtualServer) {
		g.RSInitNotifies, v.SMTPAlert, v.Alpha, v.Omega = true, true, true, true
	}
	p = newPlay(t, told(all))
	p.heard("start with alpha", "")
	p.round("first results with alpha", "script down\nRS "+rs1+" "+vs+" DOWN\n"+mail1+bad+
		"script up\nRS "+rs2+" "+vs+" UP\nscript qup\nVS "+vs+" UP\n"+mailVS+"UP => Gained quorum 1+0=1 <= 1 <=\n"+mail2+good, one)
	p.round("all fail", "script down\nRS "+rs2+" "+vs+" DOWN\nscript qdown\nVS "+vs+" DOWN\n"+mailVS+"DOWN => Lost quorum 1+0=1 <= 0 <=\n"+mail2+bad, one, two)
	p.round("all are back", "script up\nRS "+rs1+" "+vs+" UP\nscript qup\nVS "+vs+" UP\n"+mailVS+"UP => Gained quorum 1+0=1 <= 1 <=\n"+mail1+good+"script up\nRS "+rs2+" "+vs+" UP\n"+mail2+good)
	other := told(func(g *ir.Global, v *ir.VirtualServer) { all(g, v); v.Alpha, v.Key.Port = false, 81 })
	p.step(balance.Swap{Next: balance.Prepare(other, p.machine.Current())})
	const vs81 = "[10.9.0.1]:tcp:81"
	p.heard("another service instead", "script down\nRS "+rs1+" "+vs+" DOWN\n"+mail1+"DOWN => Removing <=\nscript down\nRS "+rs2+" "+vs+" DOWN\n"+mail2+"DOWN => Removing <=\n"+
		"script qdown\nVS "+vs+" DOWN\n"+mailVS+"DOWN => Lost quorum 1+0=1 <= 0 <=\n"+
		"script up\nRS "+rs1+" "+vs81+" UP\nscript up\nRS "+rs2+" "+vs81+" UP\nscript qup\nVS "+vs81+" UP\nmail Virtualserver "+vs81+" - UP => Starting with quorum up 1+0=1 <= 2 <=")
	p.step(balance.Stop{})
	p.heard("stop with omega", strings.NewReplacer(vs+" -", vs81+" -", vs+" DOWN", vs81+" DOWN").Replace(
		"script down\nRS "+rs1+" "+vs+" DOWN\n"+mail1+"DOWN => Shutting down <=\nscript down\nRS "+rs2+" "+vs+" DOWN\n"+mail2+"DOWN => Shutting down <=\n"+
			"script qdown\nVS "+vs+" DOWN\n"+mailVS+"DOWN => Lost quorum 1+0=1 <= 0 <="))

	// no_checker_emails: the first results change no server.
	p = newPlay(t, told(func(g *ir.Global, v *ir.VirtualServer) { g.NoCheckerEmails, v.SMTPAlert = true, true }))
	p.heard("start with mail", "script qup\nVS "+vs+" UP\n"+mailVS+"UP => Starting with quorum up 1+0=1 <= 2 <=")
	p.round("first results without mail", "")
	p.round("with no_checker_emails one fails", "script down\nRS "+rs1+" "+vs+" DOWN\n"+mail1+bad, one)

	// A group is one service, with the name of its first member; a firewall mark has no protocol.
	p = newPlay(t, told(func(_ *ir.Global, v *ir.VirtualServer) { v.Group = "g1" }))
	p.heard("group", "script qup\nVS [g1]:0 UP")
	p.round("a server of a group", "script down\nRS "+rs1+" [g1]:0 DOWN\nmail Realserver "+rs1+" of virtual server [g1]:0 - "+bad+"mail Realserver "+rs2+" of virtual server [g1]:0 - "+good, one)
	p = newPlay(t, told(func(_ *ir.Global, v *ir.VirtualServer) { v.Follows = true }))
	p.heard("its second member", "")
	p = newPlay(t, told(func(_ *ir.Global, v *ir.VirtualServer) { v.Key = ir.ServiceKey{FWMark: 7} }))
	p.heard("mark", "script qup\nVS FWM 7 UP")
	p.round("a server of a mark", "script down\nRS [10.9.0.11]:none:80 FWM 7 DOWN\nmail Realserver [10.9.0.11]:none:80 of virtual server FWM 7 - "+bad+"mail Realserver [10.9.0.12]:none:81 of virtual server FWM 7 - "+good, one)
}

// TestOfCheck checks the texts in the mails of each checker, which are taken from the program of keepalived 2.2.7.
func TestOfCheck(t *testing.T) {
	for _, c := range []struct {
		checker   ir.Checker
		up, cause string
		down      string
	}{
		{&ir.TCPCheck{}, "TCP CHECK succeed on service", "x", "TCP CHECK failed on service"},
		{&ir.UDPCheck{}, "UDP CHECK succeed on service", "x", "UDP CHECK failed on service"},
		{&ir.HTTPCheck{}, "CHECK succeed on service", "x", "CHECK failed on service : HTTP request failed"},
		{&ir.SMTPCheck{}, "CHECK succeed on service", "no greeting", "CHECK failed on service : no greeting"},
		{&ir.DNSCheck{}, "DNS_CHECK: succeed on service", "x", "DNS_CHECK: failed on service"},
		{&ir.PingCheck{}, "ICMP CHECK succeed on service", "x", "ICMP CHECK failed on service"},
		{&ir.MiscCheck{}, "MISC CHECK succeeded on service", "timed out after 2s", "MISC CHECK timed out on service"},
	} {
		e := balance.Told{Service: &ir.VirtualServer{}, Server: &ir.RealServer{}, Mail: true, Check: &ir.Check{Checker: c.checker}, Cause: c.cause}
		down := notify.OfBalance(e).Mail.Body
		e.Up = true
		if up := notify.OfBalance(e).Mail.Body; up != "=> "+c.up+" <=" || down != "=> "+c.down+" <=" {
			t.Errorf("%s: %q, %q", e.Check.Keyword(), up, down)
		}
	}
}
