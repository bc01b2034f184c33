package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/balance"
)

// TestJoinedRun checks that run checks each real server that it puts into the kernel once, also those of a second
// virtual_server on a group, in a file where that is only a warning, and in one with errors.
func TestJoinedRun(t *testing.T) {
	t.Parallel()
	const block = "virtual_server group web {\n\tlb_algo rr\n\tlb_kind DR\n\tprotocol TCP\n"
	const server = "\treal_server 192.0.2.21 80 {\n\t\tweight 1\n\t\tTCP_CHECK {\n\t\t}\n\t}\n"
	text := "virtual_server_group web {\n\t192.0.2.10 80\n}\n" + block + server + "}\n" +
		block + strings.ReplaceAll(server, "weight 1", "weight 3") + strings.ReplaceAll(server, ".21", ".22") + "}\n"
	for name, c := range map[string]struct {
		text   string
		faults int
	}{
		"a warning": {text, 0},
		"an error":  {text + "virtual_server 192.0.2.99 80 {\n\tlb_algo rr\n\tlb_kind DR\n\tprotocol TCP\n\treal_server 2001:db8::1 80 {\n\t}\n}\n", 1},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "lb.conf")
		put(t, file, c.text)
		app := App{Stdin: strings.NewReader(""), Stdout: t.Output(), Stderr: t.Output(), Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
		app.outside = true
		l := (&runRun{App: &app}).load(file)
		if l.Config == nil || len(l.Faults) != c.faults {
			t.Fatalf("%s: refused %q, faults %v", name, l.Refused, l.Faults)
		}
		probes := map[state.DestinationKey]int{}
		now := time.Unix(0, 0)
		m := balance.New(now, balance.Prepare(l.Config, balance.Start(0)))
		for again := true; again && now.Before(time.Unix(300, 0)); now, again = m.Deadline() { // none is answered: each check asks once
			for _, f := range m.Step(now, balance.Tick{}) {
				if p, ok := f.(balance.StartProbe); ok {
					probes[p.Server]++
				}
			}
		}
		enforced := state.Balance(l.Config, state.Situation{}).Destinations
		if len(enforced) != 2 {
			t.Errorf("%s: the kernel has the servers %v, want two", name, enforced)
		}
		for k, d := range enforced {
			if probes[k] != 1 || d.Weight != 1 {
				t.Errorf("%s: %v has weight %d and is checked by %d checks, want weight 1 and one check, those of the first block", name, k, d.Weight, probes[k])
			}
		}
	}
}
