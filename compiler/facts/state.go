package facts

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// SetState records what a kernel has. Interfaces come first: an address whose interface is unknown is left out.
func (h *Host) SetState(s state.State) {
	for i := range h.Links {
		h.Links[i].Addresses = []Address{}
	}
	for k, a := range s.Addresses {
		if l := h.Link(k.Dev); l != nil {
			l.Addresses = append(l.Addresses, Address{k.Prefix, a})
		}
	}
	for _, l := range h.Links {
		slices.SortFunc(l.Addresses, func(a, b Address) int { return comparePrefixes(a.Prefix, b.Prefix) })
	}
	h.Timeouts = nil
	if t, ok := s.Timeouts[state.TimeoutsKey{}]; ok {
		h.Timeouts = []int{int(t.TCP / time.Second), int(t.TCPFin / time.Second), int(t.UDP / time.Second)}
	}
	h.Routes, h.Rules, h.Services = []Route{}, []Rule{}, []Service{}
	for k, r := range s.Routes {
		h.Routes = append(h.Routes, Route{k, r})
	}
	slices.SortFunc(h.Routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), comparePrefixes(a.Dst, b.Dst), cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.TOS, b.TOS),
			cmp.Compare(a.Protocol, b.Protocol))
	})
	for k, r := range s.Rules {
		h.Rules = append(h.Rules, Rule{k, r})
	}
	slices.SortFunc(h.Rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.RuleKey.String(), b.RuleKey.String()))
	})
	servers := map[ir.ServiceKey][]Server{}
	for k, d := range s.Destinations {
		servers[k.Service] = append(servers[k.Service], Server{k.Server, d.Weight, d.Forwarding.String(), d.UpperThreshold, d.LowerThreshold, d.Tunnel})
	}
	for k, v := range s.Services {
		list := append([]Server{}, servers[k]...)
		slices.SortFunc(list, func(a, b Server) int { return a.Address.Compare(b.Address) })
		protocol := ""
		if k.FWMark == 0 {
			protocol = k.Protocol.String()
		}
		mask, netmask := 0, ""
		if n, leads := v.Mask.Length(); leads {
			mask = n
		} else {
			netmask = v.Mask.String()
		}
		h.Services = append(h.Services, Service{
			protocol, k.Addr, k.Port, k.FWMark, k.IPv6, v.Scheduler, int(v.Persistence / time.Second), mask, netmask, v.Engine, v.Flags, list,
		})
	}
	slices.SortFunc(h.Services, func(a, b Service) int { return strings.Compare(a.key().String(), b.key().String()) })
	h.setObjects(s)
}

// others are the kinds whose objects have no list of their own in the document.
func others() []state.AnyKind {
	return slices.DeleteFunc(state.Kinds(), func(k state.AnyKind) bool {
		switch k {
		case state.AddressKind, state.RouteKind, state.RuleKind, state.ServiceKind, state.DestinationKind, state.TimeoutsKind:
			return true
		}
		return false
	})
}

func (h *Host) setObjects(s state.State) {
	h.Objects = nil
	for _, kind := range others() {
		var list []json.RawMessage
		for k, o := range kind.All(s) {
			if text, err := kind.Encode(k, o); err == nil { // keys and objects are plain data
				list = append(list, text)
			}
		}
		if len(list) == 0 {
			continue
		}
		slices.SortFunc(list, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
		if h.Objects == nil {
			h.Objects = map[string][]json.RawMessage{}
		}
		h.Objects[kind.About().Name] = list
	}
}

// objects adds what setObjects recorded. What it cannot read comes from a newer keepc.
func (h *Host) objects(s state.State) {
	for _, kind := range others() {
		for _, text := range h.Objects[kind.About().Name] {
			if k, o, err := kind.Decode(text); err == nil {
				kind.Put(s, k, o)
			}
		}
	}
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// State returns what the kernel has.
func (h *Host) State() state.State {
	s := state.New()
	for _, l := range h.Links {
		for _, a := range l.Addresses {
			s.Addresses[state.AddressKey{Dev: l.Name, Prefix: a.Prefix}] = a.Address
		}
	}
	for _, r := range h.Routes {
		s.Routes[r.RouteKey] = r.Route
	}
	for _, r := range h.Rules {
		s.Rules[r.RuleKey] = r.Rule
	}
	if t := h.Timeouts; len(t) == 3 {
		s.Timeouts[state.TimeoutsKey{}] = state.Timeouts{Timeouts: ir.Timeouts{
			TCP: time.Duration(t[0]) * time.Second, TCPFin: time.Duration(t[1]) * time.Second, UDP: time.Duration(t[2]) * time.Second,
		}}
	}
	for _, v := range h.Services {
		k := v.key()
		mask, _ := v.clientMask() // Parse has judged it
		s.Services[k] = state.Service{
			Scheduler: v.Scheduler, Persistence: time.Duration(v.Persistence) * time.Second, Mask: mask, Engine: v.Engine, Flags: v.Flags,
		}
		for _, d := range v.Servers {
			s.Destinations[state.DestinationKey{Service: k, Server: d.Address}] = state.Destination{
				Weight: d.Weight, Forwarding: forwarding(d.Forwarding), UpperThreshold: d.UpperThreshold, LowerThreshold: d.LowerThreshold, Tunnel: d.Tunnel,
			}
		}
	}
	h.objects(s)
	return s
}

func (v Service) key() ir.ServiceKey {
	k := ir.ServiceKey{Addr: v.Address, Port: v.Port, FWMark: v.FWMark, IPv6: v.IPv6}
	for _, p := range []ir.Protocol{ir.TCP, ir.UDP, ir.SCTP} {
		if p.String() == v.Protocol {
			k.Protocol = p
		}
	}
	return k
}

// clientMask says which clients count as one.
func (v Service) clientMask() (m ir.ClientMask, err error) {
	v6 := v.key().Is6()
	if longest := ir.LongestMask(v6); v.Mask < 0 || v.Mask > longest {
		return m, fmt.Errorf("mask %d is not in the range 0..%d", v.Mask, longest)
	}
	if v.Netmask == "" {
		return ir.MaskOf(v.Mask, v6), nil
	}
	a, err := netip.ParseAddr(v.Netmask)
	if err != nil || !a.Is4() || v6 {
		return m, fmt.Errorf("netmask %q is not one of IPv4", v.Netmask)
	}
	return ir.MaskFrom(a), nil
}

func forwarding(word string) ir.Forwarding {
	for _, f := range []ir.Forwarding{ir.DR, ir.TUN} {
		if f.String() == word {
			return f
		}
	}
	return ir.NAT
}
