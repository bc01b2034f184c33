package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestKeepalivedFlags compares the table of flags with the help of Debian's keepalived, both ways.
func TestKeepalivedFlags(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	out, err := lab.New(t).Host("lb01").Try("keepalived", "--help")
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{} // by long name: short name and value
	for _, m := range regexp.MustCompile(`(?m)^  (?:-(\w),|   ) --([\w-]+)(\[?=\S+| id)?`).FindAllStringSubmatch(out, -1) {
		theirs[m[2]] = m[1] + m[3]
	}
	if len(theirs) < 30 {
		t.Fatalf("its help has only %d flags:\n%s", len(theirs), out)
	}
	delete(theirs, "dummy")
	for _, f := range keepalivedFlags() {
		value := ""
		switch {
		case f.joins:
			value = "[=" + f.value + "]"
		case f.value != "":
			value = "=" + f.value
		}
		short := ""
		if f.short != 0 {
			short = string(f.short)
		}
		want, there := theirs[f.long]
		switch delete(theirs, f.long); {
		// Flags that it accepts and does not list in its help, or shows with a mandatory value that is optional.
		case !there && slices.Contains([]string{"log-file", "flush-log-file", "ignore-sigint"}, f.long):
		case f.long == "core-dump-pattern" && want == "M=PATN":
		case !there:
			t.Errorf("--%s: keepalived does not have it", f.long)
		case want != short+value && want != short+strings.ReplaceAll(value, "=id", " id"):
			t.Errorf("--%s: got %q, keepalived has %q", f.long, short+value, want)
		}
	}
	for name := range theirs {
		t.Errorf("--%s is not in the table", name)
	}
}

// TestKeepalivedArguments reads command lines as getopt_long does.
func TestKeepalivedArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ line, want, wrong string }{
		{"-nlD", "foreground console detail", ""},
		{"-f/etc/x -lnDP", "file=/etc/x foreground console detail vrrp", ""},
		{"-nf x", "file=x foreground", ""},
		{"--use-file=x --dont-f", "file=x foreground", ""},
		{"--use-file x -- -n", "file=x", ""},
		{"-tx", "test=x", ""},
		{"-t x", "test=", ""},
		{"--config-test=x", "test=x", ""},
		{"-g", "log=/tmp/keepalived.log", ""},
		{"-g/x", "log=/x", ""},
		{"-Mcore -n", "foreground", ""},
		{"-S3", "facility=19", ""},
		{"--pid=a -rb -c c", "pids=a,b,c", ""},
		{"word -n", "foreground", ""},
		{"--vr", "", "Unknown option --vr"},
		{"-Z", "", "Unknown option -Z"},
		{"-nZl", "foreground console", "Unknown option -Z"},
		{"--dont-fork=1", "", "Unknown option --dont-fork=1"},
		{"-f", "", "Missing parameter for option -f"},
	} {
		d := &keepalivedRun{App: &App{}, facility: 3}
		wrong, err := d.parse(strings.Fields(c.line))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		var got []string
		add := func(set bool, text string) {
			if set {
				got = append(got, text)
			}
		}
		add(d.file != "", "file="+d.file)
		add(d.foreground, "foreground")
		add(d.console, "console")
		add(d.verbose, "detail")
		add(d.onlyVRRP, "vrrp")
		add(d.test, "test="+d.testLog)
		add(d.logFile != "", "log="+d.logFile)
		add(d.facility != 3, fmt.Sprint("facility=", d.facility))
		add(d.pids[0] != "", "pids="+strings.Join(d.pids[:3], ","))
		if text := strings.Join(got, " "); text != c.want || strings.Join(wrong, ", ") != c.wrong {
			t.Errorf("%s: got %q and %q, want %q and %q", c.line, text, wrong, c.want, c.wrong)
		}
	}
}

// asKeepalivedArgs returns the command line of keepc under the name keepalived, or of keepalived itself.
func asKeepalivedArgs(t *testing.T, p program, args ...string) []string {
	if p == keepalived {
		return append([]string{"keepalived"}, args...)
	}
	return keepcArgs(t, append([]string{"keepalived"}, args...)...)
}

// TestKeepalivedCodes checks that the exit codes of the flags that end at once, and of -t, are those of keepalived.
// One differs on purpose: a missing file is an error.
func TestKeepalivedCodes(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	h := lab.New(t).Host("lb01")
	write := func(name, text string) string {
		file := filepath.Join(h.Dir(), name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
	h.AddAddr("eth0", "192.0.2.9/24")
	instance := "vrrp_instance A {\n\tinterface eth0\n\tvirtual_router_id 1\n\t%s\n\tvirtual_ipaddress {\n\t\t192.0.2.1\n\t}\n}\n"
	server := "virtual_server 192.0.2.1 80 {\n\treal_server 192.0.2.2 80 {\n\t\tMISC_CHECK {\n\t\t\tmisc_path /bin/true\n\t\t}\n\t}\n}\n"
	for _, args := range [][]string{
		{"--signum=STOP"}, {"--signum=RELOAD"}, {"--signum=DATA"}, {"--signum=STATS"}, {"--signum=STATS_CLEAR"}, {"--signum=JSON"}, {"--signum=nope"},
		{"-Z"}, {"-f"}, {"-v"}, {"-h"},
		{"-t", "-f", write("fine.conf", "global_defs {\n\tenable_script_security\n}\nvirtual_server 192.0.2.1 80 {\n\treal_server 192.0.2.2 80 {\n\t}\n}\n")},
		{"-t", "-f", write("word.conf", fmt.Sprintf(instance, "prioritty 7"))},
		{"-t", "-f", write("script.conf", server)},
	} {
		results := map[program]string{}
		for _, p := range []program{keepalived, keepc} {
			line := asKeepalivedArgs(t, p, args...)
			out, err := h.Try(line[0], line[1:]...)
			code := "0"
			if err != nil {
				_, code, _ = strings.Cut(err.Error(), "exit status ")
				code, _, _ = strings.Cut(code, "\n")
				code, _, _ = strings.Cut(code, ":")
			}
			if !strings.HasPrefix(args[0], "--signum") {
				out = ""
			}
			results[p] = strings.TrimSpace(out) + " " + code
		}
		if results[keepc] != results[keepalived] {
			t.Errorf("%v: got %q, keepalived has %q", args, results[keepc], results[keepalived])
		}
	}
	line := asKeepalivedArgs(t, keepc, "-t", "-f", "/nonexistent")
	if out, err := h.Try(line[0], line[1:]...); err == nil || !strings.Contains(out+err.Error(), "Config files missing '/nonexistent'.") {
		t.Errorf("a missing file: %s, %v", out, err)
	}
}

// An exported is what an exporter for keepalived reads: from its text files, and from its JSON.
type exported struct {
	Data  map[string]string // by instance and field
	JSON  map[string]string
	Stats []string
	Lines map[string][]string // by file, without times and passwords
}

// withoutTimes finds what differs from one run to the next, and passwords.
var withoutTimes = regexp.MustCompile(`(Last transition =|Password =).*`)

// export does what published exporters do: it signals the process in the pid file, and reads the files.
func export(t *testing.T, h *lab.Host, pid int) (e exported) {
	t.Helper()
	read := func(sig syscall.Signal, name string) string {
		t.Helper()
		file := filepath.Join(h.Dir(), name)
		_ = os.Remove(file) // there may be none yet
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, 10*time.Second, name+" is written", func() bool {
			info, err := os.Stat(file)
			return err == nil && info.Size() > 0
		})
		time.Sleep(50 * time.Millisecond) // keepalived writes in place
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	e.Data, e.Lines = map[string]string{}, map[string][]string{}
	name, section := "", ""
	for _, name := range []string{"keepalived_parent.data", "keepalived.data"} {
		text := withoutTimes.ReplaceAllString(strings.TrimRight(read(syscall.SIGUSR1, name), "\n"), "$1")
		for line := range strings.SplitSeq(text, "\n") {
			e.Lines[name] = append(e.Lines[name], withoutSecrets(line))
		}
	}
	for line := range strings.Lines(read(syscall.SIGUSR1, "keepalived.data")) {
		key, value, found := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case strings.HasPrefix(line, "------<"):
			section, name = strings.Trim(strings.TrimSpace(line), "-<> "), ""
		case strings.HasPrefix(line, " VRRP Instance = "), strings.HasPrefix(line, " VRRP Script = "), strings.HasPrefix(line, " VRRP Sync Group = "):
			name = value
		case section == "VRRP Topology" && strings.Contains(line, " dev "):
			e.Data[name+" address"] += strings.TrimSpace(line) + ";"
		case name != "" && found && slices.Contains([]string{
			"State", "Wantstate", "Interface", "Gratuitous ARP delay", "Virtual Router ID", "Priority", "Effective priority", "Advert interval", "Preempt", "VRRP Version",
			"Down timer adverts", "Authentication type", "Command", "Interval", "Weight", "Rise", "Fall", "Status", "Gratuitous ARP repeat", "Timeout",
		}, key):
			e.Data[name+" "+key] = withoutSecrets(value)
		}
	}
	for line := range strings.Lines(read(syscall.SIGUSR2, "keepalived.stats")) {
		e.Stats = append(e.Stats, regexp.MustCompile(`(Sent|Received): \d+`).ReplaceAllString(strings.TrimRight(line, "\n"), "$1: N"))
	}
	var list []struct{ Data, Stats map[string]any }
	if err := json.Unmarshal([]byte(read(syscall.Signal(36), "keepalived.json")), &list); err != nil {
		t.Fatal(err)
	}
	e.JSON = map[string]string{}
	for _, i := range list {
		for key, value := range i.Data {
			if key != "last_transition" && key != "auth_data" {
				e.JSON[fmt.Sprint(i.Data["iname"], " ", key)] = withoutSecrets(strings.Trim(fmt.Sprint(value), "[]"))
			}
		}
		for key, value := range i.Stats {
			if key != "advert_sent" && key != "advert_rcvd" {
				e.JSON[fmt.Sprint(i.Data["iname"], " ", key)] = fmt.Sprint(value)
			}
		}
	}
	return e
}

// TestKeepalivedDumps checks that a reader finds the same values in the dumps of both programs for the same file, and
// a monitor the same lines in their logs. One difference is on purpose: the password is not written.
func TestKeepalivedDumps(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	const file = "global_defs {\n\tenable_script_security\n\trouter_id lb01\n}\nvrrp_script web {\n\tscript \"/bin/true a --password=s3cr3t\"\n\tuser root\n\tinterval 2\n}\n" +
		"vrrp_sync_group G {\n\tgroup {\n\t\tVI_1\n\t\tVI_2\n\t}\n}\n" +
		"vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tpriority 150\n\tgarp_master_delay 3\n\tauthentication {\n\t\tauth_type PASS\n\t\tauth_pass s3cr3t\n\t}\n" +
		"\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t\t192.0.2.11 dev eth0 label eth0:1\n\t}\n\tvirtual_ipaddress_excluded {\n\t\t192.0.2.12\n\t}\n\ttrack_script {\n\t\tweb\n\t}\n}\n" +
		"vrrp_instance VI_2 {\n\tinterface eth0\n\tvirtual_router_id 52\n\tversion 3\n\tadvert_int 0.5\n\tnopreempt\n\tvirtual_ipaddress {\n\t\t192.0.2.20/32\n\t}\n}\n"
	got := map[program]exported{}
	for _, p := range []program{keepalived, keepc} {
		h := lab.New(t).Host("lb01")
		h.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "far0")
		for _, name := range []string{"eth0", "far0", "lo"} {
			h.Run("ip", "link", "set", name, "up")
		}
		h.AddAddr("eth0", "192.0.2.1/24")
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(conf, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		line := asKeepalivedArgs(t, p, "-nlD", "-P", "-f"+conf, "--pid=/run/k.pid", "-r/run/v.pid", "-c", "/run/c.pid", "-b", "/run/b.pid")
		d := h.Start(line[0], line[1:]...)
		for _, says := range []string{"Startup complete", "VRRP_Script(web) succeeded", "(VI_1) Entering BACKUP STATE", "(VI_1) Entering MASTER STATE", "(VI_2) Entering MASTER STATE"} {
			if p == keepc { // the processes of keepalived overwrite each other's lines in one file
				d.WaitLog(says, 20*time.Second)
			}
		}
		lab.Eventually(t, 20*time.Second, "both are MASTER", func() bool { return len(h.Addrs("eth0")) >= 6 })
		time.Sleep(time.Second)
		got[p] = export(t, h, d.Pid())
		d.Signal(syscall.SIGHUP)
		if p == keepc {
			d.WaitLog("Reloading ...", 5*time.Second)
		}
		time.Sleep(time.Second)
		d.Signal(syscall.SIGTERM)
		if err := d.Wait(10 * time.Second); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if p == keepc && !strings.Contains(d.Log(), "Stopped Keepalived v2.2.7") {
			t.Errorf("%s does not say that it stopped:\n%s", p, d.Log())
		}
	}
	compare := func(what string, got, want map[string]string) {
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s: %s: got %q, keepalived has %q", what, key, got[key], value)
			}
		}
		for key, value := range got {
			if _, there := want[key]; !there {
				t.Errorf("%s: %s: got %q, keepalived does not have it", what, key, value)
			}
		}
	}
	for _, name := range []string{"keepalived_parent.data", "keepalived.data"} {
		linesInOrder(t, got[keepc].Lines[name], got[keepalived].Lines[name])
		t.Logf("%s: keepc writes %d lines, keepalived %d", name, len(got[keepc].Lines[name]), len(got[keepalived].Lines[name]))
	}
	compare("data", got[keepc].Data, got[keepalived].Data)
	compare("JSON", got[keepc].JSON, got[keepalived].JSON)
	if a, b := strings.Join(got[keepc].Stats, "\n"), strings.Join(got[keepalived].Stats, "\n"); a != b {
		t.Errorf("stats: got\n%s\nkeepalived has\n%s", a, b)
	}
}

// TestInitScript checks that Debian's init script of keepalived starts, reloads, restarts and stops keepc in
// keepalived's place, unchanged, and that the commands of its unit do.
func TestInitScript(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "start-stop-daemon")
	unit, err := os.ReadFile("/lib/systemd/system/keepalived.service")
	if err != nil {
		t.Skip(err)
	}
	command := func(key string) string {
		m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindSubmatch(unit)
		if m == nil {
			t.Fatalf("the unit has no %s", key)
		}
		return string(m[1])
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := lab.New(t).Host("lb01")
	conf := filepath.Join(h.Dir(), "keepalived.conf")
	if err := os.WriteFile(conf, []byte("vrrp_instance VI_1 {\n\tinterface lo0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10\n\t}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`set -e
mount -t tmpfs none /run; mount -t tmpfs none /etc/keepalived; cp %[1]s /etc/keepalived/keepalived.conf; mount --bind %[2]s /usr/sbin/keepalived
export %[3]s=1
pid() { cat /run/keepalived.pid; }
gone() { for i in $(seq 100); do test -e /run/keepalived.pid || return 0; sleep 0.1; done; echo "pid file stays"; exit 1; }
/etc/init.d/keepalived start; first=$(pid); kill -0 $first
if /usr/sbin/keepalived; then echo "a second one starts"; exit 1; fi
/etc/init.d/keepalived reload; sleep 0.5; test "$(pid)" = "$first"; kill -0 $first
/etc/init.d/keepalived restart; second=$(pid); test "$second" != "$first"; kill -0 $second
/etc/init.d/keepalived stop; gone
DAEMON_ARGS=; %[4]s & MAINPID=$!; for i in $(seq 100); do test -s /run/keepalived.pid && break; sleep 0.1; done; test "$(pid)" = "$MAINPID"
sleep 0.5; %[5]s; sleep 0.5; kill -0 $MAINPID; kill -TERM $MAINPID; wait $MAINPID; gone
echo "all is well"
`, conf, self, asKeepc, command("ExecStart"), command("ExecReload"))
	out, err := h.Try("unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script)
	if err != nil || !strings.Contains(out, "all is well") {
		t.Errorf("%v\n%s", err, out)
	}
}
