package notify

import (
	"fmt"
	"net/netip"
	"strings"

	"keepc/compiler/ir"
	"keepc/runtime/balance"
)

// OfBalance returns how an event of a service or a server is announced. Names, lines and mails are those of keepalived
// 2.2.7. Scripts of one service and its servers run one after the other.
func OfBalance(e balance.Told) Telling {
	service := serviceName(e.Service)
	t := Telling{Subject: Subject{"VS", service}, Last: e.Why == balance.Finishing}
	word := "DOWN"
	if e.Up {
		word = "UP"
	}
	kind, name, script := "VS", service, e.Service.QuorumDown
	switch {
	case e.Server != nil && e.Up:
		script = e.Server.NotifyUp
	case e.Server != nil:
		script = e.Server.NotifyDown
	case e.Service.QuorumAddress != nil:
		script = nil // it is state, not a script
	case e.Up:
		script = e.Service.QuorumUp
	}
	if e.Server != nil {
		kind, name = "RS", serverName(e.Service, e.Server)+" "+service
	}
	if e.Moved {
		t.Line = fmt.Sprintf("%s %s %s", kind, name, word)
		if script != nil {
			t.add(*script)
		}
	}
	switch {
	case !e.Mail:
	case e.Server != nil:
		t.Mail = &Mail{Subject: fmt.Sprintf("Realserver %s of virtual server %s - %s", serverName(e.Service, e.Server), service, word), Body: "=> " + ofServer(e) + " <="}
	default:
		t.Mail = &Mail{Subject: fmt.Sprintf("Virtualserver %s - %s", service, word), Body: "=> " + ofQuorum(e) + " <="}
	}
	return t
}

// serviceName is "[192.0.2.1]:tcp:80", "FWM 7", or "[web]:0" for a virtual_server_group.
func serviceName(v *ir.VirtualServer) string {
	switch {
	case v.Group != "":
		return "[" + v.Group + "]:0"
	case v.Key.FWMark != 0:
		return fmt.Sprintf("FWM %d", v.Key.FWMark)
	}
	return endpoint(v.Key, netip.AddrPortFrom(v.Key.Addr, v.Key.Port))
}

func serverName(v *ir.VirtualServer, r *ir.RealServer) string { return endpoint(v.Key, r.Addr) }

// endpoint is an address with the protocol of its service; a firewall mark has none.
func endpoint(k ir.ServiceKey, a netip.AddrPort) string {
	protocol := "none"
	if k.FWMark == 0 {
		protocol = strings.ToLower(k.Protocol.String())
	}
	return fmt.Sprintf("[%v]:%s:%d", a.Addr(), protocol, a.Port())
}

// ofServer says why a server came or went.
func ofServer(e balance.Told) string {
	switch {
	case e.Check != nil:
		return ofCheck(e.Check, e.Up, e.Cause)
	case e.Why == balance.Finishing:
		return "Shutting down"
	}
	return "Removing"
}

// ofCheck says how a check ended.
func ofCheck(c *ir.Check, up bool, cause string) string {
	result := "failed"
	if up {
		result = "succeed"
	}
	switch k := c.Keyword(); {
	case k == "MISC_CHECK" && up:
		return "MISC CHECK succeeded on service"
	case k == "MISC_CHECK" && strings.HasPrefix(cause, "timed out"):
		return "MISC CHECK timed out on service"
	case k == "MISC_CHECK", k == "TCP_CHECK", k == "UDP_CHECK":
		return strings.ReplaceAll(k, "_", " ") + " " + result + " on service"
	case k == "PING_CHECK":
		return "ICMP CHECK " + result + " on service"
	case k == "DNS_CHECK":
		return "DNS_CHECK: " + result + " on service"
	case up:
		return "CHECK succeed on service"
	case k == "HTTP_GET", k == "SSL_GET":
		return "CHECK failed on service : HTTP request failed"
	}
	return "CHECK failed on service : " + cause
}

// ofQuorum says what happened to a quorum.
func ofQuorum(e balance.Told) string {
	what, limit := "Lost quorum", int64(e.Need)-int64(e.Hysteresis)
	if e.Up {
		what, limit = "Gained quorum", int64(e.Need)+int64(e.Hysteresis)
		if e.Why == balance.Started {
			what = "Starting with quorum up"
		}
	}
	return fmt.Sprintf("%s %d+%d=%d <= %d", what, e.Need, e.Hysteresis, limit, e.Live)
}
