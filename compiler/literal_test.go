package compiler

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestLiteralAgrees checks that keepalived's reading of a file is what was meant, for every real file without errors.
func TestLiteralAgrees(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(shared(t, "corpus"), "files", "*"))
	if err != nil {
		t.Fatal(err)
	}
	same, differ := 0, 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 200<<10 {
			continue
		}
		abs, _ := filepath.Abs(filepath.Dir(name))
		meant := Load(source.New(filepath.Base(name), text), Options{Text: grammar.Options{Files: grammar.Files{Root: os.DirFS("/"), Dir: abs}, Nests: schema.Nests()}})
		a, _ := json.Marshal(meant.Literal().Config)
		b, _ := json.Marshal(meant.Config)
		switch errors := meant.Findings.Count(diag.Error); {
		case string(a) == string(b):
			same++
		case errors == 0:
			n := 0
			for n < min(len(a), len(b)) && a[n] == b[n] {
				n++
			}
			from := max(0, n-80)
			t.Errorf("%s: has no errors, and means something else:\n%s\n%s", filepath.Base(name), a[from:min(len(a), n+80)], b[from:min(len(b), n+80)])
		default:
			differ++
		}
	}
	t.Logf("%d files mean what they say, %d with errors do not", same, differ)
}

// TestLiteralServices checks which virtual servers are left of a file with mistakes, and with which real servers.
func TestLiteralServices(t *testing.T) {
	t.Parallel()
	const head, tunnel = "protocol TCP\nlb_algo rr\nlb_kind NAT\n", "protocol TCP\nlb_algo rr\nlb_kind TUN\n"
	for _, c := range []struct{ name, text, want string }{
		{"of a different family", "virtual_server 2001:db8::1 80 {\n" + head + "real_server 10.0.0.7 80 {\n}\n}\n", ""},
		{"unreadable", "virtual_server 10.0.0.1 80 {\n" + head + "real_server 10.0.0.300 80 {\n}\n}\n", ""},
		{"one left", "virtual_server 10.0.0.1 80 {\n" + head + "real_server 10.0.0.300 80 {\n}\nreal_server 10.0.0.7 80 {\n}\n}\n", "tcp 10.0.0.1:80: 10.0.0.7:80"},
		{"the first gives a mark's family", "virtual_server fwmark 7 {\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.0.7 80 {\n}\nreal_server 2001:db8::7 80 {\n}\n}\n", "fwmark 7: 10.0.0.7:80"},
		{"a group of a different family", "virtual_server_group g {\n2001:db8::1 80\nfwmark 7\n}\nvirtual_server group g {\n" + head + "real_server 10.0.0.7 80 {\n}\n}\n", ""},
		{"ip_family contradicts the group", "virtual_server_group g {\n2001:db8::1 80\n}\nvirtual_server group g {\n" + tunnel + "ip_family inet\nreal_server 10.0.0.7 80 {\n}\n}\n", ""},
		{"a mark has the family beside it", "virtual_server_group g {\n2001:db8::1 80\nfwmark 7\n}\nvirtual_server group g {\n" + tunnel + "real_server 10.0.0.7 80 {\n}\n}\n", "tcp [2001:db8::1]:80: 10.0.0.7:80; fwmark 7 inet6: 10.0.0.7:0"},
		{"a mark with no family", "virtual_server_group g {\n2001:db8::1 80\n10.0.0.1 80\nfwmark 7\n}\nvirtual_server group g {\n" + tunnel + "real_server 10.0.0.7 80 {\n}\n}\n", ""},
		{"a sorry server", "virtual_server 10.0.0.1 80 {\n" + head + "sorry_server 10.0.0.9 80\nreal_server 10.0.0.7 80 {\n}\n}\n", "tcp 10.0.0.1:80: 10.0.0.7:80 sorry 10.0.0.9:80"},
		{"a sorry server of a different family", "virtual_server fwmark 7 {\nlb_algo rr\nlb_kind NAT\nsorry_server 2001:db8::9 80\nreal_server 10.0.0.7 80 {\n}\n}\n", "fwmark 7: 10.0.0.7:80"},
		{
			"twice", "virtual_server 10.0.0.1 80 {\n" + head + "real_server 10.0.0.7 80 {\n}\n}\nvirtual_server 10.0.0.1 80 {\n" + tunnel + "real_server 10.0.0.7 80 {\n}\nreal_server 10.0.0.8 80 {\n}\n}\n",
			"tcp 10.0.0.1:80: 10.0.0.7:80 10.0.0.8:80",
		},
	} {
		u := Load(source.New("f", []byte(c.text)), Options{})
		var all []string
		for _, v := range u.Literal().Config.VirtualServers {
			text := v.Key.String() + ":"
			for _, r := range v.RealServers {
				text += " " + r.Addr.String()
			}
			if v.SorryServer != nil {
				text += " sorry " + v.SorryServer.Addr.String()
			}
			all = append(all, text)
		}
		if got := strings.Join(all, "; "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		for _, found := range []diag.List{u.Findings, u.Literal().Findings} {
			if (c.want == "") != slices.ContainsFunc(found, func(d diag.Diagnostic) bool { return d.Loss == diag.DropsInstance }) {
				t.Errorf("%s: the findings do not say what is lost: %v", c.name, found)
			}
		}
	}
}

// TestJoined checks that virtual servers on one group are one service with the settings of the first, in the reading of
// a file without errors, in which they are a warning, as in keepalived's of a file with errors.
func TestJoined(t *testing.T) {
	t.Parallel()
	const text = `virtual_server_group web {
	10.0.0.1-2 80
}
virtual_server group web {
	protocol TCP
	lb_algo rr
	lb_kind DR
	quorum 2
	real_server 10.0.0.7 80 {
		weight 2
		TCP_CHECK {
		}
	}
}
virtual_server group web {
	protocol TCP
	lb_algo rr
	lb_kind DR
	alpha
	real_server 10.0.0.7 80 {
		weight 3
		PING_CHECK {
		}
	}
	real_server 10.0.0.8 80 {
		TCP_CHECK {
		}
	}
}
`
	const wrong = "virtual_server 10.0.0.9 80 {\n\tprotocol TCP\n\tlb_algo rr\n\tlb_kind DR\n\treal_server 2001:db8::7 80 {\n\t}\n}\n"
	warned, faulty := Load(source.New("f", []byte(text)), Options{}), Load(source.New("f", []byte(text+wrong)), Options{})
	if warned.All.Has(diag.Error) || !faulty.All.Has(diag.Error) {
		t.Fatal("only the second should have errors: ", warned.All, faulty.All)
	}
	want := "tcp 10.0.0.1:80 quorum 2: 10.0.0.7:80*2 TCP_CHECK, 10.0.0.8:80*1 TCP_CHECK alpha\n" +
		"tcp 10.0.0.2:80 quorum 2: 10.0.0.7:80*2 TCP_CHECK, 10.0.0.8:80*1 TCP_CHECK alpha\n"
	for name, cfg := range map[string]*ir.Config{"as meant": warned.Config, "without errors": warned.Literal().Config, "with errors": faulty.Literal().Config} {
		var got strings.Builder
		for _, v := range cfg.VirtualServers {
			var servers []string
			for _, r := range v.RealServers {
				one := fmt.Sprintf("%s*%d", r.Addr, r.Weight)
				for _, c := range r.Checks {
					if one += " " + c.Keyword(); c.Alpha {
						one += " alpha"
					}
				}
				servers = append(servers, one)
			}
			fmt.Fprintf(&got, "%s quorum %d: %s\n", v.Key, v.Quorum, strings.Join(servers, ", "))
		}
		if got.String() != want {
			t.Errorf("%s:\n%swant\n%s", name, &got, want)
		}
	}
}
