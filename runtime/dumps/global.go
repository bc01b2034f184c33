package dumps

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/status"
)

// Parent writes keepalived_parent.data: the global definitions.
func Parent(s status.Snapshot) []byte {
	var b bytes.Buffer
	writeGlobals(&b, s)
	return b.Bytes()
}

// writeGlobals writes what global_defs says, as far as keepc does something about it.
func writeGlobals(b *bytes.Buffer, s status.Snapshot) {
	cfg := s.Routers
	g := cfg.Global
	line := func(format string, values ...any) { fmt.Fprintf(b, " "+format+"\n", values...) }
	where := func(there bool, format string, values ...any) {
		if there {
			line(format, values...)
		}
	}
	b.WriteString("------< Global definitions >------\n")
	line("Network namespace = %s", cmp.Or(cfg.NetNamespace, "(default)"))
	if other := cfg.NetNamespaceIPVS; other == nil {
		line("Network namespace ipvs = (main namespace)")
	} else {
		where(*other != "", "Network namespace ipvs = %s", *other)
	}
	line("Router ID = %s", cmp.Or(g.RouterID, s.Host))
	line("Checkers log all failures = %v", g.CheckerLogAllFailures)
	line("Dynamic interfaces = %v", g.DynamicInterfaces)
	line("Disable local IGMP = %s", yesNo(g.DisableLocalIGMP))
	line("LVS flush = %v", g.LVSFlush)
	where(g.LVSFlushOnStop == "", "LVS flush on stop = disabled")
	line("FIFO write vrrp states on reload = %v", g.FIFOWriteStatesOnReload)
	line("VRRP notify priority changes = %v", g.NotifyPriorityChanges)
	four, six := ir.MulticastGroup(false), ir.MulticastGroup(true)
	if g.MulticastGroup4.IsValid() {
		four = g.MulticastGroup4
	}
	if g.MulticastGroup6.IsValid() {
		six = g.MulticastGroup6
	}
	line("VRRP IPv4 mcast group = %v", four)
	line("VRRP IPv6 mcast group = %v", six)
	line("Gratuitous ARP delay = %d", g.GARPMasterDelay/time.Second)
	line("Gratuitous ARP repeat = %d", g.GARPMasterRepeat)
	line("Gratuitous ARP refresh timer = %d", g.GARPMasterRefresh/time.Second)
	line("Gratuitous ARP refresh repeat = %d", g.GARPMasterRefreshRepeat)
	line("Num adverts before down = %d", g.DownTimerAdverts)
	line("Send advert after receive lower priority advert = %v", !g.LowerPrioNoAdvert)
	line("Send advert after receive higher priority advert = %v", g.HigherPrioSendAdvert)
	line("VRRP default protocol version = %d", g.Version)
	line("VRRP check unicast_src = %v", g.CheckUnicastSource)
	line("VRRP skip check advert addresses = %v", g.SkipCheckAdvAddr)
	line("VRRP strict mode = %v", g.Strict)
	line("Script security %s", choose(g.ScriptSecurity, "enabled", "disabled"))
	line("umask = 0%o", g.FileMask())
}
