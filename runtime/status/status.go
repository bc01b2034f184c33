// Package status lets a running director answer for itself: with a small document on a unix socket.
//
// The socket is abstract: it belongs to the network namespace, as the addresses and virtual servers do, and ends with
// the director. So no file is left behind, there is one director per namespace, and a plan in a namespace asks the
// director of that namespace. Abstract sockets have no permissions: both ends check who the other one is, and trust
// only root and their own user.
package status

import (
	"net/netip"
	"slices"
	"time"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/runtime/balance"
	"keepc/runtime/bfd"
	"keepc/runtime/health"
	"keepc/runtime/kernel"
	"keepc/runtime/reconcile"
	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// Socket is where the director of a network namespace answers.
const Socket = "@keepc"

// Version is the version of the document; it grows when a field changes its meaning or is removed.
const Version = 1

// A Document is what a director says about itself.
type Document struct {
	Version int    `json:"version"`
	Error   string `json:"error,omitempty"` // why the rest is missing

	At        time.Time  `json:"at"` // when it was written
	PID       int        `json:"pid"`
	File      string     `json:"file"`
	Started   time.Time  `json:"started"`
	Since     time.Time  `json:"since"`            // of the configuration in force
	Reload    *Reload    `json:"reload,omitempty"` // the last one
	Instances []Instance `json:"instances"`
	Services  []Service  `json:"services"`
	// Announcements are the addresses that .keepc.conf announces.
	Announcements []Announcement `json:"announcements,omitempty"`
	Scripts       []Script       `json:"scripts"` // the vrrp_scripts that instances track
	Sessions      []Session      `json:"bfd_sessions"`
	// Statistics are those of the whole director since its start.
	Statistics Statistics `json:"statistics"`
	// Configuration is the text in force after includes and definitions, with its secrets; only for clients that ask
	// for it.
	Configuration []byte `json:"configuration,omitempty"`
	// AtStart are the settings that this process keeps until it ends, by keyword.
	AtStart  map[string]string `json:"at_start"`
	Faults   []string          `json:"faults"`   // the errors of the file in force, with their consequences
	Unread   []string          `json:"unread"`   // its includes that brought in nothing
	Problems []string          `json:"problems"` // what the kernel refuses and is being retried
	// NotEnforced is what the director does not do yet of the file in force, with the consequences: one line for each
	// reason.
	NotEnforced []string `json:"not_enforced"`
	// Made are the addresses, routes, rules and virtual servers that the director made and would remove, by their
	// names in a plan. The real servers of a virtual server go with it.
	Made []string `json:"made"`
	// Kinds is the state of the objects of each kind, with what happened to them since the start; NotInPlace are those
	// that are not in the kernel as the director wants them.
	Kinds      []reconcile.Kind   `json:"kinds"`
	NotInPlace []reconcile.Object `json:"not_in_place"`
	// Events are the director's last events, the oldest first.
	Events []Event `json:"events"`
}

// An Event is an event of a director: a line of its log.
type Event struct {
	At      time.Time      `json:"at"`
	Level   string         `json:"level"` // INFO, WARN or ERROR
	Subject string         `json:"subject"`
	Text    string         `json:"text"`
	Fields  map[string]any `json:"fields,omitempty"` // the same for programs: instance, role, priority, reason, server, service, …
}

// EventVersion is that of a Line; it grows when a field changes its meaning or goes.
const EventVersion = 1

// A Line is an Event as who follows a director gets it.
type Line struct {
	Version int `json:"version"`
	Event
}

// A Reload is a requested reload.
type Reload struct {
	At      time.Time `json:"at"`
	Refused string    `json:"refused,omitempty"` // one finding per line; empty: it was done
}

// An Instance is a virtual router.
type Instance struct {
	Name      string    `json:"name"`
	Interface string    `json:"interface"`
	VRID      uint8     `json:"virtual_router_id"`
	Twin      int       `json:"twin,omitzero"` // its number among those with this VRID on the interface and different peers
	IPv6      bool      `json:"ipv6"`
	Role      string    `json:"role"` // INIT, BACKUP, MASTER or FAULT
	Since     time.Time `json:"since"`
	Why       string    `json:"why"`
	Priority  uint8     `json:"priority"`               // the effective one
	Sum       string    `json:"priority_sum,omitempty"` // such as "100 + 20 (script web)"
	Master    *Master   `json:"master,omitempty"`       // the router that a BACKUP last heard
	Addresses []string  `json:"addresses"`              // of the virtual router, whoever holds them
	// Statistics are those since a configuration first named it.
	Statistics vrrp.Statistics `json:"statistics"`
	// Dropped are the routers whose advertisements are dropped, at most the last eight.
	Dropped []Dropped `json:"dropped"`
	// Conditions are the states that differ from the intention, with the router that is the cause: two masters, and
	// the causes of two masters.
	Conditions []Condition `json:"conditions"`
}

// A Condition is such a state. It is over when it is no longer seen.
type Condition struct {
	Name  string     `json:"condition"` // such as "dual master", "one-way", "foreign cluster", "wrong password", "other version"
	Peer  netip.Addr `json:"peer"`      // for a duplicate address: that address; the cause names the MAC address of the other holder
	Cause string     `json:"cause"`
	Since time.Time  `json:"since"`
	Last  time.Time  `json:"last"`
	Count uint64     `json:"count"` // of the packets that showed it
}

// A Master is a router that advertises.
type Master struct {
	Address  netip.Addr `json:"address"`
	Priority uint8      `json:"priority"`
}

// A Dropped is a router whose advertisements an instance drops. A router that is heard again is removed.
type Dropped struct {
	Peer  netip.Addr `json:"peer"`
	Why   string     `json:"why"` // of the last one
	Since time.Time  `json:"since"`
	Last  time.Time  `json:"last"`
	Count uint64     `json:"count"`
}

// Statistics are the counters of a director. Those in RFC 8347 have its names.
type Statistics struct {
	ChecksumErrors uint64 `json:"checksum-errors"`
	VersionErrors  uint64 `json:"version-errors"`
	VRIDErrors     uint64 `json:"vrid-errors"` // without those that the kernel drops, which are most of them
	IPTTLErrors    uint64 `json:"ip-ttl-errors"`
	Checks         Checks `json:"checks"` // of all servers in the configuration
	Reloads        uint64 `json:"reloads"`
	ReloadsRefused uint64 `json:"reloads-refused"`
	NotesLost      uint64 `json:"notes-lost"` // because the log was too slow
}

// Checks are the counters of health checks.
type Checks struct {
	Done         uint64  `json:"done"`
	Failed       uint64  `json:"failed"`
	Inconclusive uint64  `json:"inconclusive"`
	Seconds      float64 `json:"seconds"` // of all checks together
}

// A Script is a vrrp_script.
type Script struct {
	Name     string `json:"name"`
	Known    bool   `json:"known"` // it has a result
	Good     bool   `json:"good"`
	Runs     uint64 `json:"runs"`
	Failures uint64 `json:"failures"`
}

// A Session is a BFD session. Its counters have the names of RFC 9314.
type Session struct {
	Name     string    `json:"name"`
	Neighbor string    `json:"neighbor"`
	State    string    `json:"state"` // AdminDown, Down, Init or Up
	Since    time.Time `json:"since"`
	// Diagnostics are those of RFC 5880, such as "Control Detection Time Expired"; empty: none.
	Diagnostic       string `json:"local-diagnostic,omitempty"`
	RemoteState      string `json:"remote-state"`
	RemoteDiagnostic string `json:"remote-diagnostic,omitempty"`
	// Discriminators; 0: the neighbour's is unknown.
	Local  uint32 `json:"local-discriminator"`
	Remote uint32 `json:"remote-discriminator"`
	// Seconds; 0: nothing was heard.
	DetectionTime    float64 `json:"detection-time"`
	TransmitInterval float64 `json:"negotiated-tx-interval"`
	Received         uint64  `json:"receive-packet-count"`
	Sent             uint64  `json:"send-packet-count"`
	Invalid          uint64  `json:"receive-invalid-packet-count"`
	Ups              uint64  `json:"session-up-count"`
	Downs            uint64  `json:"session-down-count"`
}

func newSession(s bfd.Standing) Session {
	diagnostic := func(d bfd.Diagnostic) string {
		if d == bfd.NoDiagnostic {
			return ""
		}
		return d.String()
	}
	return Session{
		Name: s.Config.Name, Neighbor: s.Config.Neighbor.String(), State: s.State.String(), Since: s.Since, Diagnostic: diagnostic(s.Diagnostic),
		RemoteState: s.Remote.String(), RemoteDiagnostic: diagnostic(s.RemoteDiagnostic), Local: s.LocalDiscr, Remote: s.RemoteDiscr,
		DetectionTime: s.DetectionTime.Seconds(), TransmitInterval: s.TransmitInterval.Seconds(),
		Received: s.Statistics.ReceivePacketCount, Sent: s.Statistics.SendPacketCount, Invalid: s.Statistics.ReceiveInvalidPacketCount,
		Ups: s.Statistics.UpCount, Downs: s.Statistics.DownCount,
	}
}

// A Service is a virtual server.
type Service struct {
	Name    string   `json:"name"` // such as "tcp 10.0.0.3:80"
	Quorum  uint32   `json:"quorum"`
	Lost    bool     `json:"quorum_lost"`
	Traffic *Traffic `json:"traffic,omitempty"` // since it was added to the kernel; nil: the kernel does not report it
	Servers []Server `json:"real_servers"`
}

// An Announcement is an address that a routing engine announces.
type Announcement struct {
	Name       string     `json:"name"`
	Address    netip.Addr `json:"address"`
	Table      uint32     `json:"table"`
	DrainTable uint32     `json:"drain_table,omitempty"`
	Stage      string     `json:"stage"` // withdrawn, announced, moving or draining
	Why        string     `json:"why"`
}

// A Server is a real server of a virtual server.
type Server struct {
	Address netip.AddrPort `json:"address"`
	Weight  int            `json:"weight"`
	Up      bool           `json:"up"`
	Cause   string         `json:"cause,omitempty"` // why it is down
	// NotChecked are the keywords of the checks that the file asks for and keepc does not make.
	NotChecked []string `json:"not_checked,omitempty"`
	Checks     Checks   `json:"checks"`
	// CertificateEnds is when the certificate ends that the server showed to SSL_GET; of several, the first. CertificateEndsSoon says that the
	// server will be down then, and that this is soon.
	CertificateEnds     time.Time `json:"certificate_ends,omitzero"`
	CertificateEndsSoon bool      `json:"certificate_ends_soon,omitempty"`
	// FileWeight is the weight in the file, if a check set a different one.
	FileWeight *int `json:"file_weight,omitempty"`
	// Assigned says that an operator set the weight. Then FileWeight is present, and so is Connections, if the kernel
	// reports them.
	Assigned    bool         `json:"assigned,omitempty"`
	Connections *Connections `json:"connections,omitempty"`
	Traffic     *Traffic     `json:"traffic,omitempty"` // since it was added to the kernel; nil: the kernel does not report it, or it is absent
}

// Traffic is what IPVS counts for a service or a real server. Answers are counted only with NAT: otherwise they do not
// pass through it.
type Traffic struct {
	Connections uint64 `json:"connections"`
	PacketsIn   uint64 `json:"packets_in"`
	PacketsOut  uint64 `json:"packets_out"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
}

// trafficOf returns what was counted for one of many.
func trafficOf[K comparable](all map[K]kernel.Traffic, k K) *Traffic {
	t, counted := all[k]
	if !counted {
		return nil
	}
	return (*Traffic)(&t)
}

// Connections are those that the kernel remembers for a real server.
type Connections struct {
	Active     uint32 `json:"active"`     // established
	Inactive   uint32 `json:"inactive"`   // in any other state
	Persistent uint32 `json:"persistent"` // templates of clients that return to this server
}

// A Snapshot is what the loops of a director hand over for a Document: little enough to collect between two
// advertisements.
type Snapshot struct {
	First *ir.Config // that the director started with

	// Of the router machine.
	Standings  []router.Standing
	Scripts    []router.ScriptStanding
	VRIDErrors uint64
	Routers    *ir.Config     // its instances, groups and scripts
	Host       string         // the name of this machine; empty: unknown
	Sessions   []bfd.Standing // of the BFD machine

	// Of the balance machine.
	Config    *ir.Config // its virtual servers
	Situation state.Situation
	Checks    map[state.DestinationKey]health.Statistics
	// Certificates are those that servers showed to SSL_GET.
	Certificates map[state.DestinationKey]balance.Ending
	Busy         map[state.DestinationKey]Connections // of the servers that an operator gave a weight

	Traffic kernel.Traffics

	At       time.Time
	Started  time.Time
	Since    time.Time
	Reload   *Reload
	Faults   []string
	Unread   []string
	Problems []string
	Made     []state.Key
	Objects  []reconcile.Report // of the parts of the kernel
	Events   []Event

	Reloads, ReloadsRefused, NotesLost uint64
}

// Document formats the snapshot.
func (s Snapshot) Document(file string, pid int) Document {
	d := Document{
		Version: Version, At: s.At, PID: pid, File: file, Started: s.Started, Since: s.Since, Reload: s.Reload,
		Instances: []Instance{}, Services: []Service{}, Scripts: []Script{}, Sessions: []Session{}, AtStart: map[string]string{},
		Faults: append([]string{}, s.Faults...), Unread: append([]string{}, s.Unread...), Problems: append([]string{}, s.Problems...), Made: []string{},
		NotEnforced: append([]string{}, report.Unenforced(s.Config.NotEnforced)...),
	}
	d.Kinds, d.NotInPlace, d.Events = []reconcile.Kind{}, []reconcile.Object{}, append([]Event{}, s.Events...)
	for _, r := range s.Objects {
		d.Kinds, d.NotInPlace = append(d.Kinds, r.Kinds...), append(d.NotInPlace, r.Objects...)
	}
	for _, a := range s.First.AtStart {
		d.AtStart[a.Path] = a.Value
	}
	for _, k := range s.Made {
		if kind := state.KindOf(k); kind != nil && kind.Recorded() {
			d.Made = append(d.Made, k.String())
		}
	}
	slices.Sort(d.Made)
	for _, r := range s.Standings {
		k := r.Config.Key()
		var master *Master
		if r.Master.IsValid() {
			master = &Master{r.Master, r.MasterPriority}
		}
		d.Instances = append(d.Instances, Instance{
			Name: r.Config.Name, Interface: k.Interface, VRID: k.VRID, Twin: k.Twin, IPv6: k.IPv6,
			Role: r.Role.String(), Since: r.Since, Why: r.Why(), Priority: r.Priority, Sum: r.Sum.String(), Master: master, Statistics: r.Statistics,
			Addresses: addresses(r.Config), Dropped: dropped(r.Unheard), Conditions: conditions(r.Conditions),
		})
		d.Statistics.ChecksumErrors += r.Statistics.ChecksumErrors
		d.Statistics.VersionErrors += r.Statistics.VersionErrors
		d.Statistics.IPTTLErrors += r.Statistics.IPTTLErrors
	}
	for _, x := range s.Sessions {
		d.Sessions = append(d.Sessions, newSession(x))
	}
	for _, x := range s.Scripts {
		d.Scripts = append(d.Scripts, Script{x.Name, x.Status.Known, x.Status.Good, x.Counts.Runs, x.Counts.Failures})
	}
	d.Statistics.VRIDErrors, d.Statistics.Reloads, d.Statistics.ReloadsRefused = s.VRIDErrors, s.Reloads, s.ReloadsRefused
	d.Statistics.NotesLost = s.NotesLost
	var checks health.Statistics
	for _, v := range s.Config.VirtualServers {
		service := Service{Name: v.Key.String(), Quorum: v.Quorum, Lost: s.Situation.NoQuorum[v.Key], Traffic: trafficOf(s.Traffic.Services, v.Key), Servers: []Server{}}
		for _, r := range v.RealServers {
			k := state.DestinationKey{Service: v.Key, Server: r.Addr}
			cause, down := s.Situation.Down[k]
			checks = checks.Plus(s.Checks[k])
			server := Server{
				Address: r.Addr, Weight: r.Weight, Up: !down, Cause: cause, NotChecked: notChecked(r), Checks: newChecks(s.Checks[k]),
				CertificateEnds: s.Certificates[k].At, CertificateEndsSoon: s.Certificates[k].Soon, Traffic: trafficOf(s.Traffic.Servers, k),
			}
			if weight, set := s.Situation.Weight[k]; set {
				server.Weight, server.FileWeight = weight, &r.Weight
			}
			if weight, assigned := s.Situation.Assigned[k]; assigned {
				server.Weight, server.FileWeight, server.Assigned = weight, &r.Weight, true
				if busy, known := s.Busy[k]; known {
					server.Connections = &busy
				}
			}
			service.Servers = append(service.Servers, server)
		}
		d.Services = append(d.Services, service)
	}
	d.Statistics.Checks = newChecks(checks)
	for _, a := range s.Config.Announced() {
		now := s.Situation.Announced[a.Addr]
		d.Announcements = append(d.Announcements, Announcement{a.Name.Text, a.Addr, a.Table, a.DrainTable, now.Stage.String(), now.Why})
	}
	return d
}

func addresses(v *ir.VRRPInstance) []string {
	all := []string{}
	for _, a := range v.Addresses {
		all = append(all, a.Prefix.String())
	}
	return all
}

func conditions(list []vrrp.Condition) []Condition {
	all := []Condition{}
	for _, c := range list {
		all = append(all, Condition{c.Kind.String(), c.Peer, c.Cause(), c.First, c.Last, c.Count})
	}
	return all
}

func dropped(list []vrrp.Unheard) []Dropped {
	all := []Dropped{}
	for _, u := range list {
		all = append(all, Dropped{u.Peer, u.Drop.Error(), u.First, u.Last, u.Count})
	}
	return all
}

func newChecks(s health.Statistics) Checks {
	return Checks{s.Checks, s.Failures, s.Inconclusive, s.Duration.Seconds()}
}

// notChecked lists the keywords of the checks of a real server that are not made, once each.
func notChecked(r *ir.RealServer) (list []string) {
	for _, c := range r.Checks {
		if !enforced.Checked(c) && !slices.Contains(list, c.Keyword()) {
			list = append(list, c.Keyword())
		}
	}
	return list
}

// Owns returns the function that reports whether the director made an object.
func (d Document) Owns() plan.Owned {
	made := map[string]bool{}
	for _, name := range d.Made {
		made[name] = true
	}
	return func(k state.Key) bool { return made[k.String()] }
}

// Situation returns the director's situation for the parts that it has in common with a configuration. The rest of the
// configuration would start from scratch: BACKUP, and up.
func (d Document) Situation(cfg *ir.Config) state.Situation {
	s := state.Situation{Master: map[ir.InstanceKey]string{}, Down: map[state.DestinationKey]string{}, Weight: map[state.DestinationKey]int{}, Assigned: map[state.DestinationKey]int{}, NoQuorum: map[ir.ServiceKey]bool{}}
	for _, i := range d.Instances {
		if i.Role == vrrp.Master.String() {
			s.Master[ir.InstanceKey{Interface: i.Interface, VRID: i.VRID, IPv6: i.IPv6, Twin: i.Twin}] = i.Why
		}
	}
	s.Announced = map[netip.Addr]state.Announcement{}
	for _, a := range d.Announcements {
		s.Announced[a.Address] = state.Announcement{Stage: state.ParseStage(a.Stage), Why: a.Why}
	}
	byName := map[string]Service{}
	for _, service := range d.Services {
		byName[service.Name] = service
	}
	for _, v := range cfg.VirtualServers {
		service, set := byName[v.Key.String()], map[netip.AddrPort]Server{}
		s.NoQuorum[v.Key] = service.Lost
		for _, r := range service.Servers {
			if r.FileWeight != nil {
				set[r.Address] = r
			}
			if !r.Up {
				s.Down[state.DestinationKey{Service: v.Key, Server: r.Address}] = r.Cause
			}
		}
		for _, r := range v.RealServers { // a changed weight in the file counts
			if x, ok := set[r.Addr]; ok && x.Assigned { // it stays over a reload
				s.Assigned[state.DestinationKey{Service: v.Key, Server: r.Addr}] = x.Weight
			} else if ok && *x.FileWeight == r.Weight {
				s.Weight[state.DestinationKey{Service: v.Key, Server: r.Addr}] = x.Weight
			}
		}
	}
	return s
}
