package sim

import (
	"fmt"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// A director of the tests below: its file has one instance.
func director(lines string, addresses ...string) *ir.Config {
	text := "vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 51\n" + strings.ReplaceAll(lines, ";", "\n") +
		"\nvirtual_ipaddress {\n" + strings.Join(addresses, "\n") + "\n}\n}\n"
	return compiler.Load(source.New("x.conf", []byte(text)), compiler.Options{}).Config
}

const one, two = "192.0.2.10/24", "192.0.2.11/24"

// TestRollout checks which order is found, and what happens in the order of the files if there is no clean one.
func TestRollout(t *testing.T) {
	for _, k := range []struct {
		name       string
		old, next  []*ir.Config
		keepalived bool
		want       string
	}{
		{"the priority of the standby rises, not above the master's",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{nil, director("priority 120", one)}, false,
			"b; clean, 1 of 1"},
		{"above the master's it takes the role",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{nil, director("priority 200", one)}, false,
			"b: 192.0.2.10 from a (150) to b; clean, 1 of 1"},
		{"unless it may not preempt",
			[]*ir.Config{director("priority 150", one), director("priority 100;nopreempt", one)},
			[]*ir.Config{nil, director("priority 200;nopreempt", one)}, false,
			"b; clean, 1 of 1"},
		{"priorities that change places",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 100", one), director("priority 150", one)}, false,
			"b, a: 192.0.2.10 from a (100) to b; clean, 1 of 2"},
		{"one more address",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 150", one, two), director("priority 100", one, two)}, false,
			"b, a: 192.0.2.11 from nobody to a; clean, 1 of 2"},
		{"the same between routers that drop adverts with other addresses (issue 1603)",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 150", one, two), director("priority 100", one, two)}, true,
			"a: 192.0.2.10 from a (150) to a+b, 192.0.2.11 from nobody to a, 192.0.2.10 gap 0.0s overlap 6.6s and on, b: 192.0.2.10 from a+b to a, 192.0.2.10 gap 0.0s overlap 0.8s, 192.0.2.11 gap 0.0s overlap 0.8s, 2 of 2; around: stop b, a: 192.0.2.11 from nobody to a, start b"},
		{"another interval in version 2",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 150;advert_int 3", one), director("priority 100;advert_int 3", one)}, false,
			"b: 192.0.2.10 from a (150) to a+b, 192.0.2.10 gap 0.0s overlap 21.5s and on, a: 192.0.2.10 from a+b to a, 192.0.2.10 gap 0.0s overlap 2.5s, 2 of 2; around: stop b, a, start b"},
		{"another interval in version 3",
			[]*ir.Config{director("priority 150;version 3", one), director("priority 100;version 3", one)},
			[]*ir.Config{director("priority 150;version 3;advert_int 3", one), director("priority 100;version 3;advert_int 3", one)}, false,
			"b, a; clean, 1 of 2"},
		{"a version 3 interval ten times as long",
			[]*ir.Config{director("priority 150;version 3", one), director("priority 100;version 3", one)},
			[]*ir.Config{director("priority 150;version 3;advert_int 10", one), director("priority 100;version 3;advert_int 10", one)}, false,
			"b, a; clean, 1 of 2"},
		{"and a MASTER that does not answer",
			[]*ir.Config{director("priority 150;version 3;lower_prio_no_advert", one), director("priority 100;version 3", one)},
			[]*ir.Config{director("priority 150;version 3;advert_int 10;lower_prio_no_advert", one), director("priority 100;version 3;advert_int 10", one)}, false,
			"b, a: 192.0.2.10 gap 0.0s overlap 6.4s, 2 of 2; around: stop b, a, start b"},
		{"a shorter one: the MASTER first",
			[]*ir.Config{director("priority 150;version 3;advert_int 10;lower_prio_no_advert", one), director("priority 100;version 3;advert_int 10", one)},
			[]*ir.Config{director("priority 150;version 3;lower_prio_no_advert", one), director("priority 100;version 3", one)}, false,
			"a, b; clean, 2 of 2; not: b: 192.0.2.10 gap 0.0s overlap 6.4s, a"},
		{"a password",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 150;authentication {;auth_type PASS;auth_pass x;}", one), director("priority 100;authentication {;auth_type PASS;auth_pass x;}", one)}, false,
			"a: 192.0.2.10 from a (150) to a+b, 192.0.2.10 gap 0.0s overlap 6.6s and on, b: 192.0.2.10 from a+b to a, 192.0.2.10 gap 0.0s overlap 0.8s, 2 of 2; around: stop b, a, start b"},
		{"another number",
			[]*ir.Config{director("priority 150", one), director("priority 100", one)},
			[]*ir.Config{director("priority 150;virtual_router_id 52", one), director("priority 100;virtual_router_id 52", one)}, false,
			"b: 192.0.2.10 from a (150) to a+b, 192.0.2.10 gap 0.0s overlap 7.1s and on, a: 192.0.2.10 from a+b to a, 2 of 2"},
		{"one of three gets a file that the others do not understand",
			[]*ir.Config{director("priority 150", one), director("priority 100", one), director("priority 50", one)},
			[]*ir.Config{nil, nil, director("priority 50;version 3", one)}, false,
			"c: 192.0.2.10 from a (150) to a+c, 192.0.2.10 gap 0.0s overlap 7.3s and on, 1 of 1"},
		{"files that were wrong before and are repaired",
			[]*ir.Config{director("priority 150", one), director("priority 100;advert_int 3", one)},
			[]*ir.Config{nil, director("priority 100", one)}, false,
			"wrong before; b: 192.0.2.10 from a+b to a; clean, 1 of 1"},
	} {
		var nodes []Node
		for i, cfg := range k.old {
			nodes = append(nodes, Node{string(rune('a' + i)), cfg})
		}
		c := newCluster(t, nodes...)
		got := tell(c, c.NewRollout(k.next, Options{SameAddresses: k.keepalived}).Search())
		if got != k.want {
			t.Errorf("%s:\ngot  %s\nwant %s", k.name, got, k.want)
		}
	}
}

// TestRolloutOfMany limits the search: the order of six routers makes no difference to the one whose new file the
// others do not understand.
func TestRolloutOfMany(t *testing.T) {
	var nodes []Node
	var next []*ir.Config
	for i := range 6 {
		nodes = append(nodes, Node{string(rune('a' + i)), director(fmt.Sprintf("priority %d", 150-10*i), one)})
		next = append(next, director(fmt.Sprintf("priority %d", 151-10*i), one))
	}
	next[0] = director("priority 150;version 3", one)
	c := newCluster(t, nodes...)
	r := c.NewRollout(next, Options{}).Search()
	if r.Orders != 720 || r.Played == 0 || r.Played >= r.Orders || r.Best.Clean() || len(r.Best.Steps) != 6 {
		t.Errorf("%d of %d: %s", r.Played, r.Orders, r.Best.tell(c))
	}
	next[0] = nil
	if r := c.NewRollout(next, Options{}).Search(); !r.Best.Clean() {
		t.Errorf("%d of %d: %s", r.Played, r.Orders, r.Best.tell(c))
	}
}

// tell formats a result as a line.
func tell(c *Cluster, r Result) string {
	text := r.Best.tell(c)
	if len(r.Best.Before) > 0 {
		text = "wrong before; " + text
	}
	if r.Best.Clean() {
		text += "; clean"
	}
	text += fmt.Sprintf(", %d of %d", r.Played, r.Orders)
	if r.Backwards != nil {
		text += "; not: " + r.Backwards.tell(c)
	}
	if r.Standby != nil {
		text += "; around: " + r.Standby.tell(c)
	}
	return text
}

func (t Trial) tell(c *Cluster) string {
	who := func(nodes []int) string {
		if len(nodes) == 0 {
			return "nobody"
		}
		return strings.Join(pick(c.Names(), nodes), "+")
	}
	var steps []string
	for _, s := range t.Steps {
		text := []string{"", "stop ", "start "}[s.Manner] + c.Names()[s.Node]
		var what []string
		for _, m := range s.Moves {
			from := who(m.From)
			if m.Lost > 0 {
				from += fmt.Sprintf(" (%d)", m.Lost)
			}
			what = append(what, fmt.Sprintf("%v from %s to %s", m.Address, from, who(m.To)))
		}
		for _, x := range s.Troubles {
			stays := ""
			if x.Stays {
				stays = " and on"
			}
			what = append(what, fmt.Sprintf("%v gap %.1fs overlap %.1fs%s", x.Address, x.Gap.Seconds(), x.Overlap.Seconds(), stays))
		}
		if len(what) > 0 {
			text += ": " + strings.Join(what, ", ")
		}
		steps = append(steps, text)
	}
	return strings.Join(steps, ", ")
}
