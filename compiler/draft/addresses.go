package draft

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A reader reads what the program ip prints about addresses: its list, its JSON list, and the commands that add one.
type reader struct {
	dev  string // of the lines that follow
	list []Address
}

// addressesOfJSON reads what ip -j addr prints.
func addressesOfJSON(text []byte) (list []Address, err error) {
	var links []struct {
		Name      string `json:"ifname"`
		Addresses []struct {
			Local     string `json:"local"`
			Peer      string `json:"address"`
			Length    int    `json:"prefixlen"`
			Broadcast string `json:"broadcast"`
			Scope     string `json:"scope"`
			Label     string `json:"label"`
			Secondary bool   `json:"secondary"`
			Dynamic   bool   `json:"dynamic"`
		} `json:"addr_info"`
	}
	if err := json.Unmarshal(text, &links); err != nil {
		return nil, fmt.Errorf("read what ip -j addr prints: %w", err)
	}
	for _, l := range links {
		for _, a := range l.Addresses {
			words := []string{a.Local + "/" + strconv.Itoa(a.Length)}
			if a.Peer != "" {
				words = []string{a.Local, "peer", a.Peer + "/" + strconv.Itoa(a.Length)}
			}
			if a.Broadcast != "" {
				words = append(words, "brd", a.Broadcast)
			}
			if a.Scope != "" {
				words = append(words, "scope", a.Scope)
			}
			if a.Secondary && !a.Dynamic {
				words = append(words, "secondary")
			}
			if a.Label != "" {
				words = append(words, "label", a.Label)
			}
			address, err := parseAddress(words, l.Name)
			if err != nil {
				return nil, err
			}
			list = append(list, address)
		}
	}
	return list, nil
}

// line reads a line of ip addr, in its long or its one-line form, or a command ip addr add. known reports whether it
// is one of these, or another line about an interface.
func (r *reader) line(text string) (known bool, err error) {
	words := strings.Fields(text)
	if i := slices.IndexFunc(words, program); i >= 0 && i < 2 {
		return true, r.command(words[i+1:])
	}
	if n, ok := strings.CutSuffix(words[0], ":"); ok && len(words) > 1 {
		if _, err := strconv.Atoi(n); err == nil {
			r.dev, _, _ = strings.Cut(strings.TrimSuffix(words[1], ":"), "@")
			words = words[2:]
		}
	}
	if len(words) < 2 {
		return r.dev != "", nil
	}
	switch words[0] {
	case "inet", "inet6":
		if r.dev == "" {
			return true, errors.New("no line with the name of an interface came before")
		}
		text, _, _ := strings.Cut(strings.Join(words[1:], " "), `\`)
		a, err := parseAddress(lastLabel(strings.Fields(text), r.dev), r.dev)
		if err == nil {
			r.list = append(r.list, a)
		}
		return true, err
	case "valid_lft", "link/ether", "link/loopback", "link/none", "altname":
		return true, nil
	}
	return r.dev != "" && strings.HasPrefix(words[0], "<") || strings.HasPrefix(words[0], "link/"), nil
}

func program(word string) bool { return word == "ip" || strings.HasSuffix(word, "/ip") }

// command reads ip [-4|-6] addr add ADDRESS dev DEV …; words may be abbreviated.
func (r *reader) command(words []string) error {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	if len(words) < 3 || !strings.HasPrefix("address", words[0]) && words[0] != "addr" ||
		!slices.Contains([]string{"a", "ad", "add", "replace", "change"}, words[1]) {
		return errors.New("expected ip addr add ADDRESS dev INTERFACE")
	}
	words = slices.Clone(words[2:])
	dev := ""
	if i := slices.Index(words, "dev"); i >= 0 && i+1 < len(words) {
		dev = words[i+1]
		words = slices.Delete(words, i, i+2)
	}
	if dev == "" {
		return errors.New("expected dev with the name of an interface")
	}
	if len(words) > 1 && words[0] == "local" {
		words = words[1:]
	}
	a, err := parseAddress(words, dev)
	if err != nil {
		return err
	}
	a.Virtual = !a.Prefix.Addr().IsLinkLocalUnicast()
	r.list = append(r.list, a)
	return nil
}

// lastLabel marks the label, which ip addr prints last and without a keyword.
func lastLabel(words []string, dev string) []string {
	if len(words) == 0 {
		return nil
	}
	if last := words[len(words)-1]; last == dev || strings.HasPrefix(last, dev+":") {
		return append(slices.Clone(words[:len(words)-1]), "label", last)
	}
	return words
}

// parseAddress reads an address with its settings. It is virtual if it is secondary or has a label of its own.
func parseAddress(words []string, dev string) (a Address, err error) {
	a.Dev = dev
	if len(words) == 0 {
		return a, errors.New("expected an address")
	}
	bits := -1
	if a.Prefix, err = prefix(words[0]); err != nil {
		return a, err
	}
	for i := 1; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "peer":
			if a.Peer, err = prefix(value); err != nil {
				return a, err
			}
			bits = a.Prefix.Addr().BitLen()
			i++
		case "brd", "broadcast":
			if a.Broadcast, err = broadcast(value, a.Prefix); err != nil {
				return a, err
			}
			i++
		case "scope":
			if a.Scope, err = scope(value); err != nil {
				return a, err
			}
			i++
		case "label":
			if value != dev {
				a.Label, a.Virtual = value, true
			}
			i++
		case "secondary":
			a.Virtual = true
		case "metric", "valid_lft", "preferred_lft", "proto":
			i++
		}
	}
	if bits >= 0 { // the kernel's key of an address with a peer has the full prefix length
		a.Prefix = netip.PrefixFrom(a.Prefix.Addr(), bits)
	}
	if a.Prefix.Addr().Is6() {
		a.Scope, a.Label = 0, ""
	}
	return a, nil
}

func prefix(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is not an address", text)
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// broadcast reads a broadcast address; "+" is that of the network.
func broadcast(text string, p netip.Prefix) (netip.Addr, error) {
	if text == "+" && p.Addr().Is4() {
		b := p.Addr().As4()
		for i := p.Bits(); i < 32; i++ {
			b[i/8] |= 0x80 >> (i % 8)
		}
		return netip.AddrFrom4(b), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, fmt.Errorf("%q is not an address", text)
	}
	return a, nil
}

func scope(text string) (uint8, error) {
	for word, n := range map[string]uint8{"global": 0, "site": 200, "link": scopeLink, "host": scopeHost} {
		if text == word {
			return n, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is not a scope", text)
	}
	return uint8(n), nil
}

// Secondary marks the addresses that the kernel holds in addition to an earlier one of the same network: those are
// virtual. list is in kernel order.
func Secondary(list []Address) {
	type network struct {
		dev string
		netip.Prefix
	}
	seen := map[network]bool{}
	for i := range list {
		a := &list[i]
		n := network{a.Dev, a.Prefix.Masked()}
		if a.Prefix.Addr().Is4() {
			a.Virtual = a.Virtual || seen[n]
			seen[n] = true
		}
		a.Virtual = a.Virtual || a.Label != ""
	}
}
