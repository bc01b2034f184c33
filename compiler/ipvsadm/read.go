package ipvsadm

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// Defaults of ipvsadm.
const (
	defaultScheduler   = "wlc"
	defaultPersistence = 300 // seconds
)

// maxTimeout is the longest timeout of IPVS, in seconds.
const maxTimeout = 31 * 24 * 3600

// Apply changes a state as a line tells ipvsadm to: -A, -E, -a, -e, -C or --set. The line may begin with the name of
// the program; the line of timeouts that ipvsadm -L --timeout prints is accepted too. It returns an error, and leaves
// the state unchanged, if the line is not such a rule or contradicts what came before.
func Apply(s *state.State, line string) error {
	words := strings.Fields(line)
	if i := slices.IndexFunc(words, program); i >= 0 {
		words = words[i+1:]
	}
	if len(words) == 7 && words[0] == "Timeout" { // "Timeout (tcp tcpfin udp): 30 5 60"
		return setTimeouts(s, words[4:])
	}
	r, err := parse(words)
	if err != nil {
		return err
	}
	switch {
	case r.set:
		return setTimeouts(s, r.rest)
	case len(r.rest) > 0:
		return fmt.Errorf("%q is one word too many", r.rest[0])
	case r.clear:
		clear(s.Services)
		clear(s.Destinations)
		return nil
	}
	k, err := r.key()
	if err != nil {
		return err
	}
	if r.addService || r.editService {
		return r.service(s, k)
	}
	return r.server(s, k)
}

// Rule reports whether a line looks like one of ipvsadm.
func Rule(line string) bool {
	words := strings.Fields(line)
	return len(words) > 0 && (strings.HasPrefix(words[0], "-") || words[0] == "Timeout" || slices.ContainsFunc(words[:min(2, len(words))], program))
}

// program reports whether a word is the name of the program.
func program(word string) bool { return word == "ipvsadm" || strings.HasSuffix(word, "/ipvsadm") }

// A rule is a line of ipvsadm as written.
type rule struct {
	addService, editService, addServer, editServer, clear, set bool

	tcp, udp, sctp string
	mark           uint32
	six            bool

	scheduler, mask, engine, flags string
	persistence                    int64
	ops                            bool

	real              string
	direct, ipip, nat bool
	weight            int32
	upper, lower      uint32

	tunnel                string
	tunnelPort            uint16
	noSum, sum, remoteSum bool

	rest []string
}

func parse(words []string) (r rule, err error) {
	f := pflag.NewFlagSet("ipvsadm", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVarP(&r.addService, "add-service", "A", false, "")
	f.BoolVarP(&r.editService, "edit-service", "E", false, "")
	f.BoolVarP(&r.addServer, "add-server", "a", false, "")
	f.BoolVarP(&r.editServer, "edit-server", "e", false, "")
	f.BoolVarP(&r.clear, "clear", "C", false, "")
	f.BoolVar(&r.set, "set", false, "")

	f.StringVarP(&r.tcp, "tcp-service", "t", "", "")
	f.StringVarP(&r.udp, "udp-service", "u", "", "")
	f.StringVar(&r.sctp, "sctp-service", "", "")
	f.Uint32VarP(&r.mark, "fwmark-service", "f", 0, "")
	f.BoolVarP(&r.six, "ipv6", "6", false, "")

	f.StringVarP(&r.scheduler, "scheduler", "s", defaultScheduler, "")
	f.Int64VarP(&r.persistence, "persistent", "p", 0, "")
	f.Lookup("persistent").NoOptDefVal = strconv.Itoa(defaultPersistence)
	f.StringVarP(&r.mask, "netmask", "M", "", "")
	f.StringVar(&r.engine, "pe", "", "")
	f.BoolVarP(&r.ops, "ops", "o", false, "")
	f.StringVarP(&r.flags, "sched-flags", "b", "", "")

	f.StringVarP(&r.real, "real-server", "r", "", "")
	f.BoolVarP(&r.direct, "gatewaying", "g", false, "")
	f.BoolVarP(&r.ipip, "ipip", "i", false, "")
	f.BoolVarP(&r.nat, "masquerading", "m", false, "")
	f.Int32VarP(&r.weight, "weight", "w", 1, "")
	f.Uint32VarP(&r.upper, "u-threshold", "x", 0, "")
	f.Uint32VarP(&r.lower, "l-threshold", "y", 0, "")
	f.StringVar(&r.tunnel, "tun-type", ir.IPIP.String(), "")
	f.Uint16Var(&r.tunnelPort, "tun-port", 0, "")
	f.BoolVar(&r.noSum, "tun-nocsum", false, "")
	f.BoolVar(&r.sum, "tun-csum", false, "")
	f.BoolVar(&r.remoteSum, "tun-remcsum", false, "")
	f.BoolP("numeric", "n", false, "")

	if err := f.Parse(joinPersistence(words)); err != nil {
		return r, err
	}
	r.rest = f.Args()
	commands := 0
	for _, c := range []bool{r.addService, r.editService, r.addServer, r.editServer, r.clear, r.set} {
		if c {
			commands++
		}
	}
	if commands != 1 {
		return r, errors.New("expected one of -A, -E, -a, -e, -C and --set")
	}
	return r, nil
}

// joinPersistence joins -p with the number after it, which may be missing.
func joinPersistence(words []string) []string {
	words = slices.Clone(words)
	for i := range len(words) - 1 {
		if words[i] != "-p" && words[i] != "--persistent" {
			continue
		}
		if _, err := strconv.Atoi(words[i+1]); err == nil {
			words[i] += "=" + words[i+1]
			return slices.Delete(words, i+1, i+2)
		}
	}
	return words
}

// key is the service that a rule is about.
func (r rule) key() (k ir.ServiceKey, err error) {
	names := 0
	for _, s := range []struct {
		text     string
		protocol ir.Protocol
	}{{r.tcp, ir.TCP}, {r.udp, ir.UDP}, {r.sctp, ir.SCTP}} {
		if s.text == "" {
			continue
		}
		names++
		var at netip.AddrPort
		if at, err = address(s.text, 0); err != nil {
			return k, err
		}
		k = ir.ServiceKey{Protocol: s.protocol, Addr: at.Addr(), Port: at.Port()}
	}
	if r.mark != 0 {
		names++
		k = ir.ServiceKey{FWMark: r.mark, IPv6: r.six}
	}
	if names != 1 {
		return k, errors.New("expected one service: -t, -u, --sctp-service or -f")
	}
	return k, nil
}

// address reads an address with its port; without one it is that of the service.
func address(text string, port uint16) (netip.AddrPort, error) {
	if at, err := netip.ParseAddrPort(text); err == nil && at.Addr().Zone() == "" {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil || a.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address and a port in numbers, as ipvsadm -Sn prints them", text)
	}
	return netip.AddrPortFrom(a.Unmap(), port), nil
}

func (r rule) service(s *state.State, k ir.ServiceKey) error {
	if err := known(s.Services, k, r.editService); err != nil {
		return err
	}
	v := state.Service{Scheduler: r.scheduler, Engine: r.engine, Persistence: time.Duration(r.persistence) * time.Second}
	if r.persistence < 0 || r.persistence > maxTimeout {
		return fmt.Errorf("-p %d is outside 0..%d seconds", r.persistence, maxTimeout)
	}
	var err error
	if v.Mask, err = r.clientMask(k.Is6()); err != nil {
		return err
	}
	if v.Flags, err = flags(r.flags); err != nil {
		return err
	}
	if r.ops {
		v.Flags |= flagOnePacket
	}
	s.Services[k] = v
	return nil
}

// known checks that an object that is edited exists, and that one that is added does not.
func known[K interface {
	comparable
	state.Key
}, V any](objects map[K]V, k K, edit bool) error {
	if _, ok := objects[k]; ok != edit {
		if ok {
			return fmt.Errorf("%s is there already", k)
		}
		return fmt.Errorf("there is no %s to edit", k)
	}
	return nil
}

// clientMask says which clients count as one; 0 if the rule has no persistence.
func (r rule) clientMask(v6 bool) (ir.ClientMask, error) {
	whole := 32
	if v6 {
		whole = 128
	}
	if r.mask == "" {
		if r.persistence == 0 {
			return 0, nil
		}
		return ir.MaskOf(whole, v6), nil
	}
	if n, err := strconv.Atoi(r.mask); err == nil && n >= 1 && n <= whole {
		return ir.MaskOf(n, v6), nil
	}
	if a, err := netip.ParseAddr(r.mask); err == nil && a.Is4() && !v6 && ir.MaskFrom(a) != 0 {
		return ir.MaskFrom(a), nil
	}
	return 0, fmt.Errorf("%q is not a netmask", r.mask)
}

// flags reads the names of flags of the scheduler.
func flags(text string) (all uint32, err error) {
	if text == "" {
		return 0, nil
	}
	bit := map[string]uint32{
		"flag-1": 0x08, "flag-2": 0x10, "flag-3": 0x20,
		"sh-fallback": 0x08, "sh-port": 0x10, "mh-fallback": 0x08, "mh-port": 0x10,
	}
	for _, word := range strings.Split(text, ",") {
		if bit[word] == 0 {
			return 0, fmt.Errorf("%q is not a flag of a scheduler", word)
		}
		all |= bit[word]
	}
	return all, nil
}

func (r rule) server(s *state.State, k ir.ServiceKey) error {
	if _, ok := s.Services[k]; !ok {
		return fmt.Errorf("there is no %s yet: its -A line must come before", k)
	}
	at, err := address(r.real, k.Port)
	if err != nil {
		return err
	}
	d := state.Destination{Forwarding: ir.DR, Weight: int(r.weight), UpperThreshold: r.upper, LowerThreshold: r.lower}
	switch {
	case r.weight < 0:
		return fmt.Errorf("-w %d is negative", r.weight)
	case r.direct && (r.ipip || r.nat) || r.ipip && r.nat:
		return errors.New("expected one of -g, -i and -m")
	case r.nat:
		d.Forwarding = ir.NAT
	case r.ipip:
		d.Forwarding = ir.TUN
		if d.Tunnel, err = r.tunnelOf(); err != nil {
			return err
		}
	}
	key := state.DestinationKey{Service: k, Server: at}
	if err := known(s.Destinations, key, r.editServer); err != nil {
		return err
	}
	s.Destinations[key] = d
	return nil
}

// tunnelOf is the tunnel of a real server.
func (r rule) tunnelOf() (t ir.Tunnel, err error) {
	for _, kind := range []ir.TunnelType{ir.IPIP, ir.GUE, ir.GRE} {
		if kind.String() == r.tunnel {
			t.Type = kind
		}
	}
	switch {
	case t.Type.String() != r.tunnel:
		return t, fmt.Errorf("%q is not a type of tunnel: expected ipip, gue or gre", r.tunnel)
	case (t.Type == ir.GUE) != (r.tunnelPort != 0):
		return t, errors.New("--tun-port belongs to gue, which needs it")
	case t.Type == ir.IPIP:
		return t, nil
	case r.remoteSum:
		t.Checksum = ir.RemoteChecksum
	case r.sum:
		t.Checksum = ir.Checksum
	}
	t.Port = r.tunnelPort
	return t, nil
}

// setTimeouts sets the timeouts of TCP connections, of those with FIN, and of UDP; 0 leaves a timeout unchanged.
func setTimeouts(s *state.State, words []string) error {
	if len(words) != 3 {
		return errors.New("expected three numbers of seconds: tcp, tcpfin, udp")
	}
	t := s.Timeouts[state.TimeoutsKey{}]
	for i, at := range []*time.Duration{&t.TCP, &t.TCPFin, &t.UDP} {
		n, err := strconv.ParseUint(words[i], 10, 32)
		if err != nil || n > maxTimeout {
			return fmt.Errorf("%q is not a number of seconds from 0 to %d", words[i], maxTimeout)
		}
		if n > 0 {
			*at = time.Duration(n) * time.Second
		}
	}
	if t.Timeouts != (ir.Timeouts{}) {
		s.Timeouts[state.TimeoutsKey{}] = t
	}
	return nil
}
