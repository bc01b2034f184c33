package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBenchVerbs measures commands that once took from ten seconds to minutes, with files of about the sizes that were
// reported.
func TestBenchVerbs(t *testing.T) {
	needBench(t)
	program, dir := shipped(t), t.TempDir()
	instances := func(n int, lines string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "vrrp_instance V%d {\n    interface eth%d\n    virtual_router_id %d\n    virtual_ipaddress {\n        10.%d.%d.%d/32\n    }\n%s}\n",
				i, i/250, i%250+1, i>>16, i>>8&255, i&255, lines)
		}
		return b.String()
	}
	const silent = "    priority 100 # keepc: ignore equal-priority lab only\n"
	const fast = "    version 3\n    advert_int 0.01\n"
	services := string(bigConfig(1000, 50))
	for name, text := range map[string]string{
		"old.conf": services, "new.conf": strings.ReplaceAll(services, "weight 1\n", "weight 2\n"),
		"peer1.conf": instances(3000, silent), "peer2.conf": instances(3000, silent),
		"old/lb1.conf": instances(512, "    priority 200\n"), "old/lb2.conf": instances(512, "    priority 100\n"),
		"new/lb1.conf": instances(512, "    priority 90\n"), "new/lb2.conf": instances(512, "    priority 100\n"),
		"fast1.conf": instances(180, fast+"    priority 140\n"),
		"fast2.conf": instances(180, fast+"    priority 120\n"),
		"fast3.conf": instances(180, fast+"    priority 100\n"),
	} {
		put(t, filepath.Join(dir, name), text)
	}
	fmt.Printf("\n%-62s %10s %10s\n", "", "time", "processor")
	for _, c := range []struct {
		what string
		args []string
	}{
		{"diff of 1,000 virtual servers x 50 real servers, new weights", []string{"diff", "old.conf", "new.conf"}},
		{"check --peers of 3,000 instances, a comment that silences each", []string{"check", "--peers", "peer1.conf", "peer2.conf"}},
		{"diff of two directories, 512 instances that move", []string{"diff", "old", "new"}},
		{"simulate of 3 x 180 instances with advert_int 10 ms", []string{"simulate", "fast1.conf", "fast2.conf", "fast3.conf"}},
	} {
		cmd := exec.Command(program, c.args...)
		cmd.Dir = dir
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil && cmd.ProcessState.ExitCode() != exitFindings {
			t.Errorf("%s: %v\n%.2000s", c.what, err, out)
		}
		took := time.Since(start)
		fmt.Printf("%-62s %10v %10v\n", c.what, digits(took), digits(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()))
	}
}
