package graph

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/cluster"
	"keepc/grammar/source"
)

// node reads a file as one director.
func node(t testing.TB, name, text string) cluster.Node {
	t.Helper()
	return cluster.Node{Name: name, Config: compiler.Load(source.New(name, []byte(text)), compiler.Options{}).Config}
}

func draw(t testing.TB, nodes ...cluster.Node) Graph {
	t.Helper()
	return New(cluster.New(nodes))
}

// instance is a director's file with one virtual router.
func instance(priority int, more string) string {
	return fmt.Sprintf(`
		vrrp_script chk { 
			script "/bin/mysqladmin -phunter2 ping"
			weight 5
		}
		vrrp_instance V {
			interface eth0
			virtual_router_id 9
			priority %d
			authentication { 
				auth_type PASS
				auth_pass hunter2 
			}
			virtual_ipaddress { 
				192.0.2.1/24 
			}
			%s
		}`, priority, more)
}

func service(servers int) string {
	var b strings.Builder
	b.WriteString("\nvirtual_server 192.0.2.1 80 {\nlb_algo wlc\nlb_kind DR\nprotocol TCP\n")
	for i := range servers {
		fmt.Fprintf(&b, "real_server 192.0.2.%d 80 {\nweight %d\nTCP_CHECK {\n}\n}\n", i+10, 1+i/(servers-1))
	}
	return b.String() + "}\n"
}

// TestRouter checks who is drawn as the holder of the addresses, and the remark about it.
func TestRouter(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		want  string
	}{
		{"the higher priority", []string{instance(50, ""), instance(100, "")}, "on b, else a"},
		{"a script that succeeds counts", []string{instance(98, "track_script {\nchk\n}"), instance(100, "")}, "on a, else b"},
		{"equal priorities", []string{instance(100, ""), instance(100, "")}, "on b, else a, equal priorities"},
		{"one is MASTER", []string{instance(100, "state MASTER"), instance(100, "")}, "on a, else b, equal priorities"},
		{"nopreempt", []string{instance(100, "nopreempt"), instance(90, "")}, "on a, else b, stays where it is after a failover"},
		{"three", []string{instance(1, ""), instance(3, ""), instance(2, "")}, "on b, else c, else a"},
		{"alone", []string{instance(100, "state MASTER")}, "on a, no peer among the files"},
		{"alone and BACKUP", []string{instance(100, "")}, "a, no peer among the files"},
	} {
		var nodes []cluster.Node
		for i, text := range c.files {
			nodes = append(nodes, node(t, string(rune('a'+i)), text))
		}
		g := draw(t, nodes...)
		if got := g.routerLines(g.Routers[0])[1]; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTrackers checks what is said about what an instance follows.
func TestTrackers(t *testing.T) {
	g := draw(t, node(t, "a", `
		vrrp_track_process p { 
			process haproxy
			weight -3
		}
		vrrp_sync_group G {
			group { 
				V 
			}
			track_interface { 
				eth1 weight -4
			}
		}`+instance(100, `
			track_interface { 
				eth2
			}
			track_script { 
				chk
			}
			track_process { 
				p
			}`)))
	i := g.Directors[0].Instances[0]
	want := "eth2 down: FAULT, chk succeeds: +5, p is gone: -3, eth1 down: -4"
	if got := strings.Join(i.Trackers, ", "); got != want || i.Priority != "100+5" || i.Sync != "G" {
		t.Errorf("got %s, priority %s, sync group %s; want %s", got, i.Priority, i.Sync, want)
	}
}

// TestServers checks that many real servers become few lines.
func TestServers(t *testing.T) {
	for _, c := range []struct {
		servers int
		want    string
	}{
		{2, "192.0.2.10:80, weight 1, TCP_CHECK\n192.0.2.11:80, weight 2, TCP_CHECK"},
		{30, "192.0.2.10 to 192.0.2.38, port 80, 29 real servers, weight 1, TCP_CHECK\n192.0.2.39:80, weight 2, TCP_CHECK"},
	} {
		g := draw(t, node(t, "a", instance(100, "")+service(c.servers)))
		if got := strings.Join(g.Routers[0].Services[0].lines(), "\n"); got != c.want {
			t.Errorf("%d real servers:\n%s\nwant\n%s", c.servers, got, c.want)
		}
	}
}

// TestMerge checks that the services of two directors are merged, and that differences are shown.
func TestMerge(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{service(3), service(3), ""},
		{service(3), service(2), "differs between directors"},
		{service(3), "", "only on a"},
	} {
		g := draw(t, node(t, "a", instance(100, "")+c.a), node(t, "b", instance(90, "")+c.b))
		if len(g.Routers) != 1 || len(g.Routers[0].Services) != 1 {
			t.Fatalf("routers: %+v", g.Routers)
		}
		if got := strings.Join(g.Routers[0].Services[0].Warnings, ", "); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// hostile is a director whose names try to break out of the picture's syntax.
func hostile(t testing.TB) []cluster.Node {
	nasty := `<script>"&'\#;` + "`" + `]]>` + strings.Repeat("long", 40) + "日本"
	one := node(t, nasty, instance(100, "")+service(40))
	one.Config.Instances[0].Name = nasty + "\x00\x1b[31m"
	return []cluster.Node{one, node(t, "b", instance(90, "")+service(3))}
}

// TestWriters checks that every format is well-formed whatever names the files have, and that it contains no secret
// and no command.
func TestWriters(t *testing.T) {
	for _, nodes := range [][]cluster.Node{hostile(t), {node(t, "a", "")}, {node(t, "a", service(9))}} {
		for _, write := range []func(io.Writer, Graph) error{SVG, Mermaid, DOT} {
			var b strings.Builder
			if err := write(&b, draw(t, nodes...)); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(b.String(), "hunter") || strings.Contains(b.String(), "mysqladmin") || strings.Contains(b.String(), "\x1b") {
				t.Errorf("something is shown that must not be:\n%s", b.String())
			}
		}
		var b strings.Builder
		_ = SVG(&b, draw(t, nodes...))
		wellFormed(t, b.String())
		oracle(t, []string{"dot", "-Tplain"}, DOT, draw(t, nodes...))
	}
}

// oracle passes a picture to the program that reads its format, if that is installed.
func oracle(t *testing.T, command []string, write func(io.Writer, Graph) error, g Graph) {
	t.Helper()
	path, err := exec.LookPath(command[0])
	if err != nil {
		t.Logf("%s is not here: its format is not held against it", command[0])
		return
	}
	var in strings.Builder
	if err := write(&in, g); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, command[1:]...)
	cmd.Stdin = strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "Error") {
		t.Errorf("%v: %v\n%s", command, err, out)
	}
}

// wellFormed reads a picture as XML and checks that every box is inside it.
func wellFormed(t *testing.T, text string) {
	t.Helper()
	var width, height float64
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]float64{}
		for _, a := range e.Attr {
			at[a.Name.Local], _ = strconv.ParseFloat(a.Value, 64)
		}
		switch {
		case e.Name.Local == "svg":
			width, height = at["width"], at["height"]
		case at["x"] < 0 || at["y"] < 0 || at["x"]+at["width"] > width || at["y"]+at["height"] > height:
			t.Errorf("%s at %v is outside the picture of %v x %v", e.Name.Local, at, width, height)
		}
	}
}

// TestCorpus draws every real file.
func TestCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("all files take a while")
	}
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "files")
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Skip("../shared/corpus is not here")
	}
	for _, e := range list {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		n := node(t, "lb", string(text))
		var b strings.Builder
		if err := SVG(&b, draw(t, n, cluster.Node{Name: "peer", Config: n.Config})); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.String())
		hidden := map[string]int{}
		for _, s := range n.Config.Secrets {
			hidden[s.Text()]++
		}
		for secret, times := range hidden {
			elsewhere := strings.Count(string(text), secret) > times // for example as a name
			if len(secret) > 5 && !elsewhere && strings.Contains(b.String(), secret) {
				t.Errorf("%s: the secret %q is in the picture", e.Name(), secret)
			}
		}
	}
}
