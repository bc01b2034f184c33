package router_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
)

// parseConfig reads the terse configuration of a script, in which everything has the default that keepalived gives it:
//
//	VI_1 priority 150 state MASTER nopreempt …
//	service 192.0.2.10:80 quorum 2 sorry 10.0.0.9:80 …
//	server 10.0.0.2:80 weight 3 retry 2 …
//	script web weight 20 interval 2s rise 3 …
//	file load weight -1 file /run/load
//	process bird weight 5
//
// An instance tracks things by name: track script:web,interface:eth1=-40,file:load.
func parseConfig(lines []string) (*ir.Config, error) {
	cfg := &ir.Config{}
	for _, line := range lines {
		words := strings.Fields(line)
		var err error
		switch words[0] {
		case "service":
			var v *ir.VirtualServer
			v, err = parseService(words[1:])
			cfg.VirtualServers = append(cfg.VirtualServers, v)
		case "script":
			var x *ir.Script
			x, err = parseScript(words[1:])
			cfg.Scripts = append(cfg.Scripts, x)
		case "file":
			f := &ir.TrackFile{Name: words[1], Weight: ir.Weight{N: signed(words[3])}}
			if len(words) > 5 {
				f.File = words[5]
			}
			cfg.TrackFiles = append(cfg.TrackFiles, f)
		case "process":
			cfg.TrackProcesses = append(cfg.TrackProcesses, &ir.TrackProcess{Name: words[1], Weight: ir.Weight{N: signed(words[3])}})
		case "server":
			v := cfg.VirtualServers[len(cfg.VirtualServers)-1]
			var r *ir.RealServer
			r, err = parseServer(words[1:])
			v.RealServers = append(v.RealServers, r)
		default:
			var v *ir.VRRPInstance
			v, err = parseInstance(words)
			cfg.Instances = append(cfg.Instances, v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	link(cfg)
	return cfg, nil
}

func parseInstance(words []string) (*ir.VRRPInstance, error) {
	v := &ir.VRRPInstance{
		Name: words[0], Interface: "eth0", VRID: 51, Priority: 100, Version: 2, AdvertInterval: time.Second, DownTimerAdverts: 3,
		Auth:            ir.Authentication{Type: ir.AuthPass, Pass: ir.NewSecret("s3cr3t")},
		GARPMasterDelay: 5 * time.Second, GARPMasterRepeat: 5, GARPMasterRefreshRepeat: 1, GARPLowerPrioDelay: 5 * time.Second, GARPLowerPrioRepeat: 5,
	}
	addresses := "192.0.2.10/24"
	for words = words[1:]; len(words) > 0; words = words[1:] {
		k := words[0]
		switch k {
		case "nopreempt":
			v.NoPreempt = true
			continue
		case "lower_prio_no_advert":
			v.LowerPrioNoAdvert = true
			continue
		case "higher_prio_send_advert":
			v.HigherPrioSendAdvert = true
			continue
		}
		words = words[1:]
		switch x := words[0]; k {
		case "state":
			v.State = ir.Backup
			if x == "MASTER" {
				v.State = ir.Master
			}
		case "interface":
			v.Interface = x
		case "vrid":
			v.VRID = number[uint8](x)
		case "priority":
			v.Priority = number[uint8](x)
		case "version":
			v.Version, v.Auth = number[uint8](x), ir.Authentication{}
		case "interval":
			v.AdvertInterval = duration(x)
		case "preempt_delay":
			v.PreemptDelay = duration(x)
		case "pass":
			v.Auth.Pass = ir.NewSecret(x)
		case "source":
			v.SourceAddr = netip.MustParseAddr(x)
		case "addresses":
			addresses = x
		case "garp_refresh":
			v.GARPMasterRefresh = duration(x)
		case "garp_delay":
			v.GARPMasterDelay = duration(x)
		case "track":
			for _, t := range strings.Split(x, ",") {
				addTracker(v, t)
			}
		default:
			return nil, fmt.Errorf("unknown word %s", k)
		}
	}
	for _, a := range strings.Split(addresses, ",") {
		a, excluded := strings.CutPrefix(a, "excluded:")
		v.Addresses = append(v.Addresses, ir.Address{Prefix: netip.MustParsePrefix(a), Dev: v.Interface, Excluded: excluded})
	}
	return v, nil
}

// link gives what instances track the weights of its blocks, as the compiler does.
func link(cfg *ir.Config) {
	weights := map[string]*ir.Weight{}
	for _, s := range cfg.Scripts {
		weights["script "+s.Name] = &s.Weight
	}
	for _, f := range cfg.TrackFiles {
		weights["file "+f.Name] = &f.Weight
	}
	for _, p := range cfg.TrackProcesses {
		weights["process "+p.Name] = &p.Weight
	}
	for _, v := range cfg.Instances {
		for t := range v.Lines() {
			own, known := weights[string(t.Kind)+" "+t.Name]
			if t.Unknown = !known && t.Kind != ir.InterfaceTracker; t.Weight == nil {
				t.Weight = cmp.Or(own, &ir.Weight{})
			}
		}
	}
}

// addTracker adds "script:web" or "script:web=-20" to what an instance tracks.
func addTracker(v *ir.VRRPInstance, text string) {
	kind, name, _ := strings.Cut(text, ":")
	name, weight, own := strings.Cut(name, "=")
	t := ir.Track{Name: name}
	if own {
		t.Weight = &ir.Weight{N: signed(weight)}
	}
	list := map[string]*[]ir.Track{
		"script": &v.TrackScripts, "interface": &v.TrackInterfaces, "file": &v.TrackFiles, "process": &v.TrackProcesses,
	}[kind]
	*list = append(*list, t)
}

func parseScript(words []string) (*ir.Script, error) {
	s := &ir.Script{Name: words[0], Command: ir.Command{Args: []string{words[0]}}, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}
	for words = words[1:]; len(words) > 0; words = words[2:] {
		switch k, x := words[0], words[1]; k {
		case "weight":
			s.Weight.N = signed(x)
		case "interval":
			s.Interval = duration(x)
		case "rise":
			s.Rise = number[int](x)
		case "fall":
			s.Fall = number[int](x)
		case "command":
			s.Command.Args = []string{x}
		default:
			return nil, fmt.Errorf("unknown word %s", k)
		}
	}
	return s, nil
}

func parseService(words []string) (*ir.VirtualServer, error) {
	addr := netip.MustParseAddrPort(words[0])
	v := &ir.VirtualServer{Key: ir.ServiceKey{Protocol: ir.TCP, Addr: addr.Addr(), Port: addr.Port()}, Scheduler: "wlc", Quorum: 1}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		k := words[0]
		if k == "alpha" {
			v.Alpha = true
			continue
		}
		words = words[1:]
		switch x := words[0]; k {
		case "quorum":
			v.Quorum = number[uint32](x)
		case "hysteresis":
			v.Hysteresis = number[uint32](x)
		case "sorry":
			v.SorryServer = &ir.RealServer{Addr: netip.MustParseAddrPort(x), Weight: 1}
		default:
			return nil, fmt.Errorf("unknown word %s", k)
		}
	}
	return v, nil
}

func parseServer(words []string) (*ir.RealServer, error) {
	r := &ir.RealServer{Addr: netip.MustParseAddrPort(words[0]), Weight: 1}
	c := &ir.Check{
		Checker: &ir.TCPCheck{}, Connection: ir.Connection{Target: r.Addr},
		CheckTiming: ir.CheckTiming{ConnectTimeout: 5 * time.Second, DelayLoop: 10 * time.Second, DelayBeforeRetry: time.Second, Retry: 1},
	}
	r.Checks = []*ir.Check{c}
	for words = words[1:]; len(words) > 0; words = words[1:] {
		k := words[0]
		switch k {
		case "alpha":
			r.Alpha, c.Alpha = true, true
			continue
		case "inhibit":
			r.InhibitOnFailure = true
			continue
		case "unchecked":
			r.Checks = nil
			continue
		}
		words = words[1:]
		switch x := words[0]; k {
		case "weight":
			r.Weight = number[int](x)
		case "retry":
			c.Retry = number[int](x)
		case "delay_loop":
			c.DelayLoop = duration(x)
		case "delay_before_retry":
			c.DelayBeforeRetry = duration(x)
		case "warmup":
			c.Warmup = duration(x)
		case "also": // a second check, of a different port
			also := *c
			also.Target = netip.MustParseAddrPort(x)
			r.Checks = append(r.Checks, &also)
		default:
			return nil, fmt.Errorf("unknown word %s", k)
		}
	}
	return r, nil
}

func number[T ~int | ~uint8 | ~uint32](s string) T {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		panic(err)
	}
	return T(n)
}

func signed(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

// sorted lists the keys of a map as people read them.
func sorted[K interface {
	comparable
	fmt.Stringer
}, V any](m map[K]V) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int { return cmp.Compare(a.String(), b.String()) })
}
