package ir

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// State is the role that an instance asks for at its start.
type State uint8

const (
	Backup State = iota
	Master
)

func (s State) String() string {
	if s == Master {
		return "MASTER"
	}
	return "BACKUP"
}

// AuthType is the authentication of VRRP version 2 (RFC 2338 section 5.3.6).
type AuthType uint8

const (
	AuthNone AuthType = iota
	AuthPass
	AuthAH
)

func (a AuthType) String() string { return [...]string{"none", "PASS", "AH"}[a] }

// Authentication of VRRP version 2. The wire carries the first 8 bytes of the password.
type Authentication struct {
	Type AuthType `json:"auth_type"`
	Pass Secret   `json:"auth_pass"`
}

// A VRRPInstance is one virtual router of this director (man page block vrrp_instance).
type VRRPInstance struct {
	Origin
	Name             string
	State            State
	Interface        string
	VRID             uint8         `json:"virtual_router_id"`
	Twin             int           `json:"-"` // its number among those with this VRID on the interface that do not meet: 0 is the first
	Priority         uint8         // 255 owns the addresses
	Version          uint8         // 2 or 3
	AdvertInterval   time.Duration `json:"advert_int"`
	DownTimerAdverts int           // advertisements missed before take-over
	NoPreempt        bool          `json:"nopreempt"`
	PreemptDelay     time.Duration
	Auth             Authentication `json:"authentication"`
	SourceAddr       netip.Addr     `json:"src_ip"`       // mcast_src_ip or unicast_src_ip; zero: the first address of the interface
	MulticastGroup   netip.Addr     `json:"mcast_dst_ip"` // mcast_dst_ip; zero: the group of global_defs
	Addresses        []Address      `json:"virtual_ipaddress"`

	LowerPrioNoAdvert    bool
	HigherPrioSendAdvert bool

	GARPMasterDelay         time.Duration // to the second burst; 0: none
	GARPMasterRepeat        int           // gratuitous ARPs for each address in a burst
	GARPMasterRefresh       time.Duration // period of refresh bursts; 0: none
	GARPMasterRefreshRepeat int
	GARPLowerPrioDelay      time.Duration
	GARPLowerPrioRepeat     int

	Strict           bool          `json:"strict_mode"`
	Unicast          []UnicastPeer `json:"unicast_peer"`
	NoVirtualAddress bool          `json:"no_virtual_ipaddress"` // no_virtual_ipaddress: it may hold none
	UseVMAC          bool          `json:"use_vmac"`
	VMAC             VMAC
	Routes           []Route `json:"virtual_routes"`
	Rules            []Rule  `json:"virtual_rules"`
	Tracked

	AuthHMAC *AuthHMAC `json:"auth_hmac"`

	OwnerIgnoreAdverts bool
	TimerExpiredBackup int    `json:",omitzero"` // priority at which an own timer that fired too late makes it BACKUP; 0: never
	SkipCheckAdvAddr   bool   `json:"skip_check_adv_addr"`
	V3ChecksumAsV2     bool   `json:"v3_checksum_as_v2"`
	OldUnicastChecksum string // ChecksumAlways or ChecksumNever; empty: as the peer does
	KernelRxBufSize    uint32 `json:",omitzero"` // of the socket in bytes; 0: the policy of global_defs
	Accept             bool   // takes traffic to the addresses while not their owner
	PromoteSecondaries bool
	Debug              int `json:",omitzero"` // how much it writes to the log

	UnicastFaultNoPeer bool
	UnicastTTL         *uint8 // nil: the kernel's
	CheckUnicastSource bool   `json:"check_unicast_src"`
	TrackSourceAddr    bool   `json:"track_src_ip"`
	NativeIPv6         bool   `json:"native_ipv6"`
	DontTrackPrimary   bool
	LinkbeatPolling    bool `json:"linkbeat_use_polling"`

	// Link is the virtual interface that use_vmac makes: its addresses are there, and its advertisements leave by it unless VMACXmitBase.
	// Empty: there is none.
	Link string `json:"-"`
	// Links are all virtual interfaces that are made for the instance, that of Link first.
	Links []VirtualLink `json:"-"`

	UseVMACAddr        bool      `json:"use_vmac_addr"`
	VMACXmitBase       bool      `json:"vmac_xmit_base"`
	IPVLAN             *IPVLAN   `json:"use_ipvlan"`
	GARPExtraInterface ExtraGARP `json:"garp_extra_if"`
	VRF                string

	SyncGroup *SyncGroup `json:"-"` // the first that names the instance; nil: none

	Notify                Notify  `json:",inline"`
	NotifyLowerPriority   Command `json:"notify_master_rx_lower_pri"`
	NotifiesDeleted       bool    `json:"-"` // tells DELETED instead of FAULT when a reload takes it away
	NotifyDeleted         Command
	NotifyPriorityChanges bool
	SMTPAlert             bool
	LVSSyncInterface      string `json:"lvs_sync_daemon_interface"`
}

// Notify is the scripts of an instance or sync group, which run at transitions.
type Notify struct {
	Any    Command `json:"notify"`
	Master Command `json:"notify_master"`
	Backup Command `json:"notify_backup"`
	Fault  Command `json:"notify_fault"`
	Stop   Command `json:"notify_stop"`
}

// AuthHMAC signs advertisements with HMAC-SHA256, as keepalived 2.4 does.
type AuthHMAC struct {
	Origin
	Keys       []HMACKey `json:"key"`
	ActiveKey  uint8     // that signs
	TimeWindow time.Duration
	AntiReplay string // time or monotonic
	Mode       string // enforce, permissive or receive-only
}

// An HMACKey is a key by its number.
type HMACKey struct {
	ID  uint8 `json:"id"`
	Key Secret
}

// VMAC is the macvlan interface of use_vmac.
type VMAC struct {
	Name          string // empty: made of vmac_prefix and the VRID
	MAC           string // empty: that of the group
	NetlinkNotify bool   `json:"netlink_notify_msg"`
	Group         Number // of interfaces
}

// A VirtualLink is a macvlan interface with the MAC address of a virtual router.
type VirtualLink struct {
	Name  string
	Base  string // the interface that it stands on
	MAC   [6]byte
	IPv6  bool // it is for addresses of IPv6 too
	Group uint32
}

// IPVLAN is the ipvlan interface of use_ipvlan.
type IPVLAN struct {
	Name    string
	Address string
	Mode    string // bridge, private or vepa
	Group   Number // of interfaces
}

// Source is the address of the interface; false: there is none.
func (v *IPVLAN) Source() (a netip.Addr, ok bool) {
	if v == nil {
		return a, false
	}
	own, _, _ := strings.Cut(v.Address, "/")
	a, err := netip.ParseAddr(own)
	return a, err == nil
}

// ExtraGARP is how often a virtual MAC address is announced on the interfaces below too.
type ExtraGARP struct {
	All   bool
	Every time.Duration // 0: never
}

// The values of OldUnicastChecksum.
const (
	ChecksumAlways = "always"
	ChecksumNever  = "never"
)

// A UnicastPeer is one line of unicast_peer.
type UnicastPeer struct {
	Origin
	Addr           netip.Addr
	MinTTL, MaxTTL uint8
}

// Tracked is what an instance or a sync group tracks.
type Tracked struct {
	TrackInterfaces []Track `json:"track_interface"`
	TrackScripts    []Track `json:"track_script"`
	TrackFiles      []Track `json:"track_file"`
	TrackProcesses  []Track `json:"track_process"`
	TrackBFDs       []Track `json:"track_bfd"`
}

// A Track is one line of track_interface, track_script, track_file, track_process or track_bfd.
type Track struct {
	Origin
	Name    string
	Weight  *Weight `json:",inline"` // that of what is tracked where the line has none; of an interface, none
	Unknown bool    // nothing above the instance or group has the name, so nothing is tracked
}

// A TrackKind is the sort of a thing that is tracked; "track_" before it makes the keyword of its block.
type TrackKind string

const (
	InterfaceTracker TrackKind = "interface"
	ScriptTracker    TrackKind = "script"
	FileTracker      TrackKind = "file"
	ProcessTracker   TrackKind = "process"
	BFDTracker       TrackKind = "bfd"
)

// A Tracker is a Track with its kind.
type Tracker struct {
	*Track
	Kind TrackKind
}

// Lines yields every line, block by block.
func (t *Tracked) Lines() iter.Seq[Tracker] {
	return func(yield func(Tracker) bool) {
		for _, block := range []struct {
			kind  TrackKind
			lines []Track
		}{
			{InterfaceTracker, t.TrackInterfaces}, {ScriptTracker, t.TrackScripts}, {FileTracker, t.TrackFiles},
			{ProcessTracker, t.TrackProcesses}, {BFDTracker, t.TrackBFDs},
		} {
			for i := range block.lines {
				if !yield(Tracker{&block.lines[i], block.kind}) {
					return
				}
			}
		}
	}
}

// Trackers yields the lines that count: those that name something.
func (t *Tracked) Trackers() iter.Seq[Tracker] {
	return func(yield func(Tracker) bool) {
		for line := range t.Lines() {
			if !line.Unknown && !yield(line) {
				return
			}
		}
	}
}

// A Script is a vrrp_script.
type Script struct {
	Origin
	Name     string
	Command  Command `json:"script"`
	User     User
	Interval time.Duration
	Timeout  time.Duration // Unset: the interval
	Weight   Weight        `json:",inline"`
	Rise     int           // successes until it counts as good
	Fall     int           // failures until it counts as bad
	InitFail bool
}

// A TrackFile is a track_file: a number in a file that changes priorities.
type TrackFile struct {
	Origin
	Name     string
	File     string
	Weight   Weight    `json:",inline"`
	InitFile *InitFile // nil: the file is made by others
}

// A TrackProcess is a vrrp_track_process.
type TrackProcess struct {
	Origin
	Name    string
	Process []string
	Weight  Weight `json:",inline"`

	ParamMatch     string // exact, initial or partial
	FullCommand    bool
	Quorum         int
	QuorumMax      *int // nil: no limit
	TerminateDelay time.Duration
	ForkDelay      time.Duration
}

// InitFile is what a track_file begins with.
type InitFile struct {
	Value     int
	Overwrite bool
}

// A Weight is what a tracker adds to a priority.
type Weight struct {
	N       int `json:"weight"`
	Reverse bool
}

// Adds is what a tracker that is good, or is not, adds to a priority: a weight above 0 counts while it is good, one below 0 while it is
// not, and reverse turns the sign.
func (w Weight) Adds(good bool) int {
	if (w.N > 0) != good {
		return 0
	}
	return w.sign() * w.N
}

// Times is what a tracked file with a number adds to a priority.
func (w Weight) Times(number int) int { return w.sign() * w.N * number }

func (w Weight) sign() int {
	if w.Reverse {
		return -1
	}
	return 1
}

// A Command is a program with its arguments.
type Command struct {
	Origin // the line
	Args   []string
	User   User
}

// A User is who runs a command; empty: keepalived_script, else root.
type User struct{ Name, Group string }

// A SyncGroup is a vrrp_sync_group: instances that change their state together.
type SyncGroup struct {
	Origin
	Name    string
	Members []Name `json:"group"`
	Tracked

	TrackingWeight        bool   `json:"sync_group_tracking_weight"`
	Notify                Notify `json:",inline"`
	NotifyPriorityChanges bool
	SMTPAlert             bool
}

// A TrackGroup is a track_group: instances that static objects follow.
type TrackGroup struct {
	Origin
	Name    string
	Members []Name `json:"group"`
}

// An InstanceKey tells instances apart over a reload: not by name, for an instance may be renamed and keep its role.
type InstanceKey struct {
	Interface string
	VRID      uint8
	IPv6      bool
	Twin      int // see VRRPInstance
}

// Key returns what identifies the instance.
func (v *VRRPInstance) Key() InstanceKey {
	return InstanceKey{Interface: v.Interface, VRID: v.VRID, IPv6: v.IPv6(), Twin: v.Twin}
}

// Group is where advertisements are sent to and heard: the multicast group, VRRP's own (RFC 9568 sections 5.1.1.2 and 5.1.2.2) where
// nothing says another one. It is invalid for an instance with unicast peers.
func (v *VRRPInstance) Group() netip.Addr {
	switch {
	case len(v.Unicast) > 0:
		return netip.Addr{}
	case v.MulticastGroup.IsValid():
		return v.MulticastGroup.WithZone("")
	case v.IPv6():
		return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 15: 0x12})
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 18})
}

// Meets reports whether an advertisement may be for either of two instances with one VRID on an interface: both hear one multicast
// group, or both have the same unicast peer.
func (v *VRRPInstance) Meets(w *VRRPInstance) bool {
	return v.Group() == w.Group() && (v.Group().IsValid() || slices.ContainsFunc(v.Unicast, func(p UnicastPeer) bool { return w.Peer(p.Addr) != nil }))
}

// Peer returns the unicast peer with an address; nil: there is none.
func (v *VRRPInstance) Peer(a netip.Addr) *UnicastPeer {
	if i := slices.IndexFunc(v.Unicast, func(p UnicastPeer) bool { return p.Addr == a }); i >= 0 {
		return &v.Unicast[i]
	}
	return nil
}

// Follows lists the interfaces, beside its own, that the instance cannot do without although no tracker names them: its virtual one, and
// those that its addresses, routes and rules name, but for lines with no_track.
func (v *VRRPInstance) Follows() (names []string) {
	add := func(name string, untracked bool) {
		if named := func(t Track) bool { return t.Name == name }; untracked || name == "" || name == v.Interface ||
			slices.Contains(names, name) || slices.ContainsFunc(v.TrackInterfaces, named) {
			return
		}
		names = append(names, name)
	}
	add(v.Link, false)
	for _, a := range v.Addresses {
		add(a.On(), a.NoTrack)
	}
	for _, r := range v.Routes {
		add(r.Dev, r.NoTrack)
	}
	for _, r := range v.Rules {
		add(r.IIf, r.NoTrack)
		add(r.OIf, r.NoTrack)
	}
	return names
}

// Leaves is the interface that advertisements leave by.
func (v *VRRPInstance) Leaves() string {
	if v.Link == "" || v.VMACXmitBase {
		return v.Interface
	}
	return v.Link
}

// IPv6 tells the family of the instance, which is that of its first address.
func (v *VRRPInstance) IPv6() bool {
	return len(v.Addresses) > 0 && v.Addresses[0].Prefix.Addr().Is6()
}

// An Address is one line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress.
type Address struct {
	Origin
	Prefix    netip.Prefix `json:"address"`
	Dev       string       // the instance's interface when the line names none
	Link      string       `json:"-"` // the virtual interface on Dev that holds it; empty: Dev itself does
	Label     string
	Scope     Scope
	Broadcast netip.Addr
	Peer      netip.Prefix
	NoDAD     bool `json:"nodad"`
	Excluded  bool // in virtual_ipaddress_excluded: held, not advertised
	UseVMAC   bool `json:"use_vmac"`

	Home           bool           // of IPv6 mobility
	ManageTempAddr bool           `json:"mngtmpaddr"`
	NoPrefixRoute  bool           `json:"noprefixroute"`
	AutoJoin       bool           `json:"autojoin"`
	PreferredLft   *time.Duration // nil: forever
	NoTrack        bool           // removed by others, it is left away
	TrackGroup     string         // of static addresses
}

// On is the interface that holds the address.
func (a Address) On() string { return cmp.Or(a.Link, a.Dev) }

// A GARPGroup limits gratuitous ARPs over several interfaces together.
type GARPGroup struct {
	Origin
	GARPInterval time.Duration
	GNAInterval  time.Duration
	Interfaces   []Name
}

// A Linkbeat is an interface whose link is polled.
type Linkbeat struct {
	Origin
	Interface string
	Method    string // MII, ETHTOOL or IOCTL; empty: what works
}

// An UpDownDelay is how long an interface must be down or up before it counts.
type UpDownDelay struct {
	Origin
	Interface string
	Down, Up  time.Duration
}
