package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestCheckerDumpFiles checks that on SIGUSR1 both programs write keepalived_check.data with the same values for a
// server that is up, one that is down and a service without its quorum. keepalived writes each line that keepc writes,
// in the same order and with the same indentation.
func TestCheckerDumpFiles(t *testing.T) {
	lab.NeedPrograms(t, "keepalived")
	lab.NeedIPVS(t)
	h := lab.New(t).Host("lb01")
	stop := h.Serve("127.0.0.1:80", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer stop()
	const server = "\treal_server 127.0.0.%d 80 {\n\t\tweight %d\n\t\tTCP_CHECK {\n\t\t\tconnect_timeout 1\n\t\t\tretry 0\n\t\t}\n\t}\n"
	file := fileOf(t, "global_defs {\n\trouter_id lb01\n}\nvirtual_server_group G {\n\t10.0.0.6-7 80\n\tfwmark 7\n}\n"+
		"virtual_server 10.0.0.3 80 {\n\tdelay_loop 1\n\tlb_algo wrr\n\tlb_kind DR\n\tprotocol TCP\n\tquorum 5\n\tsorry_server 127.0.0.9 80\n"+fmt.Sprintf(server, 1, 3)+fmt.Sprintf(server, 2, 2)+"}\n"+
		"virtual_server group G {\n\tdelay_loop 1\n\tlb_algo rr\n\tlb_kind DR\n\tprotocol TCP\n"+fmt.Sprintf(server, 1, 1)+"}\n")
	dumps := map[program][]string{}
	for _, p := range []program{keepalived, keepc} {
		dir := filepath.Join(h.Dir(), string(p))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		line := []string{"keepalived"}
		if p == keepc {
			line = keepcArgs(t, "keepalived")
		}
		line = slices.Concat([]string{"env", "TMPDIR=" + dir}, line, lab.KeepalivedFlags(dir, file, "-C", "-D"))
		d := h.Start(line[0], line[1:]...)
		d.WaitLog("Lost quorum", 30*time.Second)
		time.Sleep(3 * time.Second) // each check has run
		text, err := os.ReadFile(filepath.Join(dir, "parent.pid"))
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		data := filepath.Join(dir, "keepalived_check.data")
		lab.Eventually(t, 10*time.Second, string(p)+" writes its file", func() bool { s, err := os.Stat(data); return err == nil && s.Size() > 1000 })
		time.Sleep(time.Second) // keepalived writes it line by line
		if text, err = os.ReadFile(data); err != nil {
			t.Fatal(err)
		}
		if s, err := os.Stat(data); err != nil || s.Mode() != 0o600 {
			t.Errorf("%s: %v %v, want mode 0600", p, s.Mode(), err)
		}
		dumps[p] = strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		d.Stop()
	}
	linesInOrder(t, dumps[keepc], dumps[keepalived])
	if len(dumps[keepc]) < 90 {
		t.Errorf("only %d lines:\n%s", len(dumps[keepc]), strings.Join(dumps[keepc], "\n"))
	}
}

// linesInOrder checks that keepalived also writes each line of a dump of keepc, in the same order.
func linesInOrder(t *testing.T, ours, theirs []string) {
	t.Helper()
	for _, line := range ours {
		i := 0
		for i < len(theirs) && theirs[i] != line {
			i++
		}
		if i == len(theirs) {
			t.Errorf("keepalived does not write %q here; it goes on with\n%s", line, strings.Join(theirs[:min(len(theirs), 8)], "\n"))
			continue
		}
		theirs = theirs[i+1:]
	}
}
