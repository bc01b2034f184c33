package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// A virtual interface needs some kernel settings: its own, those of the interface below, which must not answer for it,
// and global ones. The former values of other interfaces' settings are written into the alias of the virtual
// interface, where they survive this process: "keepc net/ipv4/conf/eth0/arp_ignore=0 ...".
const aliasMark = "keepc"

// A linkSetting is a setting that a virtual interface needs.
type linkSetting struct {
	file  string // below /proc/sys
	value string
	least bool // a higher number will do, too
	alien bool // it belongs to a different interface, and is restored
}

func linkSettings(dev string, l state.Link) (list []linkSetting) {
	own := func(setting, value string) {
		list = append(list, linkSetting{file: "net/ipv4/conf/" + dev + "/" + setting, value: value})
	}
	if l.IPv6 { // it must not solicit routers from an address that others may have
		list = append(list, linkSetting{file: "net/ipv6/conf/" + dev + "/router_solicitations", value: "0"})
	} else {
		list = append(list, linkSetting{file: "net/ipv6/conf/" + dev + "/disable_ipv6", value: "1"})
	}
	own("accept_local", "1")
	own("arp_ignore", "1")
	own("promote_secondaries", "1")
	own("rp_filter", "0") // answers are sent on the interface below
	return append(list,
		linkSetting{file: "net/ipv4/conf/" + l.Base + "/arp_ignore", value: "1", least: true, alien: true},
		linkSetting{file: "net/ipv4/conf/" + l.Base + "/arp_filter", value: "1", alien: true},
		linkSetting{file: allFilter, value: "0", alien: true},
	)
}

// The reverse path filters: the higher of the value for all interfaces and that of an interface counts for it. New
// interfaces get the default.
const (
	allFilter     = "net/ipv4/conf/all/rp_filter"
	defaultFilter = "net/ipv4/conf/default/rp_filter"
)

// met reports whether the kernel has the setting; without IPv6 it has no IPv6 settings.
func (s linkSetting) met() (value string, met bool) {
	value, err := readSetting(s.file)
	if err != nil {
		return "", errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(s.file, "net/ipv6/")
	}
	return value, value == s.value || s.least && value > s.value
}

func readSetting(file string) (string, error) {
	value, err := os.ReadFile(sysctlFile(state.SysctlKey{File: file}))
	return strings.TrimSpace(string(value)), err
}

// virtualLinks lists the macvlan interfaces of keepc, and those with the MAC address of a virtual router.
func (l *Linux) virtualLinks(state.State, iter.Seq[state.LinkKey]) (map[state.LinkKey]state.Link, error) {
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, k := range links {
		names[k.Attrs().Index] = k.Attrs().Name
	}
	all := map[state.LinkKey]state.Link{}
	for _, k := range links {
		a := k.Attrs()
		m, ok := k.(*netlink.Macvlan)
		if !ok || m.Mode != netlink.MACVLAN_MODE_PRIVATE || !ours(a) && !routersMAC(a.HardwareAddr) {
			continue
		}
		o := state.Link{Base: names[a.ParentIndex], MAC: a.HardwareAddr.String(), Group: a.Group}
		disabled, err := readSetting("net/ipv6/conf/" + a.Name + "/disable_ipv6")
		o.IPv6 = err == nil && disabled == "0"
		o.Trouble = linkTrouble(a, o)
		all[state.LinkKey{Dev: a.Name}] = o
	}
	return all, nil
}

func linkTrouble(a *netlink.LinkAttrs, o state.Link) string {
	if a.Flags&net.FlagUp == 0 {
		return "down"
	}
	for _, s := range linkSettings(a.Name, o) {
		if value, met := s.met(); !met {
			return state.SysctlKey{File: s.file}.String() + " is " + cmp.Or(value, "not known")
		}
	}
	return ""
}

func ours(a *netlink.LinkAttrs) bool {
	return strings.HasPrefix(a.Alias, aliasMark+" ") || a.Alias == aliasMark
}

// routersMAC reports whether a MAC address is that of a virtual router (RFC 9568 section 7.3).
func routersMAC(mac net.HardwareAddr) bool {
	return len(mac) == 6 && [4]byte(mac) == [4]byte{0, 0, 0x5e, 0} && (mac[4] == 1 || mac[4] == 2)
}

// setLink makes the interface and brings it up, or repairs what is wrong with it. Errors: ErrNoInterface for the one
// below.
func (l *Linux) setLink(k state.LinkKey, o state.Link) error {
	have, err := l.virtualLinks(state.State{}, nil)
	if err != nil {
		return err
	}
	if h, here := have[k]; here && (h.Base != o.Base || h.MAC != o.MAC || h.Group != o.Group) {
		if err := l.deleteLink(k); err != nil {
			return err
		}
		delete(have, k)
	}
	if _, here := have[k]; !here {
		if err := l.addLink(k, o); err != nil {
			return fmt.Errorf("make %s: %w", k, permission(err, netAdmin))
		}
	}
	failed := l.tune(k, o)
	if err := l.flag(k.Dev, l.routes.LinkSetUp); err != nil {
		return fmt.Errorf("bring %s up: %w", k, err)
	}
	return failed
}

// noAddresses is the mode in which the kernel gives an interface no link-local address (linux/if_link.h).
const noAddresses = 1

// addLink makes an interface that is down and has no link-local address.
func (l *Linux) addLink(k state.LinkKey, o state.Link) error {
	base, err := l.link(o.Base)
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(o.MAC)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr, attrs.Group = k.Dev, base.Index, mac, o.Group
	link := &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PRIVATE}
	if err := l.routes.LinkAdd(link); err != nil {
		return err
	}
	err = l.routes.LinkSetIP6AddrGenMode(link, noAddresses)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	return nil
}

// tune sets what the interface needs, and records the former values.
func (l *Linux) tune(k state.LinkKey, o state.Link) error {
	link, err := l.routes.LinkByName(k.Dev)
	if err != nil {
		return fmt.Errorf("look up interface %s: %w", k, err)
	}
	before, err := l.before()
	if err != nil {
		return err
	}
	var errs []error
	alias := []string{aliasMark}
	note := func(file, value string) {
		if was, known := before[file]; known {
			value = was
		}
		alias = append(alias, file+"="+value)
	}
	for _, s := range linkSettings(k.Dev, o) {
		value, met := s.met()
		if _, known := before[s.file]; s.alien && (known || !met) {
			note(s.file, value)
			if s.file == allFilter {
				if fallback, err := readSetting(defaultFilter); err == nil {
					note(defaultFilter, fallback)
				}
			}
		}
	}
	if text := strings.Join(alias, " "); text != link.Attrs().Alias {
		if err := l.routes.LinkSetAlias(link, text); err != nil {
			errs = append(errs, fmt.Errorf("name %s: %w", k, permission(err, netAdmin)))
		}
	}
	for _, s := range linkSettings(k.Dev, o) {
		value, met := s.met()
		if met {
			continue
		}
		if s.file == allFilter {
			errs = append(errs, l.spreadFilter(value))
		}
		errs = append(errs, writeSetting(s.file, s.value))
	}
	return errors.Join(errs...)
}

// spreadFilter gives every interface the reverse path filter of "all", so that one interface can do without.
func (l *Linux) spreadFilter(value string) error {
	files := []string{defaultFilter}
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, k := range links {
		if a := k.Attrs(); !ours(a) && a.Name != "" {
			files = append(files, "net/ipv4/conf/"+a.Name+"/rp_filter")
		}
	}
	var errs []error
	for _, file := range files {
		if own, err := readSetting(file); err == nil && own < value {
			errs = append(errs, writeSetting(file, value))
		}
	}
	return errors.Join(errs...)
}

func writeSetting(file, value string) error {
	if err := os.WriteFile(sysctlFile(state.SysctlKey{File: file}), []byte(value+"\n"), 0o644); err != nil {
		return fmt.Errorf("set %s: %w", state.SysctlKey{File: file}, permission(err, netAdmin))
	}
	return nil
}

// before returns what settings of other interfaces were before virtual interfaces were made, by their files.
func (l *Linux) before() (map[string]string, error) {
	links, err := dump(l.routes.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	was := map[string]string{}
	for _, k := range links {
		if a := k.Attrs(); ours(a) {
			for _, word := range strings.Fields(a.Alias)[1:] {
				if file, value, ok := strings.Cut(word, "="); ok {
					was[file] = value
				}
			}
		}
	}
	return was, nil
}

// deleteLink deletes the interface, and restores what was changed for it and is needed by no other.
func (l *Linux) deleteLink(k state.LinkKey) error {
	before, err := l.before()
	if err != nil {
		return err
	}
	if err := l.flag(k.Dev, l.routes.LinkDel); err != nil && !errors.Is(err, ErrNoInterface) {
		return fmt.Errorf("delete %s: %w", k, err)
	}
	needed, err := l.before()
	if err != nil {
		return err
	}
	var errs []error
	for file, value := range before {
		if _, still := needed[file]; !still {
			if err := writeSetting(file, value); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
