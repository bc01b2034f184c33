package sim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"keepc/compiler/ir"
)

func twoNodes(t testing.TB) *Cluster {
	return newCluster(t, Node{"lb1", group(2, 150)}, Node{"lb2", group(2, 100)})
}

// TestFindings checks that each finding names its line, what is there and what could be.
func TestFindings(t *testing.T) {
	c := twoNodes(t)
	for _, f := range []struct{ script, want string }{
		{"at 5s kil lb1", `1: unknown word "kil"; did you mean "kill"?`},
		{"frobnicate lb1", `1: unknown word "frobnicate"; expected one of kill, crash`},
		{"\n\nat 5s kill lb3", `3: there is no node "lb3"; did you mean "lb1"?; write: kill NODE`},
		{"kill", "1: a node is missing: lb1, lb2; write: kill NODE"},
		{"kill somebody", `1: there is no node "somebody"; the nodes are lb1, lb2`},
		{"kill lb1 lb2", `1: "lb2" is too much`},
		{"at soon kill lb1", `1: at: "soon" is not a time like 5s or 1m30s`},
		{"at", "1: at: a time is missing"},
		{"at -5s kill lb1", "1: at: -5s is before the start"},
		{"at 5s kill lb1; at 4s start lb1", "1: at 4s: it is 5s already; statements must be in order of time"},
		{"at 200h kill lb1", "1: at 200h0m0s: a run lasts 168h0m0s at most"},
		{"after 100h kill lb1\nafter 100h start lb1", "2: after 100h0m0s: a run lasts 168h0m0s at most"},
		{"down lb1 eth7", `1: the file of lb1 has no interface "eth7"; it has eth0; write: down NODE INTERFACE`},
		{"cut lb1 on eth7", `1: there is no segment "eth7"; the segments are eth0`},
		{"cut lb1 from lb2", `1: "from lb2" is too much; write: cut NODE [to NODE] [on SEGMENT]`},
		{"fail web1", `1: "web1" is not an address like 10.0.0.7 or 10.0.0.7:80`},
		{"reload lb1", "1: a file is missing"},
		{"reload lb1 new.conf", "1: new.conf: no such file"},
		{"end; kill lb1", "1: line 1 ends the script"},
		{"expect", "1: expected one of: NODE master [of INSTANCE]; ADDRESS announced [on NODE]; ADDRESS on NODE"},
		{"expect lb1 lord", "1: a role is missing: master, backup, fault or stopped; write: expect NODE master"},
		{"expect lb1 master of VI_9", `1: lb1 has no instance "VI_9"`},
		{"expect lb1 master within", "1: a time is missing"},
		{"expect 192.0.2.9 on lb1", "1: 192.0.2.9 is not a virtual address"},
		{"expect 192.0.2.1 lb1", `1: "on" is missing; write: expect ADDRESS on NODE`},
		{"expect 192.0.2.1 on lb1,lb9", `1: there is no node "lb9"`},
		{"expect 10.0.0.7:80 open", "1: up or down is missing"},
		{"expect no trouble", "1: gap, overlap or flap is missing"},
		{"expect no gap of 192.0.2.9", "1: 192.0.2.9 is not a virtual address"},
		{"expect gap of 192.0.2.1", `1: "below" is missing`},
		{"expect no gap within 4s", `1: "within 4s" is too much`},
	} {
		_, found := Parse(f.script, c, func(file string) (*ir.Config, error) { return nil, errors.New(file + ": no such file") })
		if len(found) != 1 || !strings.HasPrefix(found[0].String(), f.want) {
			t.Errorf("%q: %v\nwant %s", f.script, found, f.want)
		}
	}
}

func TestParse(t *testing.T) {
	c := twoNodes(t)
	script := `
# comments, several statements, all forms of time
at 5 cut lb1; after 1m30s heal lb1   # at 95s
expect lb1 master within 4s; expect 192.0.2.1 on lb1 ;; expect no gap
at 100s
reboot lb2
`
	s := parse(t, c, script)
	var got []string
	for _, step := range s.steps {
		got = append(got, step.at.String()+" "+step.text)
	}
	want := "5s cut lb1|1m35s heal lb1|1m35s expect lb1 master within 4s|1m35s expect 192.0.2.1 on lb1|1m35s expect no gap|1m40s reboot lb2|2m10s reboot lb2"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if want := 130*time.Second + c.Settle(); s.End != want {
		t.Errorf("the end is %v, want %v: a rest after the last event", s.End, want)
	}
	if s := parse(t, c, "at 5s kill lb1; at 7s end"); s.End != 7*time.Second {
		t.Errorf("the end is %v, want 7s", s.End)
	}
}

// FuzzParse checks that whatever a script contains, it is read or rejected with a finding, and what is read can be
// played.
func FuzzParse(f *testing.F) {
	f.Add("at 5s cut lb1; at 20s heal lb1; expect lb2 master within 4s")
	f.Add("kill all; after 1s start all; reboot lb1\nexpect 192.0.2.1 on nobody within 1m; expect gap below 1s of 192.0.2.1\nend")
	f.Add("down lb1 eth0; up lb1 eth0; cut lb1 to lb2 on eth0; heal all to lb1; pause lb1; resume lb1; crash lb2; fail 10.0.0.7; mend 10.0.0.7:80")
	f.Fuzz(func(t *testing.T, text string) {
		c := twoNodes(t)
		s, found := Parse(text, c, nil)
		if len(found) == 0 && s.End < 10*time.Minute {
			Play(c, s, Options{})
		}
	})
}
