package privilege

import (
	"fmt"
	"slices"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

func network(f *File, _ Host) (string, source.Span, bool) {
	if word, at, some := instance(f); some {
		return word, at, true
	}
	for _, v := range f.VirtualServers {
		return "virtual_server", v.Span(), true
	}
	for _, a := range f.StaticAddresses {
		return "static_ipaddress", a.Span(), true
	}
	for _, r := range f.StaticRoutes {
		return "static_routes", r.Span(), true
	}
	for _, r := range f.StaticRules {
		return "static_rules", r.Span(), true
	}
	return "", source.Span{}, false
}

func instance(f *File) (string, source.Span, bool) {
	for _, v := range f.Instances {
		return "vrrp_instance " + v.Name, v.Span(), true
	}
	return "", source.Span{}, false
}

func packets(f *File, h Host) (string, source.Span, bool) {
	if word, at, some := instance(f); some {
		return word, at, true
	}
	for _, a := range f.StaticAddresses {
		return "static_ipaddress", a.Span(), true
	}
	if word, at, some := check(f, func(c *ir.Check) bool {
		_, ping := c.Checker.(*ir.PingCheck)
		return ping && !h.Ping
	}); some {
		return word, at, true
	}
	word, at, some := check(f, func(c *ir.Check) bool { return c.BindIf != "" && !h.Bind })
	return "bind_if of " + word, at, some
}

// check returns the first check that satisfies a condition.
func check(f *File, is func(*ir.Check) bool) (string, source.Span, bool) {
	for _, v := range f.VirtualServers {
		for _, r := range v.RealServers {
			for _, c := range r.Checks {
				if is(c) {
					return c.Checker.Keyword(), c.Span(), true
				}
			}
		}
	}
	return "", source.Span{}, false
}

func namespace(f *File, _ Host) (string, source.Span, bool) {
	if f.NetNamespaceIPVS == nil {
		return "", source.Span{}, false
	}
	var at source.Span
	for _, s := range f.AtStart {
		if s.Path == "net_namespace_ipvs" {
			at = s.Span
		}
	}
	return "net_namespace_ipvs", at, true
}

func ports(f *File, h Host) (string, source.Span, bool) {
	word, at, some := check(f, func(c *ir.Check) bool { return c.BindTo.Port() > 0 && c.BindTo.Port() < h.Port })
	return "bind_port of " + word, at, some
}

func users(f *File, h Host) (string, source.Span, bool) {
	name := ""
	word, at, some := command(f, func(c ir.Command) bool {
		name = c.User.Name
		return h.Other(c.User)
	})
	return fmt.Sprintf("%s as user %s", word, name), at, some
}

func scripts(f *File, _ Host) (string, source.Span, bool) { return Command(f) }

func threads(f *File, h Host) (string, source.Span, bool) {
	g := &f.Global
	for _, name := range []string{"vrrp", "checker", "bfd"} {
		for _, word := range []string{"_rt_priority", "_priority", "_cpu_affinity"} {
			if g.Has(name + word) {
				return name + word, g.At(name + word), true
			}
		}
	}
	if g.MaxAutoPriority > 0 {
		return "max_auto_priority", g.At("max_auto_priority"), true
	}
	word, at, some := network(f, h)
	return word, at, some && g.MaxAutoPriority == 0
}

func memory(f *File, _ Host) (string, source.Span, bool) {
	g := &f.Global
	for _, p := range []struct {
		word string
		set  bool
	}{{"vrrp_no_swap", g.VRRPProcess.NoSwap}, {"checker_no_swap", g.CheckerProcess.NoSwap}, {"bfd_no_swap", g.BFDProcess.NoSwap}} {
		if p.set {
			return p.word, g.At(p.word), true
		}
	}
	return "", source.Span{}, false
}

// pipe returns the first named pipe that satisfies a condition.
func pipe(f *File, is func(ir.FIFO) bool) (string, source.Span, bool) {
	g := &f.Global
	for _, p := range []struct {
		word string
		fifo ir.FIFO
	}{{"notify_fifo", g.NotifyFIFO}, {"vrrp_notify_fifo", g.VRRPNotifyFIFO}, {"lvs_notify_fifo", g.LVSNotifyFIFO}} {
		if p.fifo.Path != "" && is(p.fifo) {
			return p.word, g.At(p.word), true
		}
	}
	return "", source.Span{}, false
}

// made returns the first init_file that satisfies a condition. The new file replaces the old one and keeps its owner.
func made(f *File, is func(path string) bool) (string, source.Span, bool) {
	for _, t := range f.TrackFiles {
		if t.InitFile != nil && is(t.File) {
			return "init_file of track_file " + t.Name, t.At("init_file"), true
		}
	}
	return "", source.Span{}, false
}

func owners(f *File, h Host) (string, source.Span, bool) {
	if word, at, some := pipe(f, func(p ir.FIFO) bool { return h.Other(p.User) }); some {
		return word, at, true
	}
	return made(f, func(path string) bool { a := h.File(path); return a.There && !a.Own })
}

func overrides(f *File, h Host) (string, source.Span, bool) {
	if word, at, some := pipe(f, func(p ir.FIFO) bool { return h.Other(p.User) || !h.File(p.Path).Write }); some {
		return word, at, true
	}
	if word, at, some := made(f, func(path string) bool { return !h.File(path).Write }); some {
		return word, at, true
	}
	g := &f.Global
	if g.ReloadFile != nil && *g.ReloadFile != "" && !h.File(*g.ReloadFile).Write {
		return "reload_file", g.At("reload_file"), true
	}
	if g.ReloadTimeFile != "" && !g.ReloadRepeat && !h.File(g.ReloadTimeFile).Write {
		return "reload_time_file", g.At("reload_time_file"), true
	}
	return command(f, func(c ir.Command) bool { return !h.Other(c.User) && f.Exempt(c) })
}

func reads(f *File, h Host) (string, source.Span, bool) {
	for _, path := range slices.Sorted(f.Read) {
		if !h.File(path).Read {
			return path, source.Span{}, true
		}
	}
	for _, t := range f.TrackFiles { // anybody may create one later
		if a := h.File(t.File); !a.Read || !a.There && t.InitFile == nil {
			return "track_file " + t.Name, t.Span(), true
		}
	}
	if g := &f.Global; g.ReloadTimeFile != "" && !h.File(g.ReloadTimeFile).Read {
		return "reload_time_file", g.At("reload_time_file"), true
	}
	if _, at, some := check(f, func(c *ir.Check) bool {
		x, ok := c.Checker.(*ir.HTTPCheck)
		return ok && x.Client != nil && !(h.File(x.Client.Certificate).Read && h.File(x.Client.Key).Read)
	}); some {
		return "the certificate of SSL", at, true
	}
	word := ""
	if _, at, some := check(f, func(c *ir.Check) bool {
		x, ok := c.Checker.(*ir.HTTPCheck)
		if !ok || x.Verification == nil {
			return false
		}
		if word = "ca of SSL"; x.Verification.CA != "" {
			word = "ca of verify_certificates"
		}
		file := x.Verification.Trusted(x.Client)
		return file != "" && !h.File(file).Read
	}); some {
		return word, at, true
	}
	return command(f, f.Exempt)
}

func processes(f *File, h Host) (string, source.Span, bool) {
	for _, p := range f.TrackProcesses {
		return "vrrp_track_process " + p.Name, p.Span(), h.Hidden
	}
	return "", source.Span{}, false
}
