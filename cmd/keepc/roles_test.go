package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestAs assumes roles of a host described by facts, and compares with a file that the user names.
func TestAs(t *testing.T) {
	host := `{"version":1,"hostname":"lb1","links":[{"name":"eth0","up":true,"mtu":1500,"addresses":[{"address":"192.0.2.1/24"},{"address":"192.0.2.11/24"}]}],
"routes":[],"rules":[],"ipvs":"absent","services":[],"users":[],"files":[],"sysctls":{}}`
	for _, c := range []struct {
		args string
		want []string // on the screen, with runs of blanks collapsed
		code int
	}{
		{"", []string{"starting as MASTER for VI_1: its addresses are here", "+ address 192.0.2.10/24 dev eth0", "Plan: 1 to add, 0 to change, 0 to remove."}, 0},
		{"--as VI_1=backup,VI_2=master", []string{"VI_1 as BACKUP; VI_2 as MASTER", "+ address 192.0.2.20/24 dev eth0", "- address 192.0.2.11/24 dev eth0"}, 0},
		{"--as VI_1=backup,web=master", []string{"--as: there is no instance web"}, 2},
		{"--as VI_1", []string{"--as VI_1: expected live, master, backup, or INSTANCE=master,INSTANCE=backup"}, 2},
		{"--from old.conf", []string{"# VI_1: retuned in place", "~ VI_1 priority 150 -> 110", "as MASTER it yields to a router that preempts with a priority above 110", "1 other setting", "keepc diff old.conf lb.conf --peers FILES"}, 0},
		{"--exit-code --as backup --from old.conf", []string{"~ VI_1 priority 150 -> 110"}, 4},
		{"--from new.conf", []string{"--from: new.conf"}, 3},
	} {
		files := fstest.MapFS{
			"w/lb.conf":   &fstest.MapFile{Data: []byte(twoRouters)},
			"w/old.conf":  &fstest.MapFile{Data: []byte(strings.Replace(twoRouters, "priority 110", "priority 150", 1))},
			"w/host.json": &fstest.MapFile{Data: []byte(host)},
		}
		var out bytes.Buffer
		app := App{Stdout: &out, Stderr: &out, Env: os.Getenv, FS: files, Dir: "/w"}
		code := app.Main(append(append([]string{"plan", "--facts", "host.json"}, strings.Fields(c.args)...), "lb.conf"))
		screen := strings.Join(strings.Fields(out.String()), " ")
		for _, want := range c.want {
			if !strings.Contains(screen, want) || code != c.code {
				t.Errorf("plan %s: exit code %d, want %d with %q:\n%s", c.args, code, c.code, want, out.String())
			}
		}
	}
}
