package notify_test

import (
	"fmt"
	"testing"

	"keepc/compiler/ir"
	"keepc/runtime/notify"
	"keepc/runtime/router"
)

// TestOfRouter checks which scripts and lines keepalived 2.2.7 has for each event.
func TestOfRouter(t *testing.T) {
	script := func(args ...string) ir.Command { return ir.Command{Args: args} }
	scripts := ir.Notify{Any: script("/any", "x"), Master: script("/master"), Backup: script("/backup"), Fault: script("/fault"), Stop: script("/stop")}
	v := &ir.VRRPInstance{Name: "V 1", Notify: scripts, NotifyLowerPriority: script("/lower"), NotifyPriorityChanges: true}
	deleted := &ir.VRRPInstance{Name: "V2", Notify: scripts, NotifyDeleted: script("/deleted"), NotifiesDeleted: true}
	bare, g := &ir.VRRPInstance{Name: "V3"}, &ir.SyncGroup{Name: "G", Notify: scripts}
	change := func(v *ir.VRRPInstance, role string, deleted bool) router.RoleChanged {
		return router.RoleChanged{Name: v.Name, Config: v, Role: role, Priority: 150, Deleted: deleted}
	}
	for _, c := range []struct {
		event router.Effect
		want  string
	}{
		{change(v, "MASTER", false), `[/master] [/any x INSTANCE V 1 MASTER 150] INSTANCE "V 1" MASTER 150`},
		{change(v, "BACKUP", false), `[/backup] [/any x INSTANCE V 1 BACKUP 150] INSTANCE "V 1" BACKUP 150`},
		{change(v, "FAULT", false), `[/fault] [/any x INSTANCE V 1 FAULT 150] INSTANCE "V 1" FAULT 150`},
		{change(v, "STOP", false), `last [/stop] [/any x INSTANCE V 1 STOP 150] INSTANCE "V 1" STOP 150`},
		{change(v, "STOP", true), `[/fault] [/any x INSTANCE V 1 FAULT 150] INSTANCE "V 1" FAULT 150`},
		{change(deleted, "STOP", true), `[/deleted] [/any x INSTANCE V2 DELETED 150] INSTANCE "V2" DELETED 150`},
		{change(bare, "MASTER", false), `INSTANCE "V3" MASTER 150`},
		{router.GroupChanged{Name: "G", Role: "MASTER", Config: g}, `[/master] [/any x GROUP G MASTER 0] GROUP "G" MASTER 0`},
		{router.GroupChanged{Name: "G", Role: "STOP", Config: g}, `last [/stop] [/any x GROUP G STOP 0] GROUP "G" STOP 0`},
		{router.Contested{Config: v, Priority: 150}, `[/lower] INSTANCE "V 1" MASTER_RX_LOWER_PRI 150`},
		{router.PriorityChanged{Name: "V 1", Role: "BACKUP", To: 90, Config: v}, `INSTANCE "V 1" BACKUP_PRIORITY 90`},
		{router.PriorityChanged{Name: "V 1", Role: "BACKUP", To: 90, Config: v, Reload: true}, ``},
		{router.PriorityChanged{Name: "V3", Role: "BACKUP", To: 90, Config: bare}, ``},
		{router.RoleRecited{Group: true, Name: "G", Role: "MASTER"}, `GROUP "G" MASTER 0`}, // fifo_write_vrrp_states_on_reload, without members
		{router.RoleRecited{Name: "V3", Role: "FAULT", Priority: 100}, `INSTANCE "V3" FAULT 100`},
		{router.SendAdvert{}, ``},
	} {
		got := ""
		if x, some := notify.OfRouter(c.event); some {
			if x.Last {
				got += "last "
			}
			for _, s := range x.Scripts {
				got += fmt.Sprintf("%v ", s.Args)
			}
			got += x.Line
		}
		if got != c.want {
			t.Errorf("%v:\n got %s\nwant %s", c.event, got, c.want)
		}
	}
	if fmt.Sprint(scripts.Any.Args) != "[/any x]" {
		t.Error("the configuration changed")
	}
}
