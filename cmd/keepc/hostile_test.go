package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHostileInputs checks the limits for inputs that once made keepc take gigabytes, minutes, or forever, each in its
// original size, and prints what they cost now.
func TestHostileInputs(t *testing.T) {
	t.Parallel()
	program := shipped(t)
	numbered := func(n int, form string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(form, "N", fmt.Sprint(i)))
		}
		return b.String()
	}
	t.Logf("%-55s %10s %10s", "", "memory", "processor")
	for _, c := range []struct {
		name, then string
		text       string
		args       []string
		beside     func(dir string) error // makes the other files
	}{
		{name: "include {,,,...}, 1 MiB", then: "6.9 GB", text: "include {" + strings.Repeat(",", 1<<20) + "}\n"},
		{name: "52 bytes of ~SEQ", then: "2.6 GB", text: "~SEQ(a,99)~SEQ(b,99)~SEQ(c,99)~SEQ(d,99) e$a$b$c$d\n"},
		{name: "include */lb.conf with two links to .", then: "never ended", text: "include */lb.conf\n", beside: func(dir string) error {
			for _, link := range []string{"a", "b"} {
				if err := os.Symlink(".", filepath.Join(dir, link)); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "800 x pririty N, --fix", then: "23 s", text: "vrrp_instance a {\n" + numbered(800, "pririty N\n") + "}\n", args: []string{"--fix"}},
		{name: "300,000 @ids", then: "quadratic", text: numbered(300_000, "@idN a\n")},
		{name: "2,000,000 x ${", then: "quadratic", text: strings.Repeat("${", 2_000_000)},
		{name: "100,000 comments that silence", then: "quadratic", text: strings.Repeat("priority 1 # keepc: ignore value-range x\n", 100_000)},
		{name: "12 kB of braces with wildcards", then: "40 s", text: "include " + strings.Repeat("{a*,b*,*c}", 1200) + "\n"},
		{name: "1,000 x priority ${Xn}, 1,000 x prioriti n", then: "176 MB", text: "vrrp_instance a {\n" + numbered(1000, "priority ${XN}\nprioriti N\n") + "}\n"},
		{name: "2,000,000 quotes alone", then: "quadratic", text: strings.Repeat("\"\n", 2_000_000)},
		{name: "1,300 templates on a line of 10 MB", then: "1,300 times the line", text: "router_id " + strings.Repeat("{{a}} ", 1300) + strings.Repeat("a", 10_000_000) + "\n"},
		{name: "1,000 x AN=${BN}, BN=${AN}", then: "quadratic", text: numbered(1000, "AN=${BN}\nBN=${AN}\n")},
		{name: ".keepc.conf that is a named pipe", then: "hung", text: "global_defs {\n}\n", beside: func(dir string) error {
			return syscall.Mkfifo(filepath.Join(dir, settingsName), 0o600)
		}},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "lb.conf"), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if c.beside != nil {
			if err := c.beside(dir); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, program, append([]string{"check", "--format", "short", "lb.conf"}, c.args...)...)
		cmd.Dir = dir
		_, memory, computed := within256(t, cmd)
		if ctx.Err() != nil {
			t.Errorf("%s: it does not end", c.name)
		}
		cancel()
		t.Logf("%-55s %10s %10v", c.name+" (then: "+c.then+")", megabytes(memory), digits(computed))
	}
}
