package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// A section is a block of a data dump: "key = value" lines, and lists after a line that ends in a colon.
type section struct {
	name   string
	values map[string]string
	lists  map[string][]string
}

// partsOf reads the parts of a dump with a title such as " VRRP Instance = VI_1".
func partsOf(text, part, title string) (all []*section) {
	_, text, found := strings.Cut(text, "------< "+part+" >------\n")
	if !found {
		return nil
	}
	text, _, _ = strings.Cut(text, "------<")
	s := &section{values: map[string]string{}, lists: map[string][]string{}}
	if title == "" {
		all = append(all, s)
	}
	list := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		key, value, assigned := strings.Cut(strings.TrimSpace(line), " = ")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case title != "" && assigned && key == title:
			s = &section{name: strings.Split(value, ",")[0], values: map[string]string{}, lists: map[string][]string{}}
			all, list = append(all, s), ""
		case indent >= 5 || title == "" && indent == 3:
			s.lists[list] = append(s.lists[list], strings.TrimSpace(line))
		case oddValue.MatchString(line):
			m := oddValue.FindStringSubmatch(line)
			s.values[m[1]] = m[2]
		case strings.HasSuffix(strings.TrimRight(line, " "), ":"):
			list = listName.ReplaceAllString(strings.TrimSpace(line), "")
		case assigned:
			s.values[key] = value
		default:
			s.values[strings.TrimSpace(line)] = "yes"
		}
	}
	return all
}

// oddValue is a value without an equals sign.
var oddValue = regexp.MustCompile(`^ *(Multicast address|Check unicast src)(?: :)? ([^,]+)`)

var listName = regexp.MustCompile(`( \(\d+\))? *:$`)

// A comparison collects what differs.
type comparison struct {
	what string
	got  *section
	all  []string
}

// value compares a value of the dump with ours.
func (c *comparison) value(key string, want any) {
	if w := fmt.Sprint(want); c.got.values[key] != w {
		c.all = append(c.all, fmt.Sprintf("%s: %s: keepalived %q, keepc %q", c.what, key, c.got.values[key], w))
	}
}

// flag compares a line that is present if something is on.
func (c *comparison) flag(key string, want bool) {
	if got := c.got.values[key] != ""; got != want {
		c.all = append(c.all, fmt.Sprintf("%s: %s: keepalived %v, keepc %v", c.what, key, got, want))
	}
}

// list compares the lines of a list, in their order.
func (c *comparison) list(key string, want []string) {
	var got []string
	for _, l := range c.got.lists[key] {
		got = append(got, tidy(l))
	}
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			c.all = append(c.all, fmt.Sprintf("%s: %s: keepalived %q, keepc %q", c.what, key, g, w))
		}
	}
}

// tidy removes from a line what is state and not configuration.
func tidy(line string) string {
	line = strings.TrimSuffix(line, " set")
	line, _, _ = strings.Cut(line, " [installed")
	line = strings.ReplaceAll(line, " preferred_lft forever", "")
	return madeLink.ReplaceAllString(line, "dev ")
}

// madeLink is the macvlan interface before the name of the one below.
var madeLink = regexp.MustCompile(`dev \S+@`)

// differences returns where keepalived and keepc understand a configuration differently.
func differences(cfg *ir.Config, d dump) (all []string) {
	for _, v := range cfg.Instances {
		v.TrackScripts = slices.DeleteFunc(v.TrackScripts, func(t ir.Track) bool { return t.Unknown || slices.Contains(d.disabled, t.Name) })
	}
	each := func(part, title, what string, names []string, compare func(c *comparison, i int)) {
		found := partsOf(d.text, part, title)
		for i, name := range names {
			n := slices.IndexFunc(found, func(s *section) bool { return s.name == name })
			if n < 0 {
				all = append(all, fmt.Sprintf("%s %s: keepalived does not have it", what, name))
				continue
			}
			c := &comparison{what: what + " " + name, got: found[n]}
			found = slices.Delete(found, n, n+1)
			compare(c, i)
			all = append(all, c.all...)
		}
		for _, s := range found {
			all = append(all, fmt.Sprintf("%s %s: keepc does not have it", what, s.name))
		}
	}
	each("VRRP Topology", "VRRP Instance", "instance", namesOf(cfg.Instances, func(v *ir.VRRPInstance) string { return v.Name }),
		func(c *comparison, i int) { c.instance(cfg.Instances[i], cfg) })
	each("VRRP Sync groups", "VRRP Sync Group", "sync group", namesOf(cfg.SyncGroups, func(g *ir.SyncGroup) string { return g.Name }),
		func(c *comparison, i int) { c.group(cfg.SyncGroups[i]) })
	tracked := trackedNames(cfg) // what is not tracked is dropped
	scripts := slices.DeleteFunc(slices.Clone(cfg.Scripts), func(s *ir.Script) bool { return !tracked[s.Name] })
	each("VRRP Scripts", "VRRP Script", "script", namesOf(scripts, func(s *ir.Script) string { return s.Name }),
		func(c *comparison, i int) { c.script(scripts[i]) })
	files := slices.DeleteFunc(slices.Clone(cfg.TrackFiles), func(f *ir.TrackFile) bool { return !tracked[f.Name] })
	each("VRRP Track files", "Track file", "track file", namesOf(files, func(f *ir.TrackFile) string { return f.Name }),
		func(c *comparison, i int) {
			c.value("File", filepath.Clean(files[i].File))
			c.value("Weight", weight(files[i].Weight))
		})
	each("VRRP Track processes", "VRRP Track process", "track process", namesOf(cfg.TrackProcesses, func(p *ir.TrackProcess) string { return p.Name }),
		func(c *comparison, i int) { c.process(cfg.TrackProcesses[i]) })
	if globals := partsOf(d.text, "Global definitions", ""); len(globals) == 1 {
		c := &comparison{what: "global_defs", got: globals[0]}
		c.global(cfg)
		all = append(all, c.all...)
	}
	all = append(all, statics(cfg, d)...)
	return append(all, inJSON(cfg, d)...)
}

// trackedNames are the names of scripts and files that instances and groups track.
func trackedNames(cfg *ir.Config) map[string]bool {
	names := map[string]bool{}
	add := func(lists ...[]ir.Track) {
		for _, t := range slices.Concat(lists...) {
			names[t.Name] = true
		}
	}
	for _, v := range cfg.Instances {
		add(v.TrackScripts, v.TrackFiles)
	}
	for _, g := range cfg.SyncGroups {
		add(g.TrackScripts, g.TrackFiles)
	}
	return names
}

// statics compares what always exists.
func statics(cfg *ir.Config, d dump) (all []string) {
	for _, part := range []struct {
		title string
		want  []string
	}{
		{"Static Addresses", linesOf(cfg.StaticAddresses, addressLine)},
		{"Static Routes", linesOf(cfg.StaticRoutes, routeLine)},
		{"Static Rules", linesOf(cfg.StaticRules, ruleLine)},
	} {
		c := &comparison{what: part.title, got: &section{}}
		if found := partsOf(d.text, part.title, ""); len(found) == 1 {
			c.got = found[0]
		}
		c.list("", part.want)
		all = append(all, c.all...)
	}
	return all
}

// inJSON compares the numbers of instances in keepalived's JSON.
func inJSON(cfg *ir.Config, d dump) (all []string) {
	seen := map[int]bool{} // names may appear twice
	for _, v := range cfg.Instances {
		for n, o := range d.json {
			if o.Data["iname"] != v.Name || seen[n] {
				continue
			}
			seen[n] = true
			for key, want := range map[string]any{
				"vrid": v.VRID, "base_priority": v.Priority, "version": v.Version, "adver_int": v.AdvertInterval.Seconds(),
				"nopreempt": v.NoPreempt, "preempt_delay": v.PreemptDelay.Seconds(), "accept": number(v.Accept),
				"garp_delay": v.GARPMasterDelay.Seconds(), "garp_rep": v.GARPMasterRepeat,
				"garp_refresh": v.GARPMasterRefresh.Seconds(), "garp_refresh_rep": v.GARPMasterRefreshRepeat,
				"garp_lower_prio_delay": v.GARPLowerPrioDelay.Seconds(), "garp_lower_prio_rep": v.GARPLowerPrioRepeat,
				"lower_prio_no_advert": number(v.LowerPrioNoAdvert), "higher_prio_send_advert": number(v.HigherPrioSendAdvert),
				"skip_check_adv_addr": number(v.SkipCheckAdvAddr), "strict_mode": number(v.Strict), "smtp_alert": v.SMTPAlert,
				"promote_secondaries": v.PromoteSecondaries, "dont_track_primary": number(v.DontTrackPrimary),
			} {
				if fmt.Sprint(o.Data[key]) != fmt.Sprint(want) {
					all = append(all, fmt.Sprintf("instance %s: JSON %s: keepalived %v, keepc %v", v.Name, key, o.Data[key], want))
				}
			}
			break
		}
	}
	slices.Sort(all)
	return all
}

func number(on bool) int {
	if on {
		return 1
	}
	return 0
}

func namesOf[T any](list []*T, name func(*T) string) (names []string) {
	for _, t := range list {
		names = append(names, name(t))
	}
	return names
}

func linesOf[T any](list []T, write func(T) string) (lines []string) {
	for _, t := range list {
		lines = append(lines, write(t))
	}
	return lines
}

func (c *comparison) instance(v *ir.VRRPInstance, cfg *ir.Config) {
	c.value("VRRP Version", v.Version)
	link, below, made := strings.Cut(strings.TrimSuffix(c.got.values["Interface"], ", xmit base i/f"), ", vmac on ")
	if made {
		link = below
	}
	c.got.values["Interface"] = link
	c.value("Interface", v.Interface)
	c.flag("Enforcing strict VRRP compliance", v.Strict)
	c.flag("VRRP interface tracking disabled", v.DontTrackPrimary)
	c.flag("Skip checking advert IP addresses", v.SkipCheckAdvAddr)
	if v.SourceAddr.IsValid() {
		c.value("Using src_ip", v.SourceAddr.String()+" (from configuration)")
	}
	c.value("Gratuitous ARP delay", int(v.GARPMasterDelay.Seconds()))
	c.value("Gratuitous ARP repeat", v.GARPMasterRepeat)
	c.value("Gratuitous ARP refresh", int(v.GARPMasterRefresh.Seconds()))
	c.value("Gratuitous ARP refresh repeat", v.GARPMasterRefreshRepeat)
	c.value("Gratuitous ARP lower priority delay", int(v.GARPLowerPrioDelay.Seconds()))
	c.value("Gratuitous ARP lower priority repeat", v.GARPLowerPrioRepeat)
	c.value("Down timer adverts", v.DownTimerAdverts)
	c.value("Send advert after receive lower priority advert", !v.LowerPrioNoAdvert)
	c.value("Send advert after receive higher priority advert", v.HigherPrioSendAdvert)
	c.value("Virtual Router ID", v.VRID)
	c.value("Priority", v.Priority)
	// The fault of something tracked hides the configured role; a group, the first result of a script, and an election
	// that was won before a busy machine requested the dump change it.
	won := c.got.values["State"] == "MASTER" && v.State == ir.Backup
	if !won && c.got.values["Wantstate"] != "FAULT" && c.got.values["Sync group"] == "" && len(v.TrackScripts) == 0 {
		c.value("Wantstate", v.State)
	}
	if v.Version == 3 {
		c.value("Advert interval", fmt.Sprintf("%d milli-sec", v.AdvertInterval.Milliseconds()))
	} else {
		c.value("Advert interval", fmt.Sprintf("%d sec", int(v.AdvertInterval.Seconds())))
		auth := map[ir.AuthType]string{ir.AuthNone: "none", ir.AuthPass: "SIMPLE_PASSWORD", ir.AuthAH: "IPSEC_AH"}[v.Auth.Type]
		c.value("Authentication type", auth)
		if v.Auth.Type == ir.AuthPass && c.got.values["Password"] != v.Auth.Pass.Reveal() {
			c.all = append(c.all, c.what+": the passwords differ")
		}
	}
	c.value("Accept", able(v.Accept))
	c.value("Preempt", able(!v.NoPreempt))
	if v.PreemptDelay > 0 {
		c.value("Preempt delay", strconv.FormatFloat(v.PreemptDelay.Seconds(), 'f', -1, 64)+" secs")
	}
	c.value("Promote_secondaries", able(v.PromoteSecondaries))
	var plain, excluded []ir.Address
	for _, a := range v.Addresses {
		if a.Excluded {
			excluded = append(excluded, a)
		} else {
			plain = append(plain, a)
		}
	}
	c.list("Virtual IP", linesOf(plain, addressLine))
	c.list("Virtual IP Excluded", linesOf(excluded, addressLine))
	c.list("Virtual Routes", linesOf(v.Routes, routeLine))
	c.list("Virtual Rules", linesOf(v.Rules, ruleLine))
	c.list("Unicast Peer", linesOf(v.Unicast, func(p ir.UnicastPeer) string {
		return fmt.Sprintf("%s min_ttl %d max_ttl %d", p.Addr, p.MinTTL, p.MaxTTL)
	}))
	if len(v.Unicast) > 0 {
		c.value("Check unicast src", yesNo(v.CheckUnicastSource))
	} else {
		c.value("Multicast address", v.MulticastGroup)
	}
	c.tracks(v.TrackInterfaces, v.TrackScripts, v.TrackFiles, v.TrackProcesses)
	c.value("Using smtp notification", yesNo(v.SMTPAlert))
	deleted := "Fault"
	if v.NotifiesDeleted {
		deleted = "Deleted"
	}
	c.value("Notify deleted", deleted)
	c.value("Notify priority changes", v.NotifyPriorityChanges)
	c.notify(v.Notify)
	c.command("Master rx lower pri script", v.NotifyLowerPriority)
	group := ""
	for _, g := range cfg.SyncGroups {
		for _, m := range g.Members {
			if m.Text == v.Name {
				group = g.Name
			}
		}
	}
	c.value("Sync group", group)
}

func (c *comparison) tracks(interfaces, scripts, files, processes []ir.Track) {
	line := func(separator string) func(ir.Track) string {
		return func(t ir.Track) string { return t.Name + separator + "weight " + weight(*t.Weight) }
	}
	c.list("Tracked interfaces", linesOf(interfaces, line(" ")))
	c.list("Tracked scripts", linesOf(scripts, line(" ")))
	c.list("Tracked files", linesOf(files, line(", ")))
	c.list("Tracked processes", linesOf(processes, line(", ")))
}

func (c *comparison) notify(n ir.Notify) {
	c.command("Generic state transition script", n.Any)
	c.command("Master state transition script", n.Master)
	c.command("Backup state transition script", n.Backup)
	c.command("Fault state transition script", n.Fault)
	c.command("Stop state transition script", n.Stop)
}

// command compares a script: its program by its base name, because keepalived resolves links, and all arguments.
func (c *comparison) command(key string, want ir.Command) {
	if got, w := shortProgram(c.got.values[key]), inQuotes(want.Args); got != w {
		c.all = append(c.all, fmt.Sprintf("%s: %s: keepalived %s, keepc %s", c.what, key, got, w))
	}
	if _, ids, told := strings.Cut(c.got.values[key], "uid:gid "); told && len(want.Args) > 0 {
		c.account(key, ids, want.User)
	}
}

// account compares the user of a script, if that is one of those that every Debian has.
func (c *comparison) account(key, ids string, want ir.User) {
	known := map[string]string{"root": "0:0", "daemon": "1:1", "nobody": "65534:65534"}
	if w := known[want.Name]; w != "" && want.Group == "" && ids != w {
		c.all = append(c.all, fmt.Sprintf("%s: %s: keepalived runs it as %s, keepc as %s", c.what, key, ids, want.Name))
	}
}

func shortProgram(text string) string {
	text, _, _ = strings.Cut(text, ", uid:gid")
	program, rest, _ := strings.Cut(strings.TrimPrefix(text, "'"), "'")
	if program == "" {
		return ""
	}
	return "'" + filepath.Base(program) + "'" + rest
}

func inQuotes(args []string) string {
	if len(args) == 0 {
		return ""
	}
	words := []string{"'" + filepath.Base(args[0]) + "'"}
	for _, a := range args[1:] {
		words = append(words, "'"+a+"'")
	}
	return strings.Join(words, " ")
}

func (c *comparison) group(g *ir.SyncGroup) {
	c.list("VRRP member instances", linesOf(g.Members, func(n ir.Name) string { return n.Text }))
	c.flag("sync group tracking weight set", g.TrackingWeight)
	c.value("Using smtp notification", yesNo(g.SMTPAlert))
	c.tracks(g.TrackInterfaces, g.TrackScripts, g.TrackFiles, g.TrackProcesses)
	c.notify(g.Notify)
}

func (c *comparison) script(s *ir.Script) {
	c.command("Command", s.Command)
	c.account("Command", c.got.values["Script uid:gid"], s.User)
	c.value("Interval", inSeconds(s.Interval))
	if c.got.values["Timeout"] != "0 sec" { // it uses the interval then
		c.value("Timeout", inSeconds(s.Timeout))
	}
	c.value("Weight", weight(s.Weight))
	c.value("Rise", s.Rise)
	c.value("Fall", s.Fall)
}

func (c *comparison) process(p *ir.TrackProcess) {
	c.value("Process", p.Process[0])
	c.value("Min processes", p.Quorum)
	c.value("Weight", weight(p.Weight))
	c.value("Terminate delay", fmt.Sprintf("%.6fs", p.TerminateDelay.Seconds()))
	c.value("Fork delay", fmt.Sprintf("%.6fs", p.ForkDelay.Seconds()))
	c.value("Full command", p.FullCommand)
}

func inSeconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " sec"
}

func weight(w ir.Weight) string {
	if w.Reverse {
		return strconv.Itoa(w.N) + " reverse"
	}
	return strconv.Itoa(w.N)
}

func able(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

func (c *comparison) global(cfg *ir.Config) {
	g := &cfg.Global
	router := g.RouterID
	if router == "" {
		router = dumpHost
	}
	c.value("Router ID", router)
	c.value("Default interface", g.DefaultInterface)
	c.value("Dynamic interfaces", g.DynamicInterfaces)
	c.value("VRRP IPv4 mcast group", g.MulticastGroup4)
	c.value("VRRP IPv6 mcast group", g.MulticastGroup6)
	c.value("Gratuitous ARP delay", int(g.GARPMasterDelay.Seconds()))
	c.value("Gratuitous ARP repeat", g.GARPMasterRepeat)
	c.value("Gratuitous ARP refresh timer", int(g.GARPMasterRefresh.Seconds()))
	c.value("Gratuitous ARP refresh repeat", g.GARPMasterRefreshRepeat)
	c.value("Gratuitous ARP lower priority delay", int(g.GARPLowerPrioDelay.Seconds()))
	c.value("Gratuitous ARP lower priority repeat", g.GARPLowerPrioRepeat)
	c.value("Num adverts before down", g.DownTimerAdverts)
	c.value("Send advert after receive lower priority advert", !g.LowerPrioNoAdvert)
	c.value("Send advert after receive higher priority advert", g.HigherPrioSendAdvert)
	c.value("Gratuitous ARP interval", fmt.Sprintf("%.6f", g.GARPInterval.Seconds()))
	c.value("Gratuitous NA interval", fmt.Sprintf("%.6f", g.GNAInterval.Seconds()))
	c.value("VRRP default protocol version", g.Version)
	c.value("VRRP check unicast_src", g.CheckUnicastSource)
	c.value("VRRP skip check advert addresses", g.SkipCheckAdvAddr)
	c.value("VRRP strict mode", g.Strict)
	if g.MaxAutoPriority >= 0 {
		c.value("Max auto priority", g.MaxAutoPriority)
	} else {
		c.value("Max auto priority", "Disabled")
	}
	c.value("Min auto priority delay", fmt.Sprintf("%d usecs", g.MinAutoPriorityDelay.Microseconds()))
	for name, p := range map[string]ir.Process{"VRRP": g.VRRPProcess, "Checker": g.CheckerProcess, "BFD": g.BFDProcess} {
		c.value(name+" process priority", p.Priority)
		c.value(name+" don't swap", p.NoSwap)
		c.value(name+" realtime priority", p.RTPriority)
		c.value(name+" realtime limit", p.RLimitRTTime.Microseconds())
	}
	c.value("VRRP notify priority changes", g.NotifyPriorityChanges)
	c.value("FIFO write vrrp states on reload", g.FIFOWriteStatesOnReload)
	c.value("Checkers log all failures", g.CheckerLogAllFailures)
	c.value("LVS flush", g.LVSFlush)
	c.value("rs_init_notifies", number(g.RSInitNotifies))
	c.value("no_checker_emails", number(g.NoCheckerEmails))
	c.value("rx_bufs_multiples", g.RxBufsMultiplier)
	for key, alert := range map[string]*bool{
		"Default smtp_alert": g.SMTPAlert, "Default smtp_alert_vrrp": g.SMTPAlertVRRP, "Default smtp_alert_checker": g.SMTPAlertChecker,
	} {
		want := "unset"
		if alert != nil {
			want = map[bool]string{true: "on", false: "off"}[*alert]
		}
		c.value(key, want)
	}
	security := map[bool]string{true: "Script security enabled", false: "Script security disabled"}
	c.flag(security[g.ScriptSecurity], true)
	if path := g.VRRPNotifyFIFO.Path; path != "" && len(g.VRRPNotifyFIFOScript.Args) > 0 {
		script := g.VRRPNotifyFIFOScript
		script.Args = append(slices.Clone(script.Args), path)
		c.command("VRRP notify fifo script", script)
	}
	if g.StartupDelay > 0 {
		c.value("vrrp_startup_delay", strconv.FormatFloat(g.StartupDelay.Seconds(), 'f', -1, 64))
	}
	if g.SMTPServer.Host != "" { // without a server it does not show it
		c.list("Email notification to", linesOf(g.Recipients, func(n ir.Name) string { return n.Text }))
	}
}
