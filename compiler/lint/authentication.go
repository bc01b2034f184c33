package lint

import (
	"fmt"
	"regexp"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

func authenticationRules() []Rule {
	return []Rule{
		{
			Name: "password-without-type", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if pass := auth(v, "auth_pass"); pass != nil && auth(v, "auth_type") == nil && authenticates(v) {
						d := p.report(pass.Span(), "the password of "+named(v)+" has no effect without auth_type", "ignored")
						d.Help, d.Kind = "add \"auth_type PASS\"", diag.Pair|diag.Remark
					}
				}
			},
		},
		{
			Name: "type-without-password", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if kind := auth(v, "auth_type"); kind != nil && auth(v, "auth_pass") == nil && authenticates(v) {
						d := p.report(kind.Span(), named(v)+" has an auth_type and no auth_pass", "has no effect")
						d.Kind = diag.Pair | diag.Remark
						if passElsewhere.MatchString(between(v.Stmt.Block.Find("authentication"))) {
							d.Severity, d.Label = diag.Info, "the password is for another id; has no effect here"
						}
					}
				}
			},
		},
		{
			Name: "empty-authentication", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Has("authentication") && empty(v.Origin, "authentication") && auth(v, "auth_type") == nil && auth(v, "auth_pass") == nil {
						p.report(v.At("authentication"), "authentication of "+named(v)+" is empty", "no password")
					}
				}
			},
		},
		{
			Name: "password-version-3", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					kind := auth(v, "auth_type")
					if v.Version != 3 || kind == nil && auth(v, "auth_pass") == nil {
						continue
					}
					d := p.report(v.At("authentication"), named(v)+" is of version 3, which has no authentication", "ignored")
					if kind == nil {
						d.Severity = diag.Warning
					}
				}
			},
		},
		{
			Name: "password-with-hmac", Severity: diag.Error, Loss: diag.DropsWord,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.Version != 3 && v.AuthHMAC != nil && (auth(v, "auth_type") != nil || auth(v, "auth_pass") != nil) {
						p.report(v.At("authentication"), named(v)+" has both authentication and auth_hmac", "ignored").Notes = note(v.At("auth_hmac"), "because of this")
					}
				}
			},
		},
		{
			Name: "repeated-key", Severity: diag.Warning,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					first := map[string]source.Span{}
					for _, s := range hmacLines(v, "key") {
						id := s.Words[1]
						if at, taken := first[id.Text]; taken {
							p.report(id.Span, "two keys of "+named(v)+" have the same number", "ignored").Notes = note(at, "this one counts")
							continue
						}
						first[id.Text] = id.Span
					}
				}
			},
		},
		{
			Name: "no-active-key", Severity: diag.Error, Loss: diag.Keeps,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					if v.AuthHMAC == nil {
						continue
					}
					if _, signs := v.AuthHMAC.Active(); signs {
						continue
					}
					if len(v.AuthHMAC.Keys) == 0 {
						p.report(v.At("auth_hmac"), "auth_hmac of "+named(v)+" has no key", "cannot sign")
						continue
					}
					for _, s := range hmacLines(v, "active_key") {
						p.report(s.Span(), fmt.Sprintf("auth_hmac of %s has no key %d", named(v), v.AuthHMAC.ActiveKey), "cannot sign")
					}
				}
			},
		},
		{
			Name: "well-known-password", Severity: diag.Info,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					pass := auth(v, "auth_pass")
					if !authenticates(v) || pass == nil || len(pass.Words) < 2 {
						continue
					}
					switch pass.Words[1].Text {
					case "1111", "1234", "12345", "123456", "12345678", "password", "secret":
						p.report(pass.Span(), "the password of "+named(v)+" is well known", "appears in most tutorials")
					}
				}
			},
		},
	}
}

// hmacLines returns the lines of auth_hmac with a keyword and a value.
func hmacLines(v *ir.VRRPInstance, keyword string) (all []*grammar.Stmt) {
	if v.AuthHMAC == nil {
		return nil
	}
	for _, s := range blockOf(v.AuthHMAC.Stmt) {
		if s.Keyword() == keyword && len(s.Words) > 1 {
			all = append(all, s)
		}
	}
	return all
}

// authenticates reports whether authentication can have an effect.
func authenticates(v *ir.VRRPInstance) bool { return v.Version != 3 && v.AuthHMAC == nil }

// auth returns the last line with a keyword in the authentication blocks of an instance; nil: there is none.
func auth(v *ir.VRRPInstance, keyword string) (line *grammar.Stmt) {
	for _, s := range blockOf(v.Stmt) {
		if s.Keyword() == "authentication" {
			if found := s.Block.Find(keyword); found != nil {
				line = found
			}
		}
	}
	return line
}

// passElsewhere finds a password on the line of an id.
var passElsewhere = regexp.MustCompile(`(?m)^[ \t]*@\S+[ \t]+auth_pass[ \t]`)

// between returns the text between the braces of a block.
func between(s *grammar.Stmt) string {
	if s == nil || s.Block == nil || s.Block.Open.IsZero() || s.Block.Open.Source != s.Block.Close.Source {
		return ""
	}
	return s.Block.Open.To(s.Block.Close).Text()
}
