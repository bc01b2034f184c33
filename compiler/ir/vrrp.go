package ir

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// State is the role that an instance asks for when it starts.
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

// A VRRPInstance is one virtual router of this director (man page block vrrp_instance).
type VRRPInstance struct {
	Origin
	Name             string
	State            State
	Interface        string
	VRID             uint8         `json:"virtual_router_id"`
	Twin             int           `json:"-"` // its number among the instances with this VRID on the interface that do not hear each other; 0 is the first
	Priority         uint8         // 255 owns the addresses
	Version          uint8         // 2 or 3
	AdvertInterval   time.Duration `json:"advert_int"`
	DownTimerAdverts int           // advertisements missed before take-over
	NoPreempt        bool          `json:"nopreempt"`
	PreemptDelay     time.Duration
	Auth             Authentication `json:"authentication"`
	SourceAddr       netip.Addr     `json:"src_ip"`       // mcast_src_ip or unicast_src_ip; zero: the first address of the interface
	MulticastGroup   netip.Addr     `json:"mcast_dst_ip"` // mcast_dst_ip; zero: that of global_defs
	Addresses        []Address      `json:"virtual_ipaddress"`

	LowerPrioNoAdvert    bool
	HigherPrioSendAdvert bool

	GARPMasterDelay         time.Duration // delay before the second burst; 0: none
	GARPMasterRepeat        int           // gratuitous ARPs for each address in a burst
	GARPMasterRefresh       time.Duration // interval of refresh bursts; 0: none
	GARPMasterRefreshRepeat int
	GARPLowerPrioDelay      time.Duration
	GARPLowerPrioRepeat     int

	Strict           bool          `json:"strict_mode"`
	Unicast          []UnicastPeer `json:"unicast_peer"`
	NoVirtualAddress bool          `json:"no_virtual_ipaddress"` // no_virtual_ipaddress: it may have none
	UseVMAC          bool          `json:"use_vmac"`
	VMAC             VMAC
	Routes           []Route `json:"virtual_routes"`
	Rules            []Rule  `json:"virtual_rules"`
	Tracked

	AuthHMAC *AuthHMAC `json:"auth_hmac"`

	OwnerIgnoreAdverts bool
	TimerExpiredBackup int    `json:",omitzero"` // priority at which it becomes BACKUP if its own timer fired too late; 0: never
	SkipCheckAdvAddr   bool   `json:"skip_check_adv_addr"`
	V3ChecksumAsV2     bool   `json:"v3_checksum_as_v2"`
	OldUnicastChecksum string // ChecksumAlways or ChecksumNever; empty: as the peer does
	KernelRxBufSize    uint32 `json:",omitzero"` // of the socket in bytes; 0: as global_defs says
	Accept             bool   // accepts traffic to the addresses without owning them
	PromoteSecondaries bool
	Debug              int `json:",omitzero"` // how much it writes to the log

	UnicastFaultNoPeer bool
	UnicastTTL         *uint8 // nil: the kernel's
	CheckUnicastSource bool   `json:"check_unicast_src"`
	TrackSourceAddr    bool   `json:"track_src_ip"`
	NativeIPv6         bool   `json:"native_ipv6"`
	DontTrackPrimary   bool
	LinkbeatPolling    bool `json:"linkbeat_use_polling"`

	// Link is the virtual interface of use_vmac: the addresses are on it, and advertisements are sent from it unless
	// VMACXmitBase is set. Empty: there is none.
	Link string `json:"-"`
	// Links are all virtual interfaces of the instance, that of Link first.
	Links []VirtualLink `json:"-"`

	UseVMACAddr        bool      `json:"use_vmac_addr"`
	VMACXmitBase       bool      `json:"vmac_xmit_base"`
	IPVLAN             *IPVLAN   `json:"use_ipvlan"`
	GARPExtraInterface ExtraGARP `json:"garp_extra_if"`
	VRF                string

	SyncGroup *SyncGroup `json:"-"` // the first group that names the instance; nil: none
	// Static are the interfaces of static objects whose track_group names the instance.
	Static []string `json:"-"`

	Notify                Notify  `json:",inline"`
	NotifyLowerPriority   Command `json:"notify_master_rx_lower_pri"`
	NotifiesDeleted       bool    `json:"-"` // reports DELETED instead of FAULT when a reload removes it
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

// VMAC is the macvlan interface of use_vmac.
type VMAC struct {
	Name          string // empty: derived from vmac_prefix and the VRID
	MAC           string // empty: that of the virtual router
	NetlinkNotify bool   `json:"netlink_notify_msg"`
	Group         Number // of interfaces
}

// A VirtualLink is a macvlan interface with the MAC address of a virtual router.
type VirtualLink struct {
	Name  string
	Base  string // the interface below it
	MAC   [6]byte
	IPv6  bool // it also holds IPv6 addresses
	Group uint32
}

// IPVLAN is the ipvlan interface of use_ipvlan.
type IPVLAN struct {
	Name    string
	Address string
	Mode    string // bridge, private or vepa
	Group   Number // of interfaces
}

// Source returns the address of the interface; false: there is none.
func (v *IPVLAN) Source() (a netip.Addr, ok bool) {
	if v == nil {
		return a, false
	}
	own, _, _ := strings.Cut(v.Address, "/")
	a, err := netip.ParseAddr(own)
	return a, err == nil
}

// ExtraGARP is how often a virtual MAC address is also announced on the interfaces below.
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

// A Command is a program with its arguments.
type Command struct {
	Origin // the line
	Args   []string
	User   User
}

// A User is the user who runs a command; empty: keepalived_script, else root.
type User struct{ Name, Group string }

// A SyncGroup is a vrrp_sync_group: instances that change their role together.
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

// A TrackGroup is a track_group: instances that go into FAULT with the interfaces of static objects.
type TrackGroup struct {
	Origin
	Name    string
	Members []Name   `json:"group"`
	Late    []Origin `json:"-"` // lines of static objects above it that name it: they follow nothing
}

// An InstanceKey identifies instances over a reload: not by name, because an instance may be renamed and keep its
// role.
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

// Advertised returns the addresses that advertisements carry, in file order: those of the family of the instance that are
// not excluded.
func (v *VRRPInstance) Advertised() (list []netip.Addr) {
	for _, a := range v.Addresses {
		if ip := a.Prefix.Addr(); !a.Excluded && ip.Is6() == v.IPv6() {
			list = append(list, ip)
		}
	}
	return list
}

// Group returns where advertisements are sent and received: the multicast group, by default VRRP's own (RFC 9568
// sections 5.1.1.2 and 5.1.2.2). It is invalid for an instance with unicast peers.
func (v *VRRPInstance) Group() netip.Addr {
	switch {
	case len(v.Unicast) > 0:
		return netip.Addr{}
	case v.MulticastGroup.IsValid():
		return v.MulticastGroup.WithZone("")
	}
	return MulticastGroup(v.IPv6())
}

// Meets reports whether an advertisement may be for either of two instances with one VRID on an interface: both use
// the same multicast group, or both have the same unicast peer.
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

// Follows lists the interfaces, besides its own, that the instance depends on although no tracker names them: its
// virtual interface, those that its addresses, routes and rules name, except for lines with no_track, and those of
// static objects with a track_group. The latter count for more than a line of track_interface, or dont_track_primary.
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
	for _, name := range v.Static {
		if !slices.Contains(names, name) && (name != v.Interface || v.DontTrackPrimary) {
			names = append(names, name)
		}
	}
	return names
}

// Leaves returns the interface that advertisements are sent from.
func (v *VRRPInstance) Leaves() string {
	if v.Link == "" || v.VMACXmitBase {
		return v.Interface
	}
	return v.Link
}

// IPv6 reports whether the instance is IPv6; its first address decides.
func (v *VRRPInstance) IPv6() bool {
	return len(v.Addresses) > 0 && v.Addresses[0].Prefix.Addr().Is6()
}

// An Address is one line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress.
type Address struct {
	Origin
	Prefix    netip.Prefix `json:"address"`
	Dev       string       // the instance's interface if the line names none
	Link      string       `json:"-"` // the virtual interface on Dev that holds it; empty: Dev itself
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
	NoTrack        bool           // if others remove it, it is not added again
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
	Method    string // MII, ETHTOOL or IOCTL; empty: the one that works
}

// An UpDownDelay is how long an interface must be down or up before it counts.
type UpDownDelay struct {
	Origin
	Interface string
	Down, Up  time.Duration
}
