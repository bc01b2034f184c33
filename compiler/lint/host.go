package lint

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// hostRules are about the machine: what they find is wrong on this one and may be right on another.
func hostRules() []Rule {
	return []Rule{
		{
			Name: "interface-not-here", Severity: diag.Error, Loss: diag.Ends, Host: true,
			Check: func(p *pass) {
				missing := func(name string, at source.Span, lived bool) {
					if _, here := p.host.Networks(name); here || name == "" || name == "lo" || strings.Contains(name, ":") {
						return
					}
					if d := p.report(at, "this machine has no interface "+name, "not here"); lived {
						d.Severity, d.Loss = diag.Warning, diag.Keeps
					}
				}
				for _, v := range p.Instances {
					if !v.UseVMAC || v.Has("interface") {
						missing(v.Interface, v.At("interface"), p.Global.DynamicInterfaces)
					}
					for _, a := range v.Addresses {
						if a.Dev != v.Interface {
							missing(a.Dev, a.Span(), true)
						}
					}
					for _, t := range v.TrackInterfaces {
						if t.Name != v.Interface {
							missing(t.Name, t.Span(), true)
						}
					}
				}
			},
		},
		{
			Name: "address-off-network", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, a := range v.Addresses {
						networks, here := p.host.Networks(a.Dev)
						if !here || a.Prefix.IsSingleIP() || a.Prefix.Addr().IsLinkLocalUnicast() || !a.Prefix.IsValid() || covered(networks, a) {
							continue
						}
						p.report(a.Span(), fmt.Sprintf("%s is in no network of %s", a.Prefix.Addr(), a.Dev), "not on the link")
					}
				}
			},
		},
		{
			Name: "owner-elsewhere", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					networks, here := p.host.Networks(v.Interface)
					if v.Priority != 255 || !v.Has("priority") || !here || len(v.Addresses) == 0 {
						continue
					}
					first := v.Addresses[0].Prefix.Addr()
					if !slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Addr() == first }) {
						p.report(v.At("priority"), fmt.Sprintf("%s is not an address of %s", first, v.Interface), "255 is for the owner")
					}
				}
			},
		},
		{
			Name: "address-owned", Severity: diag.Error, Loss: diag.Keeps, Host: true,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					source := p.sourceHere(v)
					for _, a := range v.Addresses {
						if v.Priority != 255 && source.IsValid() && a.Prefix.Addr() == source {
							d := p.report(a.Span(), fmt.Sprintf("%s is the own address of %s", source, v.Interface), "keepalived removes it")
							d.Help = "take another address, or priority 255 on the router that owns this one"
							if networks, _ := p.host.Networks(v.Interface); len(slices.DeleteFunc(slices.Clone(networks), func(n netip.Prefix) bool { return n.Addr().Is6() })) == 1 {
								d.Message, d.Loss = fmt.Sprintf("%s is the only address of %s", source, v.Interface), diag.Ends
							}
						}
					}
				}
			},
		},
		{
			Name: "vmac-not-free", Severity: diag.Error, Loss: diag.GoesOnWith, Host: true,
			Check: func(p *pass) {
				for _, v := range p.Instances {
					for _, word := range []string{"use_vmac", "use_ipvlan"} {
						name := vmacName(v, word)
						networks, _ := p.host.Networks(name)
						if name != "" && slices.ContainsFunc(networks, foreign(v)) { // otherwise it may be an address of a running keepalived
							p.report(v.At(word), "this machine has an interface "+name+" already", "the name is ignored")
						}
					}
				}
			},
		},
		{
			Name: "unknown-user", Severity: diag.Error, Loss: diag.DropsWord, Host: true,
			Check: func(p *pass) {
				for _, c := range p.Commands {
					if u := c.User.Name; u != "" && !p.host.User(u) {
						p.report(c.Span(), "this machine has no user "+u, "the script is dropped")
					}
				}
				for _, s := range p.Scripts {
					if u := s.User.Name; s.Has("user") && u != "" && !p.host.User(u) {
						p.report(s.At("user"), "this machine has no user "+u, "the script is dropped")
					}
				}
			},
		},
		{
			Name: "missing-script", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				for _, c := range p.Commands {
					if len(c.Args) == 0 || !path.IsAbs(c.Args[0]) {
						continue
					}
					switch mode, here := p.host.Mode(c.Args[0]); {
					case !here:
						p.report(c.Span(), "there is no file "+c.Args[0], "not here")
					case mode.IsDir() || mode.Perm()&0o111 == 0:
						p.report(c.Span(), c.Args[0]+" is not a program", "cannot run")
					}
				}
			},
		},
		{
			Name: "writable-script", Severity: diag.Error, Loss: diag.DropsBlock, Host: true,
			Check: func(p *pass) {
				named := p.users()
				for _, c := range p.Commands {
					if len(c.Args) == 0 || !path.IsAbs(c.Args[0]) || open(c.Args[0]) || !p.asRoot(cmp.Or(named[c.Stmt], p.Global.ScriptUser)) {
						continue
					}
					why, help := p.writable(path.Clean(c.Args[0]))
					if why == "" {
						continue
					}
					d := p.report(c.Span(), why, "not run")
					if d.Help = help; !p.Global.ScriptSecurity {
						d.Severity, d.Loss, d.Label = diag.Warning, diag.Keeps, "who can change the script is root"
					}
				}
			},
		},
		{
			Name: "missing-track-file", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				for _, f := range p.TrackFiles {
					dir := path.Dir(f.File)
					if _, here := p.host.Mode(dir); !here && path.IsAbs(dir) {
						p.report(f.At("file"), "there is no directory "+dir, "the track_file is removed")
					}
				}
			},
		},
		{
			Name: "missing-ca", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				told := map[string]bool{}
				for _, v := range p.VirtualServers {
					for _, r := range v.RealServers {
						for _, c := range r.Checks {
							h, ok := c.Checker.(*ir.HTTPCheck)
							if !ok || h.Verification == nil {
								continue
							}
							file, at := h.Verification.Trusted(h.Client), h.Verification.At("ca")
							if h.Verification.CA == "" && file != "" {
								at = h.Client.At("ca")
							}
							if told[file] || !path.IsAbs(file) {
								continue
							}
							told[file] = true
							switch mode, here := p.host.Mode(file); {
							case !here:
								p.report(at, "there is no file "+file, "no verdict on a server")
							case !mode.IsRegular():
								p.report(at, file+" is not a regular file", "no verdict on a server")
							}
						}
					}
				}
			},
		},
		{
			Name: "readable-password", Severity: diag.Warning, Host: true,
			Check: func(p *pass) {
				if p.file.Source == nil || len(p.Secrets) == 0 || p.Secrets[0].IsZero() {
					return
				}
				name := p.Secrets[0].Source.Name
				if mode, here := p.host.Mode(name); here && mode.Perm()&0o004 != 0 {
					p.report(p.Secrets[0], "everybody can read "+name, "a password").Help = "chmod 600 " + name
				}
			},
		},
	}
}

// sourceHere returns the first IPv4 address of the interface of an instance, because addresses that are added later
// follow it; zero: there is none.
func (p *pass) sourceHere(v *ir.VRRPInstance) netip.Addr {
	networks, _ := p.host.Networks(v.Interface)
	for _, n := range networks {
		if n.Addr().Is4() {
			return n.Addr()
		}
	}
	return netip.Addr{}
}

// foreign reports whether an address of an interface was not added by an instance.
func foreign(v *ir.VRRPInstance) func(netip.Prefix) bool {
	return func(n netip.Prefix) bool {
		return !n.Addr().IsLinkLocalUnicast() && !slices.ContainsFunc(v.Addresses, func(a ir.Address) bool { return a.Prefix.Addr() == n.Addr() })
	}
}

// asRoot reports whether the scripts of a user have the rights of root on this machine. One without a user is dropped under script security.
func (p *pass) asRoot(u ir.User) bool {
	if u.Name == "" {
		return !p.Global.ScriptSecurity && !p.host.User(scriptUser)
	}
	return u.Name == "root" || u.Group == "root"
}

// writable says how a user other than root can change a file: by the file itself, or by the first directory above it
// that allows it, and how to fix that; empty: nobody can. In a directory like /tmp users change only their own files.
func (p *pass) writable(name string) (why, help string) {
	for ; name != "."; name = path.Dir(name) {
		mode, here := p.host.Mode(name)
		uid, gid := p.host.Owner(name)
		switch {
		case !here || mode.IsDir() && mode&fs.ModeSticky != 0:
		case uid != 0:
			return fmt.Sprintf("%s belongs to user %d, not to root", name, uid), "chown root " + name
		case mode.Perm()&0o002 != 0:
			return fmt.Sprintf("%s can be written by everybody (mode %#o)", name, mode.Perm()), "chmod o-w " + name
		case mode.Perm()&0o020 != 0 && gid != 0:
			return fmt.Sprintf("%s can be written by group %d (mode %#o)", name, gid, mode.Perm()), "chmod g-w " + name
		}
		if name == "/" {
			break
		}
	}
	return "", ""
}

// covered reports whether an address is in one of the networks.
func covered(networks []netip.Prefix, a ir.Address) bool {
	for _, n := range networks {
		if n.Contains(a.Prefix.Addr()) {
			return true
		}
	}
	return false
}
