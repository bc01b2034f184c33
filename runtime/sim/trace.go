package sim

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/runtime/balance"
	"keepc/runtime/router"
)

// An Entry is one line of a trace. Fields that do not apply to its kind are empty.
type Entry struct {
	At      Seconds      `json:"at"`
	Kind    Kind         `json:"event"`
	Line    int          `json:"line,omitempty"` // of the script
	Node    string       `json:"node,omitempty"`
	Subject string       `json:"subject,omitempty"` // an instance, real server or service
	State   string       `json:"state,omitempty"`   // MASTER, BACKUP, FAULT, STOP; up, down; reached, lost; met, failed
	Gained  []netip.Addr `json:"gained,omitempty"`
	Lost    []netip.Addr `json:"lost,omitempty"`
	Address []netip.Addr `json:"address,omitempty"` // of a gap or overlap
	Holders []string     `json:"holders,omitempty"`
	For     Seconds      `json:"for,omitempty"`
	Text    string       `json:"text,omitempty"` // why, or what was done
}

// A Kind is the kind of an entry.
type Kind string

const (
	Done         Kind = "do"           // a deed of the script
	Role         Kind = "role"         // an instance changed its role, and addresses came or went with it
	Priority     Kind = "priority"     // the effective priority of an instance changed
	Addresses    Kind = "address"      // addresses came or went without that
	Server       Kind = "server"       // a real server came or went on one node
	Quorum       Kind = "quorum"       // a service lost its quorum or has it again
	Announcement Kind = "announcement" // an announced address goes to another stage
	Noted        Kind = "note"         // a director reports an oddity
	Advert       Kind = "advert"       // an advertisement was sent
	Probe        Kind = "probe"        // a real server was probed
	Expected     Kind = "expect"       // an expectation was judged
	Gap          Kind = "gap"          // no node holds an address from now on
	Overlap      Kind = "overlap"      // several nodes do
)

// Seconds is a time since the start or a duration; in JSON it is a number.
type Seconds time.Duration

// MarshalJSON writes all digits of the time.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// A recorder records what happens.
type recorder struct {
	trace     []Entry
	histories map[netip.Addr]*history
}

func (w *world) record(e Entry) {
	e.At = Seconds(w.now)
	w.trace = append(w.trace, e)
}

func serverEntry(node string, f balance.ServerChanged) Entry {
	e := Entry{Kind: Server, Node: node, Subject: f.Server.String(), State: "down", Text: f.Reason}
	if f.Up {
		e.State = "up"
	}
	return e
}

func quorumEntry(node string, f balance.QuorumChanged) Entry {
	e := Entry{Kind: Quorum, Node: node, Subject: f.Service.String(), State: "reached", Text: f.Reason}
	if f.Lost {
		e.State = "lost"
	}
	return e
}

func advertEntry(node string, a router.SendAdvert) Entry {
	return Entry{Kind: Advert, Node: node, Subject: a.Interface, Text: strings.TrimPrefix(a.String(), "advert on "+a.Interface+": ")}
}

// withAlarms adds the beginnings of gaps and overlaps to a trace. Addresses with the same one share the entry.
func withAlarms(trace []Entry, h History, names []string) []Entry {
	type key struct {
		at, length Seconds
		holders    string
	}
	var alarms []Entry
	place := map[key]int{}
	for _, a := range h {
		for _, s := range a.Spans {
			if s.To-s.From < brief || len(s.Nodes) == 1 {
				continue
			}
			e := Entry{At: Seconds(s.From), Kind: Gap, Holders: pick(names, s.Nodes), For: Seconds(s.To - s.From)}
			if len(s.Nodes) > 1 {
				e.Kind = Overlap
			}
			k := key{e.At, e.For, strings.Join(e.Holders, "+")}
			i, ok := place[k]
			if !ok {
				i = len(alarms)
				place[k], alarms = i, append(alarms, e)
			}
			alarms[i].Address = append(alarms[i].Address, a.Address)
		}
	}
	all := slices.Concat(trace, alarms)
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.At, b.At) })
	return all
}

// pick returns the names of some nodes.
func pick(names []string, nodes []int) (some []string) {
	for _, n := range nodes {
		some = append(some, names[n])
	}
	return some
}

func (e Entry) String() string {
	return fmt.Sprintf("%.3fs %s %s", time.Duration(e.At).Seconds(), e.Kind, strings.TrimSpace(strings.Join([]string{e.Node, e.Subject, e.State, e.Text}, " ")))
}
