package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"keepc/compiler/state"
)

// Routes as rtnetlink(7) messages. The library lacks the expiry, preference and source of IPv6 routes, and tunnels,
// and knows only one locked metric.

// Numbers of linux/rtnetlink.h and linux/lwtunnel.h that package unix lacks or has only on other systems.
const (
	rtaPref      = 20
	rtaEncapType = 21
	rtaEncap     = 22
	rtaExpires   = 23

	encapIP  = 2
	encapIP6 = 4

	// The attributes of both.
	tunnelID    = 1
	tunnelDst   = 2
	tunnelSrc   = 3
	tunnelTTL   = 4
	tunnelClass = 5

	prefHigh = 1
	prefLow  = 3

	ticks = 100 // per second: USER_HZ
)

// metrics are the numbers of the metrics of a route by the words of ip-route(8).
var metrics = [...]string{
	unix.RTAX_MTU: "mtu", unix.RTAX_WINDOW: "window", unix.RTAX_RTT: "rtt", unix.RTAX_RTTVAR: "rttvar", unix.RTAX_SSTHRESH: "ssthresh",
	unix.RTAX_CWND: "cwnd", unix.RTAX_ADVMSS: "advmss", unix.RTAX_REORDERING: "reordering", unix.RTAX_HOPLIMIT: "hoplimit",
	unix.RTAX_INITCWND: "initcwnd", unix.RTAX_FEATURES: "features", unix.RTAX_RTO_MIN: "rto_min", unix.RTAX_INITRWND: "initrwnd",
	unix.RTAX_QUICKACK: "quickack", unix.RTAX_CC_ALGO: "congctl", unix.RTAX_FASTOPEN_NO_COOKIE: "fastopen_no_cookie",
}

const locked = " lock" // after the name of a metric

// routeMessage returns the message that identifies a route by its key.
func routeMessage(k state.RouteKey) (head *nl.RtMsg, attrs []*nl.RtAttr) {
	head = &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Dst_len: uint8(k.Dst.Bits()), Tos: k.TOS, Protocol: k.Protocol, Table: unix.RT_TABLE_UNSPEC, Scope: unix.RT_SCOPE_NOWHERE}}
	if k.Dst.Addr().Is6() {
		head.Family = unix.AF_INET6
	}
	attrs = []*nl.RtAttr{nl.NewRtAttr(unix.RTA_DST, k.Dst.Addr().AsSlice()), nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(k.Table))}
	if k.From.IsValid() {
		head.Src_len = uint8(k.From.Bits())
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_SRC, k.From.Addr().AsSlice()))
	}
	if k.Metric != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_PRIORITY, nl.Uint32Attr(k.Metric)))
	}
	return head, attrs
}

// wholeRoute returns the message that makes a route.
func (l *Linux) wholeRoute(k state.RouteKey, r state.Route) (*nl.RtMsg, []*nl.RtAttr, error) {
	head, attrs := routeMessage(k)
	head.Type, head.Scope = r.Type, r.Scope
	add := func(kind int, data []byte) { attrs = append(attrs, nl.NewRtAttr(kind, data)) }
	if r.PrefSrc.IsValid() {
		add(unix.RTA_PREFSRC, r.PrefSrc.AsSlice())
	}
	if r.Expires != 0 {
		add(rtaExpires, nl.Uint32Attr(r.Expires))
	}
	switch r.Options["pref"] {
	case "high":
		add(rtaPref, []byte{prefHigh})
	case "low":
		add(rtaPref, []byte{prefLow})
	}
	if text := r.Options["realm"]; text != "" {
		realm, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return nil, nil, fmt.Errorf("realm %s: %w", text, err)
		}
		add(unix.RTA_FLOW, nl.Uint32Attr(uint32(realm)))
	}
	m, err := metricsMessage(r.Options)
	if err != nil {
		return nil, nil, err
	}
	if m != nil {
		attrs = append(attrs, m)
	}
	if len(r.Hops) > 1 {
		var hops []byte
		for _, h := range r.Hops {
			flags, index, own, err := l.hopMessage(k, h)
			if err != nil {
				return nil, nil, err
			}
			at := len(hops)
			hops = append(hops, 0, 0, flags, uint8(max(h.Weight-1, 0)))
			hops = binary.NativeEndian.AppendUint32(hops, uint32(index))
			for _, a := range own {
				hops = append(hops, a.Serialize()...)
			}
			binary.NativeEndian.PutUint16(hops[at:], uint16(len(hops)-at))
		}
		add(unix.RTA_MULTIPATH, hops)
		return head, attrs, nil
	}
	for _, h := range r.Hops {
		flags, index, own, err := l.hopMessage(k, h)
		if err != nil {
			return nil, nil, err
		}
		head.Flags |= uint32(flags)
		if index != 0 {
			add(unix.RTA_OIF, nl.Uint32Attr(uint32(index)))
		}
		attrs = append(attrs, own...)
	}
	return head, attrs, nil
}

// metricsMessage returns the metrics of a route; nil: it has none.
func metricsMessage(options map[string]string) (*nl.RtAttr, error) {
	all, lock := nl.NewRtAttr(unix.RTA_METRICS, nil), uint32(0)
	some := false
	for number, name := range metrics {
		if name == "" {
			continue
		}
		if options[name+locked] != "" {
			lock |= 1 << number
		}
		text := options[name]
		switch {
		case text == "":
		case number == unix.RTAX_CC_ALGO:
			all.AddRtAttr(number, nl.ZeroTerminated(text))
			some = true
		default:
			n, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", name, text, err)
			}
			all.AddRtAttr(number, nl.Uint32Attr(uint32(n)))
			some = true
		}
	}
	if lock != 0 {
		all.AddRtAttr(unix.RTAX_LOCK, nl.Uint32Attr(lock))
	} else if !some {
		return nil, nil
	}
	return all, nil
}

// hopMessage returns a next hop.
func (l *Linux) hopMessage(k state.RouteKey, h state.Hop) (flags uint8, index int, attrs []*nl.RtAttr, err error) {
	if h.Dev != "" {
		link, err := l.link(h.Dev)
		if err != nil {
			return 0, 0, nil, err
		}
		index = link.Index
	}
	if h.OnLink {
		flags = unix.RTNH_F_ONLINK
	}
	switch {
	case !h.Via.IsValid():
	case h.Via.Is4() == k.Dst.Addr().Is4():
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_GATEWAY, h.Via.AsSlice()))
	case h.Via.Is6():
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_VIA, append(nl.Uint16Attr(unix.AF_INET6), h.Via.AsSlice()...)))
	default:
		return 0, 0, nil, errors.New("an IPv6 route has no IPv4 gateway")
	}
	if h.Realm != 0 {
		attrs = append(attrs, nl.NewRtAttr(unix.RTA_FLOW, nl.Uint32Attr(h.Realm)))
	}
	if h.Encap != "" {
		kind, tunnel, err := tunnelMessage(h.Encap)
		if err != nil {
			return 0, 0, nil, fmt.Errorf("encap %s: %w", h.Encap, err)
		}
		attrs = append(attrs, nl.NewRtAttr(rtaEncapType, nl.Uint16Attr(kind)), tunnel)
	}
	return flags, index, attrs, nil
}

// tunnelMessage encodes a tunnel in the form of state.Hop.
func tunnelMessage(text string) (kind uint16, tunnel *nl.RtAttr, err error) {
	words := strings.Fields(text)
	tunnel, kind = nl.NewRtAttr(rtaEncap, nil), encapIP
	if words[0] == "ip6" {
		kind = encapIP6
	}
	for i := 1; i+1 < len(words); i += 2 {
		switch word, value := words[i], words[i+1]; word {
		case "id":
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return 0, nil, err
			}
			tunnel.AddRtAttr(tunnelID, binary.BigEndian.AppendUint64(nil, n))
		case "dst", "src":
			a, err := netip.ParseAddr(value)
			if err != nil {
				return 0, nil, err
			}
			tunnel.AddRtAttr(map[string]int{"dst": tunnelDst, "src": tunnelSrc}[word], a.AsSlice())
		default:
			n, err := strconv.ParseUint(value, 10, 8)
			if err != nil {
				return 0, nil, err
			}
			attr := tunnelTTL
			if word == "tos" || word == "tc" {
				attr = tunnelClass
			}
			tunnel.AddRtAttr(attr, []byte{uint8(n)})
		}
	}
	return kind, tunnel, nil
}

// attributesOf returns the attributes of a message, by number.
func attributesOf(b []byte) (map[uint16][]byte, error) {
	list, err := nl.ParseRouteAttr(b)
	if err != nil {
		return nil, err
	}
	all := make(map[uint16][]byte, len(list))
	for _, a := range list {
		all[a.Attr.Type&^uint16(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = a.Value
	}
	return all, nil
}

// readRoute reads a message about a route; false: the kernel made it for its own use.
func readRoute(m []byte, names map[int]string) (k state.RouteKey, r state.Route, some bool, err error) {
	head := nl.DeserializeRtMsg(m)
	if head.Flags&unix.RTM_F_CLONED != 0 || head.Family != unix.AF_INET && head.Family != unix.AF_INET6 {
		return k, r, false, nil
	}
	attrs, err := attributesOf(m[head.Len():])
	if err != nil {
		return k, r, false, err
	}
	k = state.RouteKey{Table: uint32(head.Table), TOS: head.Tos, Protocol: head.Protocol, Dst: routePrefix(attrs[unix.RTA_DST], head.Dst_len, head.Family)}
	if v := attrs[unix.RTA_TABLE]; len(v) >= 4 {
		k.Table = native(v)
	}
	if v := attrs[unix.RTA_PRIORITY]; len(v) >= 4 {
		k.Metric = native(v)
	}
	if head.Src_len > 0 {
		k.From = routePrefix(attrs[unix.RTA_SRC], head.Src_len, head.Family)
	}
	r = state.Route{Type: head.Type, Scope: head.Scope}
	r.PrefSrc, _ = netip.AddrFromSlice(attrs[unix.RTA_PREFSRC]) // none: the zero Addr
	if v := attrs[unix.RTA_CACHEINFO]; len(v) >= 12 && head.Family == unix.AF_INET6 {
		if left := int32(native(v[8:])); left > 0 {
			r.Expires = uint32((left + ticks - 1) / ticks)
		}
	}
	option := func(name, value string) {
		if r.Options == nil {
			r.Options = map[string]string{}
		}
		r.Options[name] = value
	}
	if v := attrs[rtaPref]; len(v) > 0 && v[0] == prefHigh {
		option("pref", "high")
	} else if len(v) > 0 && v[0] == prefLow {
		option("pref", "low")
	}
	if v := attrs[unix.RTA_METRICS]; len(v) > 0 {
		if err := readMetrics(v, option); err != nil {
			return k, r, false, err
		}
	}
	switch v := attrs[unix.RTA_MULTIPATH]; {
	case len(v) > 0:
		r.Hops, err = readHops(v, names)
	case r.Type == unix.RTN_UNICAST, r.Type == unix.RTN_LOCAL: // the kernel attaches IPv6 routes that lead nowhere to the loopback
		index := 0
		if oif := attrs[unix.RTA_OIF]; len(oif) >= 4 {
			index = int(native(oif))
		}
		realm := attrs[unix.RTA_FLOW]
		delete(attrs, unix.RTA_FLOW)
		r.Hops = []state.Hop{readHop(attrs, uint8(head.Flags), names[index])}
		if len(realm) >= 4 && native(realm) != 0 {
			option("realm", strconv.FormatUint(uint64(native(realm)), 10))
		}
	}
	return k, r, err == nil, err
}

func readMetrics(v []byte, option func(name, value string)) error {
	all, err := attributesOf(v)
	if err != nil {
		return err
	}
	for number, value := range all {
		switch {
		case number == unix.RTAX_LOCK && len(value) >= 4:
			for i, name := range metrics {
				if name != "" && native(value)&(1<<i) != 0 {
					option(name+locked, "on")
				}
			}
		case int(number) >= len(metrics) || metrics[number] == "":
		case number == unix.RTAX_CC_ALGO:
			option(metrics[number], unix.ByteSliceToString(value))
		case len(value) >= 4 && native(value) != 0:
			option(metrics[number], strconv.FormatUint(uint64(native(value)), 10))
		}
	}
	return nil
}

// readHops reads a list of struct rtnexthop.
func readHops(v []byte, names map[int]string) (hops []state.Hop, err error) {
	for len(v) >= unix.SizeofRtNexthop {
		length := int(binary.NativeEndian.Uint16(v))
		if length < unix.SizeofRtNexthop || length > len(v) {
			return nil, errors.New("a next hop is cut off")
		}
		attrs, err := attributesOf(v[unix.SizeofRtNexthop:length])
		if err != nil {
			return nil, err
		}
		h := readHop(attrs, v[2], names[int(int32(native(v[4:])))])
		h.Weight = int(v[3]) + 1
		hops = append(hops, h)
		v = v[min((length+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(v)):]
	}
	return hops, nil
}

func readHop(attrs map[uint16][]byte, flags uint8, dev string) state.Hop {
	h := state.Hop{Dev: dev, OnLink: flags&unix.RTNH_F_ONLINK != 0}
	h.Via, _ = netip.AddrFromSlice(attrs[unix.RTA_GATEWAY]) // none: the zero Addr
	if v := attrs[unix.RTA_VIA]; len(v) > 2 {
		h.Via, _ = netip.AddrFromSlice(v[2:])
	}
	if v := attrs[unix.RTA_FLOW]; len(v) >= 4 {
		h.Realm = native(v)
	}
	if v := attrs[rtaEncapType]; len(v) >= 2 {
		h.Encap = readTunnel(binary.NativeEndian.Uint16(v), attrs[rtaEncap])
	}
	return h
}

// readTunnel returns a tunnel in the form of state.Hop.
func readTunnel(kind uint16, v []byte) string {
	attrs, err := attributesOf(v)
	if err != nil || kind != encapIP && kind != encapIP6 {
		return fmt.Sprintf("of kind %d", kind)
	}
	text, ttl, class := "ip", " ttl ", " tos "
	if kind == encapIP6 {
		text, ttl, class = "ip6", " hoplimit ", " tc "
	}
	if id := attrs[tunnelID]; len(id) == 8 && binary.BigEndian.Uint64(id) != 0 {
		text += " id " + strconv.FormatUint(binary.BigEndian.Uint64(id), 10)
	}
	for _, a := range []struct {
		word string
		kind uint16
	}{{" src ", tunnelSrc}, {" dst ", tunnelDst}} {
		if addr, ok := netip.AddrFromSlice(attrs[a.kind]); ok && !addr.IsUnspecified() {
			text += a.word + addr.String()
		}
	}
	if v := attrs[tunnelTTL]; len(v) > 0 && v[0] != 0 {
		text += ttl + strconv.Itoa(int(v[0]))
	}
	if v := attrs[tunnelClass]; len(v) > 0 && v[0] != 0 {
		text += class + strconv.Itoa(int(v[0]))
	}
	return text
}

func routePrefix(addr []byte, bits, family uint8) netip.Prefix {
	a, ok := netip.AddrFromSlice(addr)
	switch {
	case ok:
	case family == unix.AF_INET6:
		a = netip.IPv6Unspecified()
	default:
		a = netip.IPv4Unspecified()
	}
	return netip.PrefixFrom(a, int(bits))
}
