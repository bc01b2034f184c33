package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/compiler/report"
	"keepc/runtime/lab"
)

const twoRouters = `vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 110
    virtual_ipaddress {
        192.0.2.10/24
        192.0.2.11/24
    }
}
vrrp_instance VI_2 {
    state BACKUP
    interface eth0
    virtual_router_id 52
    priority 100
    virtual_ipaddress {
        192.0.2.20/24
    }
}
`

// TestPlanBesideDirector edits the file of a running director, keepalived or keepc, lets plan say what its reload
// does, and lets the director do it: the addresses afterwards are those of the plan. If its file was edited in place,
// only keepc can say what it has read.
func TestPlanBesideDirector(t *testing.T) {
	t.Parallel()
	t.Run("keepalived", func(t *testing.T) {
		t.Parallel()
		lab.NeedPrograms(t, "keepalived")
		planBeside(t, "keepalived (pid ", func(file string) []string {
			return append([]string{"keepalived"}, lab.KeepalivedFlags("/run", file, "-P")...)
		}, false)
	})
	t.Run("keepc", func(t *testing.T) {
		t.Parallel()
		planBeside(t, "pid ", func(file string) []string { return keepcArgs(t, "run", file) }, true)
	})
}

// planBeside tries the edits beside a director started by a command line. who is its name on the screen; tells: it
// says what it has read.
func planBeside(t *testing.T, who string, run func(file string) []string, tells bool) {
	for _, c := range []struct {
		name  string
		edit  *strings.Replacer
		shows string // on the screen, with runs of blanks collapsed
	}{
		{"nothing", strings.NewReplacer(), "No changes."},
		{"a lower priority", strings.NewReplacer("priority 110", "priority 50"), "~ VI_1 priority 110 -> 50"},
		{"an address goes", strings.NewReplacer("        192.0.2.11/24\n", ""), "- address 192.0.2.11/24 dev eth0"},
		{"an address comes", strings.NewReplacer("192.0.2.20/24", "192.0.2.20/24\n192.0.2.21/24"), "+ address 192.0.2.21/24 dev eth0"},
		{"all addresses of an instance are others", strings.NewReplacer("192.0.2.20/24", "192.0.2.30/24"), "- address 192.0.2.20/24 dev eth0"},
		{"another virtual router", strings.NewReplacer("virtual_router_id 52", "virtual_router_id 53"), "# VI_2: re-election"},
		{"another name", strings.NewReplacer("VI_2", "web"), "name VI_2 -> web"},
		{"an instance goes", strings.NewReplacer(twoRouters[strings.Index(twoRouters, "vrrp_instance VI_2"):], ""), "# VI_2: re-election"},
		{"an address moves to the other one", strings.NewReplacer("        192.0.2.11/24\n", "", "192.0.2.20/24", "192.0.2.20/24\n192.0.2.11/24"), "192.0.2.11/24 goes to VI_2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := lab.New(t)
			host := n.Host("lb", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
			file, next := filepath.Join(host.Dir(), "lb.conf"), filepath.Join(host.Dir(), "next.conf")
			put := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put(file, twoRouters)
			put(next, c.edit.Replace(twoRouters))
			past := time.Now().Add(-time.Hour)
			if err := os.Chtimes(file, past, past); err != nil {
				t.Fatal(err)
			}
			line := run(file)
			k := host.Start(line[0], line[1:]...)
			addresses := func() (list []string) {
				for field := range strings.FieldsSeq(host.Run("ip", "-o", "-4", "addr", "show", "dev", "eth0")) {
					if strings.Contains(field, "/24") {
						list = append(list, field)
					}
				}
				slices.Sort(list)
				return list
			}
			within := func(long time.Duration, want []string) (got []string) {
				for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if got = addresses(); slices.Equal(got, want) {
						return got
					}
				}
				return got
			}
			before := []string{"192.0.2.1/24", "192.0.2.10/24", "192.0.2.11/24", "192.0.2.20/24"}
			if got := within(20*time.Second, before); !slices.Equal(got, before) {
				t.Fatalf("the director holds %v", got)
			}
			line = keepcArgs(t, "plan", next)
			screen := host.Run(line[0], line[1:]...)
			if !strings.Contains(strings.Join(strings.Fields(screen), " "), c.shows) || !strings.Contains(screen, "Running daemon: "+who) {
				t.Errorf("no %q on the screen:\n%s", c.shows, screen)
			}
			var m report.Plan
			line = keepcArgs(t, "plan", "--format", "json", next)
			if err := json.Unmarshal([]byte(host.Run(line[0], line[1:]...)), &m); err != nil {
				t.Fatal(err)
			}
			want := slices.Clone(before)
			for _, change := range m.Changes {
				address, _, _ := strings.Cut(change.Name, " ")
				switch {
				case change.Kind != "address":
				case change.Action == "add":
					want = append(want, address)
				case change.Action == "remove":
					want = slices.DeleteFunc(want, func(s string) bool { return s == address })
				}
			}
			slices.Sort(want)
			put(file, c.edit.Replace(twoRouters))

			line = keepcArgs(t, "plan", file)
			switch out := host.Run(line[0], line[1:]...); {
			case tells:
				if !strings.Contains(strings.Join(strings.Fields(out), " "), c.shows) {
					t.Errorf("an edited file: no %q\n%s", c.shows, out)
				}
			case strings.Contains(out, "No changes") || !strings.Contains(out, "so what it read is unknown"):
				t.Errorf("an edited file:\n%s", out)
			}
			put(next, twoRouters)
			line = keepcArgs(t, "plan", "--from", next, file)
			if out := host.Run(line[0], line[1:]...); !strings.Contains(strings.Join(strings.Fields(out), " "), c.shows) {
				t.Errorf("no %q with --from:\n%s", c.shows, out)
			}

			k.Signal(syscall.SIGHUP)
			if got := within(2500*time.Millisecond, want); !slices.Equal(got, want) { // a new instance begins as BACKUP, for 3.6 s
				t.Errorf("after the reload the director holds %v, the plan says %v:\n%s", got, want, screen)
			}
			k.Stop()
		})
	}
}
