package ir

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Number is a number that the file may write as a name: of a routing table, a protocol, a class of service, a group
// of interfaces. Name is empty if N is known; the names in /etc/iproute2 belong to a host and are not known here.
type Number struct {
	N    uint32
	Name string
}

func (n Number) String() string {
	if n.Name != "" {
		return n.Name
	}
	return strconv.FormatUint(uint64(n.N), 10)
}

// Numbers of routes, as linux/rtnetlink.h has them.
const (
	MainTable          = 254
	KeepalivedProtocol = 18
)

// Scope says how far an address or a destination is valid, as linux/rtnetlink.h numbers it.
type Scope uint8

const (
	ScopeGlobal  Scope = 0
	ScopeSite    Scope = 200
	ScopeLink    Scope = 253
	ScopeHost    Scope = 254
	ScopeNowhere Scope = 255
)

func (s Scope) String() string {
	switch s {
	case ScopeGlobal:
		return "global"
	case ScopeSite:
		return "site"
	case ScopeLink:
		return "link"
	case ScopeHost:
		return "host"
	case ScopeNowhere:
		return "nowhere"
	}
	return strconv.Itoa(int(s))
}

// RouteType is what happens to a packet on a route, as linux/rtnetlink.h numbers it.
type RouteType uint8

const (
	Unicast RouteType = iota + 1
	Local
	Broadcast
	Anycast
	Multicast
	Blackhole
	Unreachable
	Prohibit
	Throw
	NATRoute
)

func (t RouteType) String() string {
	return [...]string{"", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat"}[t]
}

// Install says how a route is added among equal ones.
type Install uint8

const (
	InstallDefault Install = iota // prepend a unicast route, append another one
	InstallAdd
	InstallPrepend
	InstallAppend
)

func (i Install) String() string { return [...]string{"", "add", "prepend", "append"}[i] }

// A Route is one line of virtual_routes or static_routes.
type Route struct {
	Origin
	Type       RouteType
	IPv6       bool         `json:"ipv6"`
	To         netip.Prefix // 0.0.0.0/0 or ::/0 for default
	From       netip.Prefix // of an IPv6 source route
	As         netip.Addr   // a new destination
	Via        netip.Addr   // may be of the other family
	Src        netip.Addr   // preferred source
	Dev        string
	OnLink     bool `json:"onlink"`
	TOS        Number
	Table      Number
	Protocol   Number
	Scope      Scope
	Metric     uint32
	Realms     string
	Encap      string        // the tunnel in the words of the file, such as "ip id 5 dst 10.0.0.1"
	Expires    time.Duration `json:",omitzero"`
	Pref       string        // low, medium, high or a number; of IPv6
	TTLProp    string        `json:"ttl_propagate"` // enabled or disabled; empty: the kernel's
	Metrics    []RouteMetric
	Nexthops   []Nexthop `json:"nexthop"`
	Install    Install
	VRF        string
	NoTrack    bool   // if others remove it, it is not added again
	TrackGroup string // of static routes
}

// ParseRealms reads "TO" or "FROM/TO" as the kernel holds it; false: it contains a name. Empty is 0.
func ParseRealms(text string) (n uint32, ok bool) {
	if text == "" {
		return 0, true
	}
	from, to, both := strings.Cut(text, "/")
	if !both {
		from, to = "0", text
	}
	f, err1 := strconv.ParseUint(from, 0, 16)
	t, err2 := strconv.ParseUint(to, 0, 16)
	return uint32(f<<16 | t), err1 == nil && err2 == nil
}

// A RouteMetric is one of the metrics of RTA_METRICS, by its name in the file.
type RouteMetric struct {
	Name   string
	Value  uint32 // in kernel units: rtt in eighths, rttvar in quarters, rto_min in whole milliseconds
	Text   string // of congctl instead of Value
	Locked bool
}

// A Nexthop is one of several next hops.
type Nexthop struct {
	Via    netip.Addr
	Dev    string
	Weight uint32 // 1 to 256
	OnLink bool   `json:"onlink"`
	Realms string
	Encap  string
}

// RuleAction is what a rule does, as linux/fib_rules.h numbers it.
type RuleAction uint8

const (
	Lookup          RuleAction = 1
	Goto            RuleAction = 2
	Nop             RuleAction = 3
	RuleBlackhole   RuleAction = 6
	RuleUnreachable RuleAction = 7
	RuleProhibit    RuleAction = 8
)

func (a RuleAction) String() string {
	return [...]string{"", "lookup", "goto", "nop", "", "", "blackhole", "unreachable", "prohibit"}[a]
}

// A Rule is one line of virtual_rules or static_rules.
type Rule struct {
	Origin
	IPv6     bool `json:"ipv6"`
	Not      bool
	From, To netip.Prefix // zero: all
	Action   RuleAction
	Table    Number // of Lookup; 0 with L3MDev
	Target   uint32 `json:"goto,omitzero"` // the priority of the rule that Goto continues with
	// Priority is the position among the rules. Rules without one get 16384 and down, in file order.
	Priority             *uint32
	IIf                  string `json:"iif"`
	OIf                  string `json:"oif"`
	TOS                  Number
	FWMark               Mark `json:"fwmark"`
	Realms               string
	SuppressPrefixLength *int    `json:"suppress_prefixlength"`
	SuppressGroup        *Number `json:"suppress_ifgroup"`
	TunnelID             uint64  `json:"tunnel_id,omitzero"`
	UIDs                 *Range  `json:"uidrange"`
	L3MDev               bool    `json:"l3mdev"` // the table is that of the VRF
	Protocol             Number  // who made the rule; 0: not said
	IPProto              Number  `json:"ipproto"`
	SourcePorts          *Range  `json:"sport"`
	DestinationPorts     *Range  `json:"dport"`
	NoTrack              bool
	TrackGroup           string // of static rules
}

// A Mark is a firewall mark with a mask. The zero Mark is none.
type Mark struct{ Value, Mask uint32 }

// A Range is two numbers, both ends included.
type Range struct{ First, Last uint32 }
