// Package facts is what keepc knows about a machine, as a document that is written on the machine and can be used
// anywhere. It holds no secrets.
package facts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Version of the document; it grows when a field changes its meaning or is removed.
const Version = 1

// A Host is the facts of one machine. Lists are in the order of their keys.
type Host struct {
	Version    int       `json:"version"`
	Name       string    `json:"hostname"`
	Kernel     string    `json:"kernel"`               // its release: "6.1.0-50-amd64"
	Keepalived string    `json:"keepalived,omitempty"` // its version, where it is installed: "2.2.7"
	Links      []Link    `json:"links"`
	Routes     []Route   `json:"routes"` // of all tables but the local one
	Rules      []Rule    `json:"rules"`
	IPVS       IPVS      `json:"ipvs"`
	Services   []Service `json:"services"`
	Timeouts   []int     `json:"ipvs_timeouts,omitempty"` // tcp, tcpfin and udp, in seconds
	// Objects are those of the kinds without a list above, by the name of the kind.
	Objects map[string][]json.RawMessage `json:"objects,omitempty"`
	Users   []string                     `json:"users"`
	Files   []File                       `json:"files"` // those that the configuration names
	Sysctls map[string]string            `json:"sysctls"`
}

// IPVS reports whether the virtual servers of the machine are among its facts.
type IPVS string

const (
	Read   IPVS = "read"
	Absent IPVS = "absent" // the kernel has no ip_vs
	Denied IPVS = "denied" // the process that wrote the facts lacked CAP_NET_ADMIN
)

// A Link is an interface.
type Link struct {
	Name      string    `json:"name"`
	Up        bool      `json:"up"` // administratively up, with carrier
	MTU       int       `json:"mtu"`
	MAC       string    `json:"mac,omitempty"`
	Addresses []Address `json:"addresses"`
}

// An Address of an interface.
type Address struct {
	Prefix netip.Prefix `json:"address"`
	state.Address
}

// A Route with its key.
type Route struct {
	state.RouteKey
	state.Route
}

// A Rule with its key.
type Rule struct {
	state.RuleKey
	state.Rule
}

// A Service is a virtual server: protocol, address and port, or a firewall mark with its family.
type Service struct {
	Protocol    string     `json:"protocol,omitempty"`
	Address     netip.Addr `json:"address,omitzero"`
	Port        uint16     `json:"port,omitempty"`
	FWMark      uint32     `json:"fwmark,omitempty"`
	IPv6        bool       `json:"ipv6,omitempty"`
	Scheduler   string     `json:"scheduler"`
	Persistence int        `json:"persistence,omitempty"` // in seconds
	Mask        int        `json:"mask,omitempty"`        // a prefix length
	Netmask     string     `json:"netmask,omitempty"`     // instead: one whose ones do not lead
	Engine      string     `json:"engine,omitempty"`
	Flags       uint32     `json:"flags,omitempty"`
	Servers     []Server   `json:"real_servers"`
}

// A Server is a real server of a virtual one.
type Server struct {
	Address        netip.AddrPort `json:"address"`
	Weight         int            `json:"weight"`
	Forwarding     string         `json:"forwarding"` // masq, route or tunnel
	UpperThreshold uint32         `json:"upper_threshold,omitempty"`
	LowerThreshold uint32         `json:"lower_threshold,omitempty"`
	Tunnel         ir.Tunnel      `json:"tunnel,omitzero"`
}

// A File is one that somebody asked about.
type File struct {
	Path    string `json:"path"` // absolute
	Missing bool   `json:"missing,omitempty"`
	Dir     bool   `json:"dir,omitempty"`
	Perm    string `json:"mode,omitempty"` // octal: "0755"
	UID     uint32 `json:"uid,omitempty"`  // 0: root's
	GID     uint32 `json:"gid,omitempty"`
}

// Parse reads the facts that Write wrote. It ignores fields that it does not know.
func Parse(text []byte) (*Host, error) {
	h := &Host{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("not a facts file (write one with \"keepc facts\"): %w", err)
	}
	if h.Version != Version {
		return nil, fmt.Errorf("facts of version %d; this keepc reads version %d", h.Version, Version)
	}
	for _, v := range h.Services {
		if _, err := v.clientMask(); err != nil {
			return nil, fmt.Errorf("facts of the service %s: %w", v.key(), err)
		}
	}
	return h, nil
}

// Write writes the document.
func (h *Host) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(h)
}

// Link returns an interface; nil: there is none.
func (h *Host) Link(name string) *Link {
	if i := slices.IndexFunc(h.Links, func(l Link) bool { return l.Name == name }); i >= 0 {
		return &h.Links[i]
	}
	return nil
}

// Networks implements lint.Host.
func (h *Host) Networks(name string) (networks []netip.Prefix, here bool) {
	l := h.Link(name)
	if l == nil {
		return nil, false
	}
	for _, a := range l.Addresses {
		networks = append(networks, a.Prefix)
	}
	return networks, true
}

// Holds implements lint.Host.
func (h *Host) Holds(addr netip.Addr) bool {
	return slices.ContainsFunc(h.Links, func(l Link) bool {
		return slices.ContainsFunc(l.Addresses, func(a Address) bool { return a.Prefix.Addr() == addr })
	})
}

// User implements lint.Host.
func (h *Host) User(name string) bool { return slices.Contains(h.Users, name) }

// AddUser records a user.
func (h *Host) AddUser(name string) {
	if at, found := slices.BinarySearch(h.Users, name); !found {
		h.Users = slices.Insert(h.Users, at, name)
	}
}

// Mode implements lint.Host. A file that is not among the facts passes for a program that only its owner can change:
// no finding is based on what was not looked at.
func (h *Host) Mode(path string) (mode fs.FileMode, here bool) {
	at, found := h.file(path)
	if !found {
		return 0o700, true
	}
	f := h.Files[at]
	perm, _ := strconv.ParseUint(f.Perm, 8, 10)
	mode = fs.FileMode(perm).Perm()
	if f.Dir {
		mode |= fs.ModeDir
	}
	if perm&sticky != 0 {
		mode |= fs.ModeSticky
	}
	return mode, !f.Missing
}

// sticky is the bit of a directory in which only the owner of a file can replace it, as chmod(1) writes it.
const sticky = 0o1000

// Owner implements lint.Host.
func (h *Host) Owner(path string) (uid, gid uint32) {
	if at, found := h.file(path); found {
		return h.Files[at].UID, h.Files[at].GID
	}
	return 0, 0
}

// AddFile records the mode and owner of a file, or that it does not exist.
func (h *Host) AddFile(path string, mode fs.FileMode, uid, gid uint32, here bool) {
	at, found := h.file(path)
	if found {
		return
	}
	f := File{Path: path, Missing: !here, UID: uid, GID: gid}
	if here {
		perm := mode.Perm()
		if mode&fs.ModeSticky != 0 {
			perm |= sticky
		}
		f.Dir, f.Perm = mode.IsDir(), fmt.Sprintf("%04o", uint32(perm))
	}
	h.Files = slices.Insert(h.Files, at, f)
}

func (h *Host) file(path string) (at int, found bool) {
	return slices.BinarySearchFunc(h.Files, path, func(f File, path string) int { return strings.Compare(f.Path, path) })
}

// Users lists the users of a passwd(5) file.
func Users(passwd []byte) (names []string) {
	for line := range bytes.Lines(passwd) {
		if name, _, ok := bytes.Cut(line, []byte(":")); ok && len(name) > 0 && name[0] != '#' {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// KeepalivedVersion returns the version in the output of keepalived --version; empty: there is none.
func KeepalivedVersion(text string) string {
	_, after, found := strings.Cut(text, "Keepalived v")
	if !found {
		return ""
	}
	return after[:len(after)-len(strings.TrimLeft(after, "0123456789."))]
}
