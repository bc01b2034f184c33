package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestWireRules compares what the rules about the wire say about two routers with what happens to them: if a finding says that both become
// MASTER, both are in the end, and if no rule finds an error, one is; wirePromises has what other findings say. The routers begin as equals,
// except for their priority, and up to two settings of the second one are then changed.
//
// What the engine cannot say: same-source, because it gives each router the source of its file, and which of two hosts with one address gets a
// packet is up to their switch; hmac-version, because it has one form of signatures, that of 2.4.2.
func TestWireRules(t *testing.T) {
	promised, quiet := map[string]int{}, 0
	for seed := range uint64(2500) {
		x := newWired(t, rand.New(rand.NewPCG(seed, 2)))
		both, single := x.masters(false) == 2, len(x.after("at 60s end\n", x.own(0), false)) == 1
		errors := false
		for _, d := range x.found {
			errors = errors || d.Severity == diag.Error
			switch d.Rule {
			case "version-mismatch", "auth-mismatch", "multicast-group-mismatch":
				promised[d.Rule]++
				if !both {
					t.Errorf("seed %d: %s, and one router is MASTER all the same\n%s", seed, d.Rule, x.text)
				}
			}
			if promise := wirePromises[d.Rule]; promise != nil {
				wrong, some := promise(x, slices.Index(x.names, d.Span.Source.Name))
				if wrong != "" {
					t.Errorf("seed %d: %s says %q: %s\n%s", seed, d.Rule, d.Message, wrong, x.text)
				}
				if some {
					promised[d.Rule]++
				}
			}
			for _, n := range d.Notes {
				if !strings.Contains(n.Message, "MASTER") || !strings.Contains(n.Message, "both") {
					continue
				}
				promised[d.Rule]++
				if strict := strings.HasPrefix(n.Message, "keepalived 2.2.7"); strict && x.masters(true) != 2 || !strict && !both {
					t.Errorf("seed %d: %s says %q, and it is not so\n%s", seed, d.Rule, n.Message, x.text)
				}
			}
		}
		if !errors {
			if quiet++; !single {
				t.Errorf("seed %d: no rule finds an error, and not one router is MASTER: %v\n%s", seed, x.found, x.text)
			}
		}
	}
	t.Logf("promised %v; nothing %d", promised, quiet)
	rules := []string{"advert-int-mismatch", "vrid-mismatch", "password-mismatch", "address-mismatch", "unicast-multicast", "version-mismatch", "auth-mismatch", "multicast-group-mismatch"}
	for _, rule := range slices.AppendSeq(rules, maps.Keys(wirePromises)) {
		if promised[rule] < 10 {
			t.Errorf("%s: only %d pairs", rule, promised[rule])
		}
	}
	if quiet < 100 {
		t.Errorf("nothing is found in %d pairs only", quiet)
	}
}

// wirePromises check what a finding about router m says that no note of it says, and return what is wrong with that; some: it could be tested.
var wirePromises = map[string]func(x *wired, m int) (wrong string, some bool){
	// A router that drops what the other one sends is MASTER. One that does not sign drops nothing here; keepalived 2.2.7 does, for the length.
	"hmac-mismatch": func(x *wired, m int) (wrong string, some bool) {
		if x.configs[m].AuthHMAC == nil {
			m = 1 - m
		}
		if m == 0 {
			return "", false // it would be MASTER anyway
		}
		if in := x.after("at 60s end\n", x.own(m), false); !slices.Contains(in, m) {
			return fmt.Sprintf("lb1 hears lb0: %v", in), true
		}
		return "", true
	},
	// keepalived 2.2.7 drops what the other group sends, so that each holds its own; who listens to it leaves its addresses to nobody.
	"vrid-collision": func(x *wired, _ int) (wrong string, some bool) {
		if !x.alike {
			return "", false // they do not hear each other for another reason
		}
		for i := range 2 {
			if in := x.after("at 60s end\n", x.own(i), true); !slices.Equal(in, []int{i}) {
				return fmt.Sprintf("with keepalived 2.2.7 %v hold the address of lb%d", in, i), true
			}
		}
		if in := x.after("at 60s end\n", x.own(1), false); len(in) > 0 {
			return fmt.Sprintf("%v hold the address of lb1, which hears lb0", in), true
		}
		return "", true
	},
	// Nobody takes over when this router fails.
	"no-peer": func(x *wired, m int) (wrong string, some bool) {
		if in := x.after(fmt.Sprintf("at 20s kill lb%d\nat 60s end\n", m), x.own(m), false); len(in) > 0 {
			return fmt.Sprintf("%v take over", in), true
		}
		return "", true
	},
	// The other router takes over, and holds the addresses wherever the interface fails after that.
	"track-one-side": func(x *wired, m int) (wrong string, some bool) {
		if in := x.after(fmt.Sprintf("at 20s down lb%d eth1\nat 60s end\n", m), x.own(1-m), false); !slices.Equal(in, []int{1 - m}) {
			return fmt.Sprintf("%v hold its address after the failure", in), true
		}
		if _, found := Parse(fmt.Sprintf("at 20s down lb%d eth1\nat 60s end\n", 1-m), x.cluster, nil); len(found) == 0 {
			return "the other router knows the interface", true
		}
		return "", true
	},
}

// A wired is a pair of routers with what the rules find in it.
type wired struct {
	*testing.T
	text    string
	names   []string
	configs []*ir.VRRPInstance
	cluster *Cluster
	found   diag.List
	alike   bool // they differ in priority, addresses and trackers alone
}

// A wire is what a router says on it.
type wire struct {
	version, vrid         int
	interval, auth, group string
	addresses, peers      string
	hmac, track           string
}

const (
	keyOne = "key 1 k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9\n"
	keyTwo = "key 2 x7x7x7x7x7x7x7x7x7x7x7x7x7x7x7x7\n"
)

func newWired(t *testing.T, random *rand.Rand) *wired {
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	passwords := []string{"", "auth_type PASS\nauth_pass secret\n", "auth_type PASS\nauth_pass other\n", "auth_type PASS\nauth_pass long-one-a\n", "auth_type PASS\nauth_pass long-one-b\n", "auth_type AH\nauth_pass secret\n"}
	settings := []func(*wire){
		func(w *wire) { w.version = 2 + random.IntN(2) },
		func(w *wire) { w.vrid = 7 + random.IntN(2) },
		func(w *wire) { w.interval = pick("1", "2", "3") },
		func(w *wire) { w.auth = pick(passwords...) },
		func(w *wire) { w.group = pick("", "224.0.0.18", "224.0.0.99") },
		func(w *wire) { w.addresses = pick("192.0.2.10/24\n", "192.0.2.10/24\n192.0.2.11/24\n") },
		func(w *wire) { w.peers = pick("", "OTHER\n", "192.0.2.77\n", "OTHER\n192.0.2.77\n") },
		func(w *wire) {
			w.hmac = pick("", keyOne, keyOne+keyTwo+"active_key 2\n", "key 1 "+strings.Repeat("z9", 16)+"\n")
		},
		func(w *wire) { w.track = pick("", "track_interface {\neth1\n}\n") },
		func(w *wire) { w.addresses = "192.0.2.20/24\n" },
		func(w *wire) { w.addresses, w.vrid = "192.0.2.20/24\n", 9 },
	}
	const shared = 9 // the first of them, which also make both different
	first := wire{version: 2, vrid: 7, interval: "1", addresses: "192.0.2.10/24\n"}
	if random.IntN(3) == 0 {
		first.auth = passwords[1]
	}
	for range random.IntN(3) {
		settings[random.IntN(shared)](&first)
	}
	if first.peers != "" {
		first.peers = "OTHER\n"
	}
	second := first
	for range random.IntN(3) {
		settings[random.IntN(len(settings))](&second)
	}
	without := func(w wire) wire {
		w.addresses, w.track = "", ""
		return w
	}
	x := &wired{T: t, alike: without(first) == without(second)}
	var nodes []Node
	var members []cluster.Node
	var about []lint.About
	for i, w := range []wire{first, second} {
		text := fmt.Sprintf("vrrp_instance V {\ninterface eth0\nversion %d\nvirtual_router_id %d\npriority %d\nadvert_int %s\n", w.version, w.vrid, 200-100*i, w.interval)
		if w.hmac != "" {
			text += "auth_hmac {\n" + w.hmac + "}\n"
		} else if w.auth != "" {
			text += "authentication {\n" + w.auth + "}\n"
		}
		if w.group != "" {
			text = "global_defs {\nvrrp_mcast_group4 " + w.group + "\n}\n" + text
		}
		text += w.track + fmt.Sprintf("mcast_src_ip 192.0.2.%d\n", i+1)
		if w.peers != "" {
			text += "unicast_peer {\n" + strings.ReplaceAll(w.peers, "OTHER", fmt.Sprintf("192.0.2.%d", 2-i)) + "}\n"
		}
		text += "virtual_ipaddress {\n" + w.addresses + "}\n}\n"
		name := fmt.Sprint("lb", i)
		x.text += "-- " + name + " --\n" + text
		u := compiler.Load(source.New(name, []byte(text)), compiler.Options{Peers: true})
		x.names, x.configs = append(x.names, name), append(x.configs, u.Config.Instances[0])
		x.found = append(x.found, u.Findings...)
		read := u.Literal().Config
		nodes, members = append(nodes, Node{name, read}), append(members, cluster.Node{Name: name, Config: u.Config})
		about = append(about, lint.About{Findings: u.All})
	}
	x.cluster = newCluster(t, nodes...)
	for _, found := range lint.Compare(cluster.New(members), about).Findings {
		x.found = append(x.found, found...)
	}
	return x
}

// masters counts the routers that hold their own first address after a minute. strict: advertisements with other addresses are dropped, as
// keepalived does.
func (x *wired) masters(strict bool) (n int) {
	x.Helper()
	for i := range x.configs {
		if slices.Contains(x.after("at 60s end\n", x.own(i), strict), i) {
			n++
		}
	}
	return n
}

// own is the first address of a router.
func (x *wired) own(m int) netip.Addr { return x.configs[m].Addresses[0].Prefix.Addr() }

// after returns who holds an address at the end of a script.
func (x *wired) after(script string, addr netip.Addr, strict bool) []int {
	x.Helper()
	for _, h := range Play(x.cluster, parse(x, x.cluster, script), Options{SameAddresses: strict}).History {
		if h.Address == addr {
			return h.Spans[len(h.Spans)-1].Nodes
		}
	}
	x.Fatalf("nothing about %s", addr)
	return nil
}
