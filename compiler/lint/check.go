package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
)

// checkRules are about health checks.
func checkRules() []Rule {
	return []Rule{
		{
			Name: "check-source-family", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A check shall connect from an address of another family than the one that it connects to.",
			Text:  "keepalived reports it and goes without the source address.",
			Bad:   checkedText("TCP_CHECK {\n            bindto 2001:db8::2\n        }"),
			Good:  checkedText("TCP_CHECK {\n            bindto 192.0.2.2\n        }"),
			Service: func(p *pass, v service) {
				for c := range v.checks {
					if from, to := c.BindTo.Addr(), c.Target.Addr(); from.IsValid() && to.IsValid() && from.Is6() != to.Is6() {
						p.report(c.At("bindto"), fmt.Sprintf("%s is of another family than %s, which is checked", from, to), "ignored")
					}
				}
			},
		},
		{
			Name: "ping-source", Severity: diag.Warning,
			Title: "PING_CHECK has a source address, which keepalived does not use.",
			Text: "Up to 2.4.3 keepalived reads bindto in a PING_CHECK and asks from the address that the kernel picks. A server that answers one source " +
				"alone is taken out. keepc asks from the address that is written.",
			Bad:  checkedText("PING_CHECK {\n            bindto 192.0.2.2\n        }"),
			Good: checkedText("PING_CHECK {\n        }"),
			Service: func(p *pass, v service) {
				if p.Version != "" && !schema.Older(p.Version, "2.4.4") {
					return
				}
				for c := range v.checks {
					if _, ping := c.Checker.(*ir.PingCheck); ping && c.BindTo.Addr().IsValid() {
						p.report(c.At("bindto"), fmt.Sprintf("PING_CHECK asks from any address, not from %s", c.BindTo.Addr()), "keepalived 2.2.7 to 2.4.3 ignores it")
					}
				}
			},
		},
		{
			Name: "check-without-link", Severity: diag.Error, Loss: diag.Keeps,
			Title: "A check connects to a link-local address and names no interface.",
			Text:  "Such an address is of one link, and there may be several with it. keepalived asks for bind_if, and the check fails.",
			Bad:   "virtual_server 2001:db8::10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server fe80::21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n",
			Good:  "virtual_server 2001:db8::10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server fe80::21 80 {\n        TCP_CHECK {\n            bind_if eth0\n        }\n    }\n}\n",
			Service: func(p *pass, v service) {
				for c := range v.checks {
					if to := c.Target.Addr(); to.Is6() && to.IsLinkLocalUnicast() && c.BindIf == "" {
						p.report(c.Span(), fmt.Sprintf("%s connects to %s and names no interface", c.Keyword(), to), "needs bind_if")
					}
				}
			},
		},
		{
			Name: "reply-length", Severity: diag.Error, Loss: diag.Keeps,
			Title: "A UDP_CHECK wants answers that are longer than it allows.",
			Text:  "keepalived reports that the check always fails.",
			Bad:   checkedText("UDP_CHECK {\n            require_reply\n            min_reply_length 300\n        }"),
			Good:  checkedText("UDP_CHECK {\n            require_reply\n            min_reply_length 300\n            max_reply_length 400\n        }"),
			Service: func(p *pass, v service) {
				for c := range v.checks {
					if u, ok := c.Checker.(*ir.UDPCheck); ok && u.MinLength > u.MaxLength {
						p.report(c.At("min_reply_length"), fmt.Sprintf("an answer of at least %d bytes has no more than %d", u.MinLength, u.MaxLength), "always fails")
					}
				}
			},
		},
		{
			Name: "url-path", Severity: diag.Warning,
			Title: "The path of a page does not begin with a slash.",
			Text:  "keepalived sends the path as it stands: GET index.html is no request that web servers understand, and most answer 400.",
			Bad:   checkedText("HTTP_GET {\n            url {\n                path index.html\n                status_code 200\n            }\n        }"),
			Good:  checkedText("HTTP_GET {\n            url {\n                path /index.html\n                status_code 200\n            }\n        }"),
			Service: func(p *pass, v service) {
				for u := range v.pages {
					if u.Path != "" && u.Path[0] != '/' && u.Path != "*" && !strings.Contains(u.Path, "://") {
						p.report(u.At("path"), "the path of a page does not begin with a slash", "").Help = "write /" + u.Path
					}
				}
			},
		},
		{
			Name: "slow-check", Severity: diag.Info,
			Title: "The tries of a check take longer than the time between two checks.",
			Text: "connect_timeout, retry and delay_before_retry together say when a silent server is given up. Longer than delay_loop means that " +
				"it gets traffic for several rounds.",
			Bad:  "virtual_server 192.0.2.10 80 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n            connect_timeout 10\n            retry 3\n        }\n    }\n}\n",
			Good: "virtual_server 192.0.2.10 80 {\n    delay_loop 6\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n            connect_timeout 1\n            retry 1\n        }\n    }\n}\n",
			Service: func(p *pass, v service) {
				if c, takes := v.slowest(); c != nil {
					p.report(c.Span(), fmt.Sprintf("a silent server is given up after %v", takes), fmt.Sprintf("delay_loop is %v", c.DelayLoop))
				}
			},
		},
		{
			Name: "url-unjudged", Severity: diag.Info,
			Title: "A page has no status_code, no digest and no regex.",
			Text:  "Every answer with a status of 200 to 299 is good then, whatever it says. keepalived before version 2 took no answer at all for good.",
			Bad:   pageText(""),
			Good:  pageText("status_code 200"),
			Service: func(p *pass, v service) {
				for u := range v.pages {
					if !u.Has("status_code") && !u.Has("digest") && !u.Has("regex") && !u.Has("regex_no_match") {
						p.report(u.Span(), "what the page must answer is not said", "200 to 299 are good")
					}
				}
			},
		},
		{
			Name: "idle-omega", Severity: diag.Info,
			Title: "omega stands in a virtual server without scripts for lost servers.",
			Text:  "At the stop of the daemon omega runs quorum_down and the notify_down of real servers. Without them it does nothing.",
			Bad:   serviceText("    omega\n"),
			Good:  serviceText(""),
			Service: func(p *pass, v service) {
				down := v.QuorumDown != nil || slices.ContainsFunc(v.RealServers, func(s *ir.RealServer) bool { return s.NotifyDown != nil })
				if v.Omega && !down && !v.Has("quorum_down") {
					p.report(v.At("omega"), v.name()+" has omega, and neither quorum_down nor notify_down", "does nothing")
				}
			},
		},
		{
			Name: "regex-missing", Severity: diag.Warning,
			Title: "A page has words about a regular expression and none.",
			Text:  "regex_no_match, regex_options and the like say how regex is used. Without it they do nothing.",
			Bad:   checkedText("HTTP_GET {\n            url {\n                path /\n                regex_no_match\n            }\n        }"),
			Good:  checkedText("HTTP_GET {\n            url {\n                path /\n                regex \"busy\"\n                regex_no_match\n            }\n        }"),
			Service: func(p *pass, v service) {
				for u := range v.pages {
					for _, s := range blockOf(u.Stmt) {
						if strings.HasPrefix(s.Keyword(), "regex_") && !u.Has("regex") {
							p.report(s.Span(), s.Keyword()+" stands without regex", "without effect")
							break
						}
					}
				}
			},
		},
		{
			Name: "dynamic-twice", Severity: diag.Warning,
			Title: "Two MISC_CHECKs set the weight of a real server.",
			Text:  "Each sets what its exit status says, and the last one counts until the other runs again.",
			Bad:   checkedText("MISC_CHECK {\n            misc_path \"/usr/bin/a\"\n            misc_dynamic\n        }\n        MISC_CHECK {\n            misc_path \"/usr/bin/b\"\n            misc_dynamic\n        }"),
			Good:  checkedText("MISC_CHECK {\n            misc_path \"/usr/bin/a\"\n            misc_dynamic\n        }\n        MISC_CHECK {\n            misc_path \"/usr/bin/b\"\n        }"),
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					var first *ir.Check
					for _, c := range s.Checks {
						switch misc, ok := c.Checker.(*ir.MiscCheck); {
						case !ok || !misc.Dynamic:
						case first == nil:
							first = c
						default:
							d := p.report(c.At("misc_dynamic"), fmt.Sprintf("another check sets the weight of %s too", s.Addr.Addr()), "")
							d.Notes = note(first.At("misc_dynamic"), "the other one")
						}
					}
				}
			},
		},
		{
			Name: "check-order", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "What a FILE_CHECK or BFD_CHECK follows stands behind it.",
			Text:  "keepalived reads the file once, from top to bottom, does not find the track_file or bfd_instance, and drops the check: the server counts as alive always.",
			Bad:   checkedText("BFD_CHECK {\n            name b\n        }") + "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n",
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n" + checkedText("BFD_CHECK {\n            name b\n        }"),
			Check: func(p *pass) {
				blocks := map[string]ir.Origin{}
				for _, f := range p.TrackFiles {
					define(blocks, "track_file "+f.Name, f.Origin)
				}
				for _, b := range p.BFDs {
					define(blocks, "bfd_instance "+b.Name, b.Origin)
				}
				if len(blocks) == 0 {
					return
				}
				place := p.file.Places()
				for v := range p.services {
					for c := range v.checks {
						kind, name := followed(c)
						if block, ok := blocks[kind+" "+name.Text]; ok && place[block.Stmt] > place[v.Stmt] {
							p.report(name.Span, fmt.Sprintf("%s %s is defined further down", kind, name.Text), "not found").Notes = note(block.Span(), "the definition")
						}
					}
				}
			},
		},
		{
			Name: "session-untold", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A BFD session is followed by those whom it does not tell.",
			Text:  "A bfd_instance with the word vrrp alone tells no checks, and one with checker alone no instances. keepalived does not find it there.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n    vrrp\n}\n" + checkedText("BFD_CHECK {\n            name b\n        }"),
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n" + checkedText("BFD_CHECK {\n            name b\n        }"),
			Check: func(p *pass) {
				sessions := map[string]*ir.BFD{}
				for _, b := range p.BFDs {
					if sessions[b.Name] == nil {
						sessions[b.Name] = b
					}
				}
				for v := range p.services {
					for c := range v.checks {
						if bfd, ok := c.Checker.(*ir.BFDCheck); ok {
							p.untold(sessions[bfd.Text], "vrrp", "checker", ir.Track{Name: bfd.Text, Origin: c.Origin})
						}
					}
				}
				for _, v := range p.Instances {
					for _, t := range v.TrackBFDs {
						p.untold(sessions[t.Name], "checker", "vrrp", t)
					}
				}
			},
		},
		{
			Name: "session-twice", Severity: diag.Warning,
			Title: "Two BFD_CHECKs of a real server follow one session.",
			Text:  "keepalived reports it and drops the second one.",
			Bad:   "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n" + checkedText("BFD_CHECK {\n            name b\n        }\n        BFD_CHECK {\n            name b\n        }"),
			Good:  "bfd_instance b {\n    neighbor_ip 192.0.2.3\n}\n" + checkedText("BFD_CHECK {\n            name b\n        }"),
			Service: func(p *pass, v service) {
				for _, s := range v.RealServers {
					first := map[string]*ir.Check{}
					for _, c := range s.Checks {
						bfd, ok := c.Checker.(*ir.BFDCheck)
						if !ok {
							continue
						}
						if o := first[bfd.Text]; o != nil {
							p.report(c.At("name"), "the server follows "+bfd.Text+" already", "dropped").Notes = note(o.Span(), "the first check")
						} else {
							first[bfd.Text] = c
						}
					}
				}
			},
		},
	}
}

// checks yields each check of the real servers.
func (v service) checks(yield func(*ir.Check) bool) {
	for _, s := range v.RealServers {
		for _, c := range s.Checks {
			if !yield(c) {
				return
			}
		}
	}
}

// pages yields each page that a check asks for.
func (v service) pages(yield func(*ir.URL) bool) {
	for c := range v.checks {
		http, ok := c.Checker.(*ir.HTTPCheck)
		if !ok {
			continue
		}
		for _, u := range http.URLs {
			if !yield(u) {
				return
			}
		}
	}
}

// followed is the kind and the name of the block that a check follows.
func followed(c *ir.Check) (string, ir.Name) {
	switch part := c.Checker.(type) {
	case *ir.FileCheck:
		return "track_file", part.TrackFile
	case *ir.BFDCheck:
		return "bfd_instance", part.Name
	}
	return "", ir.Name{}
}

// define notes the first block of a name.
func define(blocks map[string]ir.Origin, name string, block ir.Origin) {
	if _, known := blocks[name]; !known {
		blocks[name] = block
	}
}

// untold reports one who follows a session that has only the word for others.
func (p *pass) untold(b *ir.BFD, others, word string, by ir.Track) {
	if b != nil && b.Has(others) && !b.Has(word) {
		p.report(by.Span(), fmt.Sprintf("bfd_instance %s does not tell here: it has %s alone", b.Name, others), "not found").Notes = note(b.At(others), "add "+word+", or delete this line")
	}
}

// slowest returns the first check whose tries take longer than the time between two checks, and how long they take.
func (v service) slowest() (*ir.Check, time.Duration) {
	for _, s := range v.RealServers {
		for _, c := range s.Checks {
			tries := time.Duration(min(c.Retry, 1000))
			takes := c.ConnectTimeout*(tries+1) + c.DelayBeforeRetry*tries
			if _, misc := c.Checker.(*ir.MiscCheck); takes > c.DelayLoop && !misc && (c.Has("retry") || c.ConnectTimeout > c.DelayLoop) {
				return c, takes
			}
		}
	}
	return nil, 0
}

// checkedText is a virtual_server without a mistake whose real server has a check.
func checkedText(check string) string {
	return "global_defs {\n    script_user root\n    enable_script_security\n}\n" +
		"virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol " + protocolText(check) + "\n    real_server 192.0.2.21 80 {\n        " + check + "\n    }\n}\n"
}

// protocolText is the protocol of a service that fits a check.
func protocolText(check string) string {
	if strings.HasPrefix(check, "UDP") {
		return "UDP"
	}
	return "TCP"
}
