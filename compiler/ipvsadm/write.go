// Package ipvsadm writes and reads IPVS rules in the format of ipvsadm: the lines that ipvsadm -Sn prints, that
// ipvsadm -R restores, and that people type.
package ipvsadm

import (
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net/netip"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Flags of a service that have words (linux/ip_vs.h).
const flagOnePacket = 0x04

// Write writes the virtual servers of a state, each followed by its real servers, and the timeouts.
func Write(w io.Writer, s state.State) error {
	var b strings.Builder
	if t, ok := s.Timeouts[state.TimeoutsKey{}]; ok {
		fmt.Fprintf(&b, "--set %d %d %d\n", seconds(t.TCP), seconds(t.TCPFin), seconds(t.UDP))
	}
	servers := map[ir.ServiceKey][]state.DestinationKey{}
	for k := range s.Destinations {
		servers[k.Service] = append(servers[k.Service], k)
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.Services), ir.ServiceKey.Compare) {
		fmt.Fprintf(&b, "-A %s%s\n", name(k), serviceWords(s.Services[k], k))
		slices.SortFunc(servers[k], func(a, b state.DestinationKey) int { return a.Server.Compare(b.Server) })
		for _, d := range servers[k] {
			fmt.Fprintf(&b, "-a %s -r %s%s\n", name(k), d.Server, serverWords(s.Destinations[d]))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the rules: %w", err)
	}
	return nil
}

// name is how ipvsadm names a service.
func name(k ir.ServiceKey) string {
	if k.FWMark != 0 {
		text := fmt.Sprint("-f ", k.FWMark)
		if k.IPv6 {
			text += " -6"
		}
		return text
	}
	flag := "-t"
	switch k.Protocol {
	case ir.UDP:
		flag = "-u"
	case ir.SCTP:
		flag = "--sctp-service"
	}
	return flag + " " + netip.AddrPortFrom(k.Addr, k.Port).String()
}

func serviceWords(s state.Service, k ir.ServiceKey) string {
	text := " -s " + s.Scheduler
	if s.Persistence > 0 {
		text += fmt.Sprint(" -p ", seconds(s.Persistence))
		if mask := s.Granularity(); mask != "" {
			text += " -M " + mask
		}
		if s.Engine != "" {
			text += " --pe " + s.Engine
		}
	}
	if s.Flags&flagOnePacket != 0 {
		text += " -o"
	}
	if flags := schedulerFlags(s.Flags); len(flags) > 0 {
		text += " -b " + strings.Join(flags, ",")
	}
	return text
}

// schedulerFlags names the flags as the scheduler knows them.
func schedulerFlags(flags uint32) (list []string) {
	for rest := flags >> 3 & 7; rest != 0; rest &= rest - 1 {
		list = append(list, fmt.Sprintf("flag-%d", bits.TrailingZeros32(rest)+1))
	}
	return list
}

func serverWords(d state.Destination) string {
	text := " " + [...]string{ir.NAT: "-m", ir.DR: "-g", ir.TUN: "-i"}[d.Forwarding] + fmt.Sprint(" -w ", d.Weight)
	if d.Forwarding == ir.TUN && d.Tunnel != (ir.Tunnel{}) {
		text += " --tun-type " + d.Tunnel.Type.String()
		if d.Tunnel.Port > 0 {
			text += fmt.Sprint(" --tun-port ", d.Tunnel.Port)
		}
		if d.Tunnel.Type != ir.IPIP {
			text += " --tun-" + d.Tunnel.Checksum.String()
		}
	}
	if d.UpperThreshold > 0 {
		text += fmt.Sprint(" -x ", d.UpperThreshold)
	}
	if d.LowerThreshold > 0 {
		text += fmt.Sprint(" -y ", d.LowerThreshold)
	}
	return text
}
