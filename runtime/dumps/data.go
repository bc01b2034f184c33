package dumps

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/router"
	"keepc/runtime/status"
	"keepc/runtime/vrrp"
)

// Data writes keepalived.data: what monitors read of it, the instances, the sync groups and the scripts.
func Data(s status.Snapshot) []byte {
	var b bytes.Buffer
	cfg := s.Routers
	writeGlobals(&b, s)
	b.WriteString("------< VRRP Topology >------\n")
	for _, v := range s.Standings {
		writeInstance(&b, v)
	}
	if len(cfg.SyncGroups) > 0 {
		b.WriteString("------< VRRP Sync groups >------\n")
	}
	for _, g := range cfg.SyncGroups {
		role := ""
		fmt.Fprintf(&b, " VRRP Sync Group = %s", g.Name)
		var members []string
		for _, v := range s.Standings {
			if v.Config.SyncGroup == g {
				role = role + v.Role.String() + " "
				members = append(members, v.Config.Name)
			}
		}
		first, _, _ := strings.Cut(role, " ")
		if strings.Repeat(first+" ", len(members)) != role {
			first = vrrp.Backup.String()
		}
		fmt.Fprintf(&b, ", %s\n   Num member fault 0, num member init 0\n   VRRP member instances :\n", first)
		for _, name := range members {
			fmt.Fprintf(&b, "     %s\n", name)
		}
	}
	if len(s.Scripts) > 0 {
		b.WriteString("------< VRRP Scripts >------\n")
	}
	for _, x := range s.Scripts {
		for _, c := range cfg.Scripts {
			if c.Name == x.Name {
				writeScript(&b, c, x)
				break
			}
		}
	}
	return b.Bytes()
}

func writeInstance(b *bytes.Buffer, s router.Standing) {
	v, master := s.Config, s.Role == vrrp.Master
	line := func(format string, values ...any) { fmt.Fprintf(b, "   "+format+"\n", values...) }
	fmt.Fprintf(b, " VRRP Instance = %s\n", v.Name)
	line("VRRP Version = %d", v.Version)
	line("State = %s", s.Role)
	line("Wantstate = %s", want(s.Role))
	line("Last transition = %s (%s)", instant(s.Since), s.Since.Format("Mon Jan _2 15:04:05.000000 2006"))
	line("Interface = %s", v.Interface)
	if v.SourceAddr.IsValid() {
		line("Using src_ip = %v", v.SourceAddr)
	}
	if group := v.Group(); group.IsValid() {
		line("Multicast address %v", group)
	}
	line("Gratuitous ARP delay = %s", seconds(v.GARPMasterDelay))
	line("Gratuitous ARP repeat = %d", v.GARPMasterRepeat)
	line("Gratuitous ARP refresh = %s", seconds(v.GARPMasterRefresh))
	line("Gratuitous ARP refresh repeat = %d", v.GARPMasterRefreshRepeat)
	line("Gratuitous ARP lower priority delay = %s", seconds(v.GARPLowerPrioDelay))
	line("Gratuitous ARP lower priority repeat = %d", v.GARPLowerPrioRepeat)
	line("Down timer adverts = %d", v.DownTimerAdverts)
	line("Send advert after receive lower priority advert = %v", !v.LowerPrioNoAdvert)
	line("Send advert after receive higher priority advert = %v", v.HigherPrioSendAdvert)
	line("Virtual Router ID = %d", v.VRID)
	line("Priority = %d", v.Priority)
	line("Effective priority = %d", s.Priority)
	line("Total priority = %d", s.Priority)
	if v.Version == 3 {
		line("Advert interval = %d milli-sec", v.AdvertInterval/time.Millisecond)
	} else {
		line("Advert interval = %d sec", v.AdvertInterval/time.Second)
	}
	line("Accept = enabled")
	line("Preempt = %s", map[bool]string{true: "disabled", false: "enabled"}[v.NoPreempt])
	if v.PreemptDelay > 0 {
		line("Preempt delay = %s secs", seconds(v.PreemptDelay))
	}
	if v.Version == 2 {
		line("Authentication type = %s", [...]string{"none", "SIMPLE_PASSWORD", "IPSEC_AH"}[v.Auth.Type])
	}
	if v.Auth.Type != ir.AuthNone {
		line("Password = %s", hidden)
	}
	writeAddresses(b, "Virtual IP", v, master, false)
	writeAddresses(b, "Virtual IP Excluded", v, master, true)
	if len(v.Unicast) > 0 {
		line("Unicast Peer :")
		for _, p := range v.Unicast {
			line("  %v", p.Addr)
		}
	}
	if list := v.TrackScripts; len(list) > 0 {
		line("Tracked scripts :")
		for t := range v.Trackers() {
			if t.Kind == ir.ScriptTracker && t.Weight != nil {
				line("  %s weight %d", t.Name, t.Weight.N)
			}
		}
	}
}

func writeAddresses(b *bytes.Buffer, title string, v *ir.VRRPInstance, set, excluded bool) {
	var lines []string
	for _, a := range v.Addresses {
		if a.Excluded == excluded {
			lines = append(lines, "     "+address(a, set)+"\n")
		}
	}
	if !excluded {
		title = fmt.Sprintf("%s (%d)", title, len(lines))
	} else {
		title += " "
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "   %s:\n%s", title, strings.Join(lines, ""))
	}
}

func writeScript(b *bytes.Buffer, c *ir.Script, x router.ScriptStanding) {
	line := func(format string, values ...any) { fmt.Fprintf(b, "   "+format+"\n", values...) }
	fmt.Fprintf(b, " VRRP Script = %s\n", c.Name)
	line("Command = %s", programOf(&c.Command))
	line("Interval = %s sec", seconds(c.Interval))
	timeout := c.Timeout
	if timeout == c.Interval { // the value of a script that sets none
		timeout = 0
	}
	line("Timeout = %s sec", seconds(timeout))
	line("Weight = %d", c.Weight.N)
	line("Rise = %d", c.Rise)
	line("Fall = %d", c.Fall)
	switch {
	case !x.Status.Known:
		line("Status = INIT")
	case x.Status.Good:
		line("Status = GOOD")
	default:
		line("Status = BAD")
	}
	line("State = idle")
}
