package sim

import (
	"fmt"
	"strconv"

	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/router"
)

// SendAdvert implements router.Handler.
func (n *node) SendAdvert(e router.SendAdvert) { n.world.transmit(n, e) }

// Announce implements router.Handler: every switch of a simulation knows at once where an address is.
func (n *node) Announce(router.Announce) {}

// StartScript implements router.Handler.
func (n *node) StartScript(e router.StartScript) { n.world.runScript(n, e) }

// RoleChanged implements router.Handler.
func (n *node) RoleChanged(e router.RoleChanged) {
	n.roles[e.Instance] = e.Role
	n.changed = append(n.changed, e)
}

// Contested implements router.Handler: scripts and mail are not simulated.
func (n *node) Contested(router.Contested) {}

// RoleRecited implements router.Handler: named pipes are not simulated.
func (n *node) RoleRecited(router.RoleRecited) {}

// GroupChanged implements router.Handler: the trace has the roles of the members.
func (n *node) GroupChanged(router.GroupChanged) {}

// PriorityChanged implements router.Handler.
func (n *node) PriorityChanged(e router.PriorityChanged) {
	n.world.record(Entry{Kind: Priority, Node: n.name, Subject: e.Name, State: fmt.Sprint(e.To), Text: e.Text()})
}

// Remark implements router.Handler.
func (n *node) Remark(e router.Remark) {
	n.world.record(Entry{Kind: Noted, Node: n.name, Subject: e.Subject(), Text: e.Text()})
}

// StartProbe implements balance.Handler.
func (n *node) StartProbe(e balance.StartProbe) { n.world.probe(n, e) }

// Told implements balance.Handler: scripts, named pipes and mail are not simulated.
func (n *node) Told(balance.Told) {}

// ServerChanged implements balance.Handler.
func (n *node) ServerChanged(e balance.ServerChanged) { n.world.record(serverEntry(n.name, e)) }

// WeightChanged implements balance.Handler: the trace has the weights that an operator sets.
func (n *node) WeightChanged(e balance.WeightChanged) {
	if e.Operator {
		n.world.record(Entry{Kind: Server, Node: n.name, Subject: e.Server.String(), State: "weight " + strconv.Itoa(e.Weight), Text: e.Text()})
	}
}

// QuorumChanged implements balance.Handler.
func (n *node) QuorumChanged(e balance.QuorumChanged) {
	n.world.record(quorumEntry(n.name, e))
	n.decided = true
}

// AnnouncementChanged implements balance.Handler.
func (n *node) AnnouncementChanged(e balance.AnnouncementChanged) {
	n.world.record(Entry{Kind: Announcement, Node: n.name, Subject: e.Addr.String(), State: e.Stage.String(), Text: e.Name + ": " + e.Reason})
	n.decided = true
	if e.Stage == state.Withdrawn {
		n.world.plan(&event{rank: arrival, do: func() { n.world.depart(n) }}, n.world.now)
	}
}

// Note implements balance.Handler: it is a line of the log, of things that a simulation has not.
func (n *node) Note(balance.Note) {}
