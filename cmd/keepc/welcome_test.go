package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestAdoption plays the README's five commands on a stranger's repository: 27 hosts that were never checked, with
// some 300 findings. Afterwards the job is green, and only new findings make it fail.
func TestAdoption(t *testing.T) {
	t.Parallel()
	repo := stranger(t)
	commands := readmeCommands(t, "### A repository that was never checked")
	if len(commands) != 5 {
		t.Fatalf("the README has %d commands, not five: %q", len(commands), commands)
	}
	var first, last ran
	for i, c := range commands {
		last = sh(t, repo, c)
		if i == 0 {
			first = last
		}
		if last.code > 1 || last.code == 1 && i > 1 {
			t.Errorf("$ %s\nexit code %d\n%s%s", c, last.code, last.out, last.err)
		}
	}
	findings := 0
	for _, m := range regexp.MustCompile(`(\d+) (?:error|warning)s?[,.]`).FindAllStringSubmatch(first.out, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		findings += n
	}
	if findings < 300 || first.code != 1 {
		t.Errorf("the repository has %d findings, exit code %d:\n%s", findings, first.code, first.out)
	}
	if last.code != 0 || last.out != "" {
		t.Errorf("afterwards the job is not green: exit code %d\n%s", last.code, last.out)
	}

	// Only new findings are shown.
	file := filepath.Join(repo, "hosts", "lb07", "keepalived.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "vrrp_script chk {\n    scrpt /usr/bin/true\n}\n"...)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	again := sh(t, repo, "keepc check --format short .")
	if again.code != 1 || strings.Count(again.out, "[unknown-keyword]") != 1 || !strings.Contains(again.out, `"scrpt"`) {
		t.Errorf("exit code %d\n%s", again.code, again.out)
	}
}

// TestValidate plays what the README gives to Ansible and Puppet: a file that was rendered in a different place is
// judged as if it were in its own, including includes and settings.
func TestValidate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^validate(?:: sh -c|_cmd =>) '([^']+)'`).FindAllStringSubmatch(string(text), -1)
	if len(found) != 2 {
		t.Fatalf("the README has %d commands that validate, not two", len(found))
	}
	const place = "/etc/keepalived"
	for _, m := range found {
		for _, test := range []struct {
			name, included string
			code           int
		}{
			{"right", "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n", 0},
			{"wrong", "vrrp_instance VI_1 {\n    interfaze eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n", 1},
		} {
			root := t.TempDir()
			rendered := filepath.Join(t.TempDir(), "source")
			for name, content := range map[string]string{
				filepath.Join(root, "conf.d", "vi.conf"): test.included,
				filepath.Join(root, ".keepc.conf"):       "fail_on error\n",
				rendered:                                 "include conf.d/*.conf\n",
			} {
				if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			command := strings.NewReplacer(place, root, "%s", rendered, "%", rendered).Replace(m[1])
			if got := sh(t, "/", command); got.code != test.code || (test.code == 1) != strings.Contains(got.out, `"interfaze"`) {
				t.Errorf("%s, %s: exit code %d, not %d\n%s%s", command, test.name, got.code, test.code, got.out, got.err)
			}
		}
	}
}

// stranger writes a repository of 27 hosts, in pairs and one by itself, as people keep them: copied from each other,
// mistakes and all.
func stranger(t *testing.T) string {
	t.Helper()
	repo := t.TempDir()
	for host := range 27 {
		var b strings.Builder
		fmt.Fprintf(&b, "global_defs {\n    router_id lb%02d\n    smtp_conect_timeout 30\n}\n", host)
		for i := range 2 {
			vrid := 10 + host/2*2 + i
			state, priority := "MASTER", 100
			if host%2 == 1 {
				state, priority = "BACKUP", 90
			}
			fmt.Fprintf(&b, "vrrp_instance VI_%d {\n    state %s\n    interface eth0\n    virtual_router_id %d\n    pririty %d\n    authentication {\n        auth_type PASS\n        auth_pass twelve%d_chars\n    }\n"+
				"    virtual_ipaddress {\n        192.0.2.%d\n    }\n}\n", vrid, state, vrid, priority, vrid, vrid)
			fmt.Fprintf(&b, "virtual_server 192.0.2.%d 80 {\n    delay_loop 6\n    lb_algo wwrr\n    lb_kind DR\n    protocol TCP\n", vrid)
			for r := range 3 {
				fmt.Fprintf(&b, "    real_server 10.0.%d.%d 80 {\n        weight 1\n        TCP_CHECK {\n            connect_timeout 3\n            nb_get_retry 3\n        }\n    }\n", host, r+1)
			}
			b.WriteString("}\n")
		}
		dir := filepath.Join(repo, "hosts", fmt.Sprintf("lb%02d", host))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "keepalived.conf"), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return repo
}

// readmeCommands returns the commands of the first code block below a heading of the README, without their comments.
func readmeCommands(t *testing.T, heading string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(text), "\n"+heading+"\n")
	_, below, begins := strings.Cut(below, "\n```\n")
	block, _, ends := strings.Cut(below, "\n```\n")
	if !found || !begins || !ends {
		t.Fatalf("the README has no block of code below %q", heading)
	}
	for line := range strings.Lines(block) {
		command, _, _ := strings.Cut(line, "  # ")
		if command = strings.TrimSpace(command); command != "" {
			commands = append(commands, command)
		}
	}
	return commands
}

// ran is how a shell command ended.
type ran struct {
	code     int
	out, err string
}

// sh runs a shell command in a directory, where keepc is the shipped program.
func sh(t *testing.T, dir, command string) ran {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // one that does not end fails by itself
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.WaitDelay = time.Second
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(shipped(t))+":"+os.Getenv("PATH"))
	var out, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}
