package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestReadmeMigration runs the commands of the README's section about taking keepalived's place, one after the other,
// on a host where keepalived is MASTER. systemd's command is replaced by the program that keepalived's unit starts,
// after keepc has stopped as the Conflicts= of its unit requires.
func TestReadmeMigration(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "### Taking keepalived's place\n")
	_, block, _ := strings.Cut(section, "\n```\n")
	block, _, _ = strings.Cut(block, "\n```\n")
	commands := strings.Split(block, "\n")

	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte("vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 150\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(dir string) *lab.Process { // each time with separate pid files: orphans of a killed daemon are not collected here
		return h.Start("keepalived", lab.KeepalivedFlags(dir, conf, "-P", "-D")...)
	}
	theirs := start(t.TempDir())
	theirs.WaitLog("Entering MASTER STATE", 20*time.Second)
	var ours *lab.Process
	var played []string
	for _, command := range commands {
		words := strings.Fields(strings.ReplaceAll(command, "/etc/keepalived/keepalived.conf", conf))
		if len(words) < 2 {
			t.Fatalf("not a command: %q", command)
		}
		played = append(played, words[0]+" "+words[1])
		switch played[len(played)-1] {
		case "keepc check", "keepc plan":
			line := keepcArgs(t, words[1:]...)
			out := h.Run(line[0], line[1:]...) // fails the test with the command
			if words[1] == "plan" && !strings.Contains(out, "this is what its reload does") {
				t.Errorf("%s:\n%s", command, out)
			}
		case "keepc run":
			line := keepcArgs(t, words[1:]...)
			ours = h.Start(line[0], line[1:]...)
			ours.WaitLog("VI_1 MASTER", 20*time.Second)
			<-theirs.Done()
		case "systemctl start":
			ours.Stop()
			start(t.TempDir()).WaitLog("Entering MASTER STATE", 20*time.Second)
		default:
			t.Errorf("nobody plays %q", command)
		}
	}
	if want := []string{"keepc check", "keepc plan", "keepc run", "systemctl start"}; !slices.Equal(played, want) {
		t.Errorf("the README has %q, want %q", played, want)
	}
}
