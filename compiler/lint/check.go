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
			Service: func(p *pass, v service) {
				for c := range v.checks {
					if from, to := c.BindTo.Addr(), c.Target.Addr(); from.IsValid() && to.IsValid() && from.Is6() != to.Is6() {
						p.report(c.At("bindto"), fmt.Sprintf("%s is of a different family from %s, which is checked", from, to), "ignored")
					}
				}
			},
		},
		{
			Name: "ping-source", Severity: diag.Warning,
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
			Service: func(p *pass, v service) {
				if c, takes := v.slowest(); c != nil {
					p.report(c.Span(), fmt.Sprintf("a silent server is given up after %v", takes), fmt.Sprintf("delay_loop is %v", c.DelayLoop))
				}
			},
		},
		{
			Name: "url-unjudged", Severity: diag.Info,
			Service: func(p *pass, v service) {
				for u := range v.pages {
					if !u.Has("status_code") && !u.Has("digest") && !u.Has("regex") && !u.Has("regex_no_match") {
						p.report(u.Span(), "the url names no expected answer", "200 to 299 are accepted")
					}
				}
			},
		},
		{
			Name: "idle-omega", Severity: diag.Info,
			Service: func(p *pass, v service) {
				down := v.QuorumDown != nil || slices.ContainsFunc(v.RealServers, func(s *ir.RealServer) bool { return s.NotifyDown != nil })
				if v.Omega && !down && !v.Has("quorum_down") {
					p.report(v.At("omega"), v.name()+" has omega, and neither quorum_down nor notify_down", "does nothing")
				}
			},
		},
		{
			Name: "regex-missing", Severity: diag.Warning,
			Service: func(p *pass, v service) {
				for u := range v.pages {
					for _, s := range blockOf(u.Stmt) {
						if strings.HasPrefix(s.Keyword(), "regex_") && !u.Has("regex") {
							p.report(s.Span(), s.Keyword()+" has no regex", "without effect")
							break
						}
					}
				}
			},
		},
		{
			Name: "dynamic-twice", Severity: diag.Warning,
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
			Name: "session-untold", Severity: diag.Error, Loss: diag.DropsWord,
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

// followed returns the kind and the name of the block that a check follows.
func followed(c *ir.Check) (string, ir.Name) {
	switch part := c.Checker.(type) {
	case *ir.FileCheck:
		return "track_file", part.TrackFile
	case *ir.BFDCheck:
		return "bfd_instance", part.Name
	}
	return "", ir.Name{}
}

// define records the first block with a name.
func define(blocks map[string]ir.Origin, name string, block ir.Origin) {
	if _, known := blocks[name]; !known {
		blocks[name] = block
	}
}

// untold reports a user of a session whose bfd_instance tells only the other kind of user, VRRP or checkers.
func (p *pass) untold(b *ir.BFD, others, word string, by ir.Track) {
	if b != nil && b.Has(others) && !b.Has(word) {
		p.report(by.Span(), fmt.Sprintf("bfd_instance %s has only %s and does not report here", b.Name, others), "not found").Notes = note(b.At(others), "add "+word+", or delete this line")
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
