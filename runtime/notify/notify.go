// Package notify carries a director's events to the outside: scripts in order, lines in named pipes, and mail.
package notify

import (
	"fmt"

	"keepc/compiler/ir"
	"keepc/runtime/router"
)

// A Subject is what scripts are about. Those of one subject run one after the other, so that a later role never
// overtakes an earlier one.
type Subject struct {
	Kind string // as in scripts and named pipes: "INSTANCE", "GROUP"; for services and servers "VS", "RS"
	Name string
}

// A Telling is what is done about one event: the scripts in order, then the line.
type Telling struct {
	Subject
	Scripts []ir.Command
	Line    string // of the named pipes, without the line end; empty: none
	Mail    *Mail  // nil: none
	Last    bool   // nothing follows about the subject: its scripts have a second, because the director ends
}

// OfRouter returns what is done about an effect of the router machine; false: nothing. The words, their order and what
// runs are those of keepalived 2.2.7.
func OfRouter(e router.Effect) (Telling, bool) {
	switch e := e.(type) {
	case router.RoleChanged:
		return ofRole(e), true
	case router.GroupChanged:
		t := Telling{Subject: Subject{"GROUP", e.Name}, Last: e.Role == "STOP"}
		t.add(ofNotify(&e.Config.Notify, e.Role))
		t.tell(e.Config.Notify.Any, e.Role, 0)
		if e.Config.SMTPAlert {
			t.Mail = ofGroup(e.Name, e.Role)
		}
		return t, true
	case router.Contested:
		t := Telling{Subject: Subject{"INSTANCE", e.Config.Name}}
		t.add(e.Config.NotifyLowerPriority)
		t.tell(ir.Command{}, "MASTER_RX_LOWER_PRI", e.Priority)
		return t, true
	case router.RoleRecited:
		t := Telling{Subject: Subject{"INSTANCE", e.Name}}
		if e.Group {
			t.Kind = "GROUP"
		}
		t.tell(ir.Command{}, e.Role, e.Priority)
		return t, true
	case router.PriorityChanged: // only for named pipes
		t := Telling{Subject: Subject{"INSTANCE", e.Name}}
		t.tell(ir.Command{}, e.Role+"_PRIORITY", e.To)
		return t, e.Config.NotifyPriorityChanges && !e.Reload
	}
	return Telling{}, false
}

func ofRole(e router.RoleChanged) Telling {
	t := Telling{Subject: Subject{"INSTANCE", e.Name}, Last: e.Role == "STOP" && !e.Deleted}
	role, specific := e.Role, ofNotify(&e.Config.Notify, e.Role)
	switch {
	case e.Deleted && e.Config.NotifiesDeleted:
		role, specific = "DELETED", e.Config.NotifyDeleted
	case e.Deleted:
		role, specific = "FAULT", e.Config.Notify.Fault
	}
	t.add(specific)
	t.tell(e.Config.Notify.Any, role, e.Priority)
	if e.Config.SMTPAlert && !e.Deleted {
		t.Mail = ofInstance(e.Name, role)
	}
	return t
}

// ofNotify returns the script of a role.
func ofNotify(n *ir.Notify, role string) ir.Command {
	switch role {
	case "MASTER":
		return n.Master
	case "BACKUP":
		return n.Backup
	case "FAULT":
		return n.Fault
	case "STOP":
		return n.Stop
	}
	return ir.Command{}
}

// add adds a script, if there is one.
func (t *Telling) add(c ir.Command) {
	if len(c.Args) > 0 {
		t.Scripts = append(t.Scripts, c)
	}
}

// tell adds the script of all roles, and the line.
func (t *Telling) tell(any ir.Command, role string, priority uint8) {
	if len(any.Args) > 0 {
		any.Args = append(any.Args[:len(any.Args):len(any.Args)], t.Kind, t.Name, role, fmt.Sprint(priority))
		t.add(any)
	}
	t.Line = fmt.Sprintf(`%s "%s" %s %d`, t.Kind, t.Name, role, priority)
}
