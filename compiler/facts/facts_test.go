package facts_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keepc/compiler/facts"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/state"
)

var _ lint.Host = &facts.Host{}

// full is a kernel with one object of every kind.
func full() state.State {
	s := state.New()
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	s.Addresses[state.AddressKey{Dev: "eth0", Prefix: prefix("10.0.0.3/24")}] = state.Address{Label: "eth0:0", Broadcast: addr("10.0.0.255")}
	s.Addresses[state.AddressKey{Dev: "eth0", Prefix: prefix("10.0.2.7/32")}] = state.Address{Scope: 253, Peer: prefix("10.0.2.9/32")}
	s.Addresses[state.AddressKey{Dev: "eth0", Prefix: prefix("2001:db8::3/64")}] = state.Address{NoDAD: true}
	s.Routes[state.RouteKey{Table: 254, Dst: prefix("0.0.0.0/0"), Protocol: 3}] = state.Route{Type: 1, Hops: []state.Hop{{Via: addr("10.0.0.1"), Dev: "eth0"}}}
	s.Routes[state.RouteKey{Table: 100, Dst: prefix("10.8.0.0/16"), TOS: 4, Metric: 7, Protocol: 18}] = state.Route{
		Type: 1, Scope: 253, PrefSrc: addr("10.0.0.3"), Options: map[string]string{"mtu": "1400"},
		Hops: []state.Hop{{Via: addr("10.0.0.8"), Dev: "eth0", Weight: 1, OnLink: true}, {Via: addr("10.0.0.9"), Dev: "eth0", Weight: 3}},
	}
	s.Routes[state.RouteKey{Table: 254, Dst: prefix("2001:db8:1::/48"), Metric: 1024, Protocol: 18}] = state.Route{Type: 6}
	s.Rules[state.RuleKey{Priority: 100, From: prefix("10.8.0.0/16"), Action: 1, Table: 100, SuppressBelow: 1, Protocol: 18}] = state.Rule{}
	s.Rules[state.RuleKey{
		IPv6: true, Priority: 200, Not: true, To: prefix("2001:db8::/32"), IIF: "eth0", TOS: 16, Mark: 7, Mask: 15, IPProto: 6,
		DPort: state.Range{First: 80, Last: 90}, Action: 8, Protocol: 4,
	}] = state.Rule{}
	web := ir.ServiceKey{Protocol: ir.TCP, Addr: addr("10.0.0.3"), Port: 80}
	mark := ir.ServiceKey{FWMark: 7, IPv6: true}
	s.Services[web] = state.Service{Scheduler: "wrr", Persistence: 50 * time.Second, Mask: ir.MaskOf(24, false), Flags: 8}
	s.Services[mark] = state.Service{Scheduler: "rr"}
	s.Destinations[state.DestinationKey{Service: web, Server: netip.MustParseAddrPort("10.0.0.7:80")}] = state.Destination{Weight: 1, Forwarding: ir.DR, UpperThreshold: 9}
	s.Destinations[state.DestinationKey{Service: web, Server: netip.MustParseAddrPort("10.0.0.8:80")}] = state.Destination{Weight: 0, Forwarding: ir.TUN}
	return s
}

// TestCarried checks that nothing is lost on the way to another machine.
func TestCarried(t *testing.T) {
	host := &facts.Host{
		Version: facts.Version, Name: "lb01", Kernel: "6.1.0", Keepalived: "2.2.7", IPVS: facts.Read, Users: []string{"root"},
		Links:   []facts.Link{{Name: "lo", Up: true, MTU: 65536}, {Name: "eth0", Up: true, MTU: 1500, MAC: "02:00:00:00:00:01"}},
		Sysctls: map[string]string{"net.ipv4.ip_forward": "1"},
	}
	host.SetState(full())
	host.AddFile("/usr/bin/chk", 0o755, 1000, 7, true)
	var text bytes.Buffer
	if err := host.Write(&text); err != nil {
		t.Fatal(err)
	}
	read, err := facts.Parse(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	values := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{}), cmpopts.IgnoreTypes(state.Provenance{})}
	if d := cmp.Diff(host, read, values); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(full(), read.State(), values); d != "" {
		t.Error(d)
	}
	golden(t, text.Bytes())
}

// golden is the document's form: a change needs a new version, or only adds a field.
func golden(t *testing.T, got []byte) {
	t.Helper()
	file := filepath.Join("..", "..", "testdata", "facts", "full.json")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: got\n%s", err, got)
	}
}

func TestHost(t *testing.T) {
	h := &facts.Host{Users: facts.Users([]byte("root:x:0:0:root:/root:/bin/sh\n# nobody:\n\ndaemon:x:1:1::/:/bin/false\n"))}
	h.AddUser("ldapuser")
	h.AddUser("root")
	h.AddFile("/no/such", 0, 0, 0, false)
	h.AddFile("/usr/bin", fs.ModeDir|0o755, 0, 0, true)
	h.AddFile("/var/spool", fs.ModeDir|fs.ModeSticky|0o777, 0, 0, true)
	h.AddFile("/etc/keepalived/keepalived.conf", 0o644, 0, 0, true)
	if got := strings.Join(h.Users, " "); got != "daemon ldapuser root" {
		t.Errorf("users: %s", got)
	}
	for path, want := range map[string]fs.FileMode{"/usr/bin": fs.ModeDir | 0o755, "/var/spool": fs.ModeDir | fs.ModeSticky | 0o777, "/etc/keepalived/keepalived.conf": 0o644, "/never/asked": 0o700} {
		if mode, here := h.Mode(path); !here || mode != want {
			t.Errorf("%s: %v, %v", path, mode, here)
		}
	}
	h.AddFile("/srv/chk", 0o755, 1000, 7, true)
	if uid, gid := h.Owner("/srv/chk"); uid != 1000 || gid != 7 {
		t.Errorf("/srv/chk belongs to %d and %d", uid, gid)
	}
	if _, here := h.Mode("/no/such"); here {
		t.Error("/no/such is here")
	}
	if _, here := h.Networks("eth0"); here || h.User("nobody") {
		t.Error("what is not among the facts is not here")
	}
}

// service is a facts file with one persistent service.
func service(fields string) string {
	return `{"version":1,"services":[{"protocol":"tcp","scheduler":"rr","persistence":50,` + fields + `,"real_servers":[]}]}`
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"":              "not a facts file",
		"[]":            "not a facts file",
		`{"version":2}`: "facts of version 2; this keepc reads version 1",
		"{}":            "facts of version 0",

		service(`"address":"10.0.0.1","port":80,"mask":-9223372036854775808`): "tcp 10.0.0.1:80: mask -9223372036854775808 is not in the range 0..32",
		service(`"address":"10.0.0.1","port":80,"mask":-1`):                   "mask -1 is not in the range 0..32",
		service(`"address":"10.0.0.1","port":80,"mask":99`):                   "mask 99 is not in the range 0..32",
		service(`"address":"2001:db8::1","port":80,"mask":129`):               "mask 129 is not in the range 0..128",
		service(`"fwmark":7,"ipv6":true,"mask":-1`):                           "mask -1 is not in the range 0..128",
		service(`"address":"10.0.0.1","port":80,"netmask":"::1"`):             `netmask "::1" is not one of IPv4`,
		service(`"address":"10.0.0.1","port":80,"netmask":"x"`):               `netmask "x" is not one of IPv4`,
		service(`"address":"2001:db8::1","port":80,"netmask":"255.0.0.0"`):    `netmask "255.0.0.0" is not one of IPv4`,
	} {
		if _, err := facts.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, fields := range []string{`"mask":32`, `"netmask":"255.0.255.0"`} {
		if _, err := facts.Parse([]byte(service(`"address":"10.0.0.1","port":80,` + fields))); err != nil {
			t.Errorf("%s: %v", fields, err)
		}
	}
	if h, err := facts.Parse([]byte(`{"version":1,"later":{"a":1}}`)); err != nil || !json.Valid([]byte(h.Name+"0")) {
		t.Errorf("a field that is not known: %v", err)
	}
}

func TestKeepalivedVersion(t *testing.T) {
	for text, want := range map[string]string{"Keepalived v2.2.7 (01/16,2022)\n\nCopyright": "2.2.7", "Keepalived v2.4.3": "2.4.3", "sh: not found": ""} {
		if got := facts.KeepalivedVersion(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
