package ir

import "slices"

// MapCommands returns a copy of the configuration with f(what, c) in place of every command c; what names it for
// people: "script of vrrp_script web". If f returns a command without Args, the command is removed: a vrrp_script
// together with the lines that track it, or a MISC_CHECK, which goes to NotRun. The configuration itself is not
// changed; the copy shares everything that names no command.
func (c *Config) MapCommands(f func(what string, c Command) Command) *Config {
	m := commandMap(f)
	next := *c
	g := &next.Global
	m.each("global_defs", []namedCommand{
		{"startup_script", &g.StartupScript}, {"shutdown_script", &g.ShutdownScript}, {"notify_fifo_script", &g.NotifyFIFOScript},
		{"vrrp_notify_fifo_script", &g.VRRPNotifyFIFOScript}, {"lvs_notify_fifo_script", &g.LVSNotifyFIFOScript},
	})

	next.Scripts = nil
	gone := map[string]bool{} // the first of a name counts; the others do not replace it
	for _, s := range c.Scripts {
		one := *s
		if one.Command.User == (User{}) {
			one.Command.User = one.User
		}
		if m.each("vrrp_script "+s.Name, []namedCommand{{"script", &one.Command}}); len(one.Command.Args) == 0 {
			gone[s.Name] = true
		}
		if !gone[s.Name] {
			next.Scripts = append(next.Scripts, &one)
		}
	}

	groups := map[*SyncGroup]*SyncGroup{}
	next.SyncGroups = slices.Clone(c.SyncGroups)
	for i, s := range c.SyncGroups {
		one := *s
		m.notify("vrrp_sync_group "+s.Name, &one.Notify)
		one.forget(gone)
		next.SyncGroups[i], groups[s] = &one, &one
	}
	next.Instances = slices.Clone(c.Instances)
	for i, v := range c.Instances {
		one, block := *v, "vrrp_instance "+v.Name
		m.notify(block, &one.Notify)
		m.each(block, []namedCommand{{"notify_master_rx_lower_pri", &one.NotifyLowerPriority}, {"notify_deleted", &one.NotifyDeleted}})
		one.forget(gone)
		one.SyncGroup = groups[v.SyncGroup]
		next.Instances[i] = &one
	}
	next.VirtualServers = slices.Clone(c.VirtualServers)
	for i, s := range c.VirtualServers {
		next.VirtualServers[i] = m.service(s)
	}
	return &next
}

// forget removes the lines that track removed scripts.
func (t *Tracked) forget(scripts map[string]bool) {
	t.TrackScripts = slices.DeleteFunc(slices.Clone(t.TrackScripts), func(l Track) bool { return scripts[l.Name] })
}

type commandMap func(what string, c Command) Command

type namedCommand struct {
	keyword string
	at      *Command
}

// each replaces the commands of a block.
func (f commandMap) each(block string, commands []namedCommand) {
	for _, c := range commands {
		if len(c.at.Args) > 0 {
			*c.at = f(c.keyword+" of "+block, *c.at)
		}
	}
}

func (f commandMap) notify(block string, n *Notify) {
	f.each(block, []namedCommand{
		{"notify", &n.Any}, {"notify_master", &n.Master}, {"notify_backup", &n.Backup}, {"notify_fault", &n.Fault}, {"notify_stop", &n.Stop},
	})
}

// pointer returns the replacement of a command that may be nil.
func (f commandMap) pointer(block, keyword string, c *Command) *Command {
	if c == nil {
		return nil
	}
	one := *c
	if f.each(block, []namedCommand{{keyword, &one}}); len(one.Args) == 0 {
		return nil
	}
	return &one
}

func (f commandMap) service(s *VirtualServer) *VirtualServer {
	if s.QuorumUp == nil && s.QuorumDown == nil && s.SorryServer == nil && !slices.ContainsFunc(s.RealServers, (*RealServer).runs) {
		return s
	}
	one, block := *s, "virtual_server "+s.Key.String()
	if s.QuorumAddress == nil { // a command that keepc understands is not run
		one.QuorumUp, one.QuorumDown = f.pointer(block, "quorum_up", s.QuorumUp), f.pointer(block, "quorum_down", s.QuorumDown)
	}
	one.RealServers = slices.Clone(s.RealServers)
	for i, r := range s.RealServers {
		one.RealServers[i] = f.server(r)
	}
	if s.SorryServer != nil {
		one.SorryServer = f.server(s.SorryServer)
	}
	return &one
}

// runs reports whether the block names a command.
func (r *RealServer) runs() bool {
	return r.NotifyUp != nil || r.NotifyDown != nil || slices.ContainsFunc(r.Checks, func(c *Check) bool { _, ok := c.Checker.(*MiscCheck); return ok })
}

func (f commandMap) server(r *RealServer) *RealServer {
	if !r.runs() {
		return r
	}
	one, block := *r, "real_server "+r.Addr.String()
	one.NotifyUp, one.NotifyDown = f.pointer(block, "notify_up", r.NotifyUp), f.pointer(block, "notify_down", r.NotifyDown)
	one.Checks = nil
	for _, c := range r.Checks {
		if old, ok := c.Checker.(*MiscCheck); ok {
			check, misc := *c, *old
			if f.each(block, []namedCommand{{"misc_path", &misc.Command}}); len(misc.Command.Args) == 0 {
				one.NotRun = append(one.NotRun, c)
				continue
			}
			check.Checker = &misc
			c = &check
		}
		one.Checks = append(one.Checks, c)
	}
	return &one
}
