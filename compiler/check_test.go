package compiler

import (
	"encoding/json"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// TestCheckParts checks how the specific part of each checker is decoded.
func TestCheckParts(t *testing.T) {
	for _, c := range []struct{ name, block, want string }{
		{"TCP", "TCP_CHECK {\n}", `{}`},
		{"ping", "PING_CHECK {\n}", `{}`},
		{"HTTP, all of it", `HTTP_GET {
			url {
				path /health
				digest 9B3A0C85A887A256D6939DA88AABD8CD
				status_code 200-204 301
				status_code 401
				virtualhost a.example.net
				regex "^it\\s\"works\""
				regex_options caseless multiline
				regex_min_offset 10
				regex_max_offset 20
				regex_stack 1024 4096
				regex_no_match
			}
			url {
				path /
			}
			http_protocol 1.0c
			enable_sni
			fast_recovery
		}`, `{"url":[` +
			`{"Path":"/health","digest":["9b3a0c85a887a256d6939da88aabd8cd"],"status_code":["200-204","301","401"],"virtualhost":"a.example.net",` +
			`"Regex":{"Pattern":"^it\\s\"works\"","NoMatch":true,"Options":["caseless","multiline"],"MinOffset":10,"EndOffset":21,"Stack":{"Start":1024,"Max":4096}},"tls_compliant":false},` +
			`{"Path":"/","digest":null,"status_code":["200-299"],"virtualhost":"of.the.server","tls_compliant":false}],` +
			`"virtualhost":"of.the.server","http_protocol":"1.0C","enable_sni":true,"sni_name":"","FastRecovery":true,"tls_compliant":false}`},
		{"SMTP", "SMTP_CHECK {\nhelo_name lb01\n}", `{"helo_name":"lb01","host":null}`},
		{"DNS, by default", "DNS_CHECK {\n}", `{"Type":"SOA","Name":"."}`},
		{"DNS", "DNS_CHECK {\ntype aaaa\nname www.example.net\n}", `{"Type":"AAAA","Name":"www.example.net"}`},
		{"UDP, by default", "UDP_CHECK {\n}", `{"Payload":"","require_reply":null,"min_reply_length":0,"max_reply_length":255}`},
		{"UDP, any answer", "UDP_CHECK {\nrequire_reply\n}", `{"Payload":"","require_reply":{"Value":"","Mask":""},"min_reply_length":0,"max_reply_length":255}`},
		{"UDP, the bytes of the manual", "UDP_CHECK {\npayload Ab12f 3 456 546443123\nrequire_reply 3x X4\nmin_reply_length 2\n}",
			`{"Payload":"ab120f0345065464431203","require_reply":{"Value":"3004","Mask":"f00f"},"min_reply_length":2,"max_reply_length":255}`},
		{"MISC", "MISC_CHECK {\nmisc_path \"/bin/check 'a b'\"\nmisc_dynamic\nuser nobody nogroup\n}",
			`{"misc_path":{"Args":["/bin/check","a b"],"User":{"Name":"nobody","Group":"nogroup"}},"misc_timeout":7000000000,"misc_dynamic":true}`},
		{"FILE", "FILE_CHECK {\ntrack_file load\nweight -2 reverse\n}", `{"TrackFile":"load","Weight":{"weight":-2,"Reverse":true}}`},
		{"BFD", "BFD_CHECK {\nname rs1\n}", `"rs1"`},
	} {
		cfg, found := compile(t, "f", `
track_file load {
	file /run/load
}
bfd_instance rs1 {
	neighbor_ip 10.0.0.2
}
virtual_server 10.0.0.1 80 {
	lb_algo rr
	lb_kind NAT
	protocol TCP
	delay_loop 7
	virtualhost of.the.server
	real_server 10.0.0.2 80 {
		`+c.block+`
	}
}
`)
		for _, d := range found {
			if d.Severity == diag.Error {
				t.Errorf("%s: %s", c.name, d.Message)
			}
		}
		got, err := json.Marshal(cfg.VirtualServers[0].RealServers[0].Checks[0].Checker)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", c.name, err, got, c.want)
		}
	}
}

// TestSpecs checks when two checks count as the same after a reload.
func TestSpecs(t *testing.T) {
	spec := func(block string) *ir.Check {
		cfg, _ := compile(t, "f", "virtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\n"+block+"\n}\n}\n")
		return cfg.VirtualServers[0].RealServers[0].Checks[0]
	}
	same := spec("HTTP_GET {\nurl {\npath /a\nstatus_code 200\n}\n}")
	for block, want := range map[string]bool{
		"# moved down\n\nHTTP_GET {\nurl {\nstatus_code 200\npath /a\n}\n}": true,
		"HTTP_GET {\nurl {\npath /a\nstatus_code 200-200\n}\n}":             true,
		"HTTP_GET {\nurl {\npath /b\nstatus_code 200\n}\n}":                 false,
		"SSL_GET {\nurl {\npath /a\nstatus_code 200\n}\n}":                  false,
		"HTTP_GET {\nurl {\npath /a\nstatus_code 200\n}\nretry 9\n}":        false,
		"HTTP_GET {\nurl {\npath /a\nstatus_code 200\n}\nurl {\npath /\n}}": false,
	} {
		if got := spec(block).Same(same); got != want || same.Same(spec(block)) != want {
			t.Errorf("same %v, want %v:\n%s", got, want, block)
		}
	}
}

// TestServers checks how virtual and real servers are decoded, beyond what reaches the kernel.
func TestServers(t *testing.T) {
	cfg, _ := compile(t, "f", `
virtual_server fwmark 5 {
	ip_family inet6
	lb_algo rr
	lb_kind TUN type gue port 5555 remcsum
	quorum_up "/bin/up all" nobody
	smtp_alert
	real_server 2001:db8::2 80 {
		notify_down /bin/down
		smtp_alert off
	}
	real_server 2001:db8::3 80 {
		lvs_method TUN type gre csum
	}
}
bfd_instance one {
	neighbor_ip 10.0.0.2
	min_rx 20.5
	vrrp
}
bfd_instance two {
	neighbor_ip 2001:db8::2
	max_hops -1
}
`)
	vs, one, two := cfg.VirtualServers[0], cfg.BFDs[0], cfg.BFDs[1]
	a, b := vs.RealServers[0], vs.RealServers[1]
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"family", vs.Key, ir.ServiceKey{FWMark: 5, IPv6: true}},
		{"tunnel", a.Method, ir.Method{Forwarding: ir.TUN, Tunnel: ir.Tunnel{Type: ir.GUE, Port: 5555, Checksum: ir.RemoteChecksum}}},
		{"own tunnel", b.Method, ir.Method{Forwarding: ir.TUN, Tunnel: ir.Tunnel{Type: ir.GRE, Checksum: ir.Checksum}}},
		{"argument of a script", vs.QuorumUp.Args[1], "all"},
		{"user of a script", vs.QuorumUp.User.Name, "nobody"},
		{"script", a.NotifyDown.Args[0], "/bin/down"},
		{"no script", b.NotifyDown == nil && vs.QuorumDown == nil, true},
		{"mail", vs.SMTPAlert, true},
		{"mail of the server", a.SMTPAlert, false},
		{"mail of a server by default", b.SMTPAlert, true},
		{"TTL", one.TTL, 255},
		{"TTL with IPv6", two.TTL, 64},
		{"fractions", one.MinRX, 20500 * time.Microsecond},
		{"default", two.MinRX, 10 * time.Millisecond},
		{"hops", two.MaxHops, -1},
		{"checkers of a session for instances", one.Checker, false},
		{"checkers of a session for all", two.Checker && two.VRRP, true},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, c.got, c.want)
		}
	}
}
