package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// monitorScript is a check as monitors have it for keepalived: it has the daemon write its data, and compares the state of an instance with
// the one that it should have. Its exit codes are those of Nagios: 0 OK, 2 CRITICAL, 3 UNKNOWN.
const monitorScript = `#!/bin/sh
# usage: check_vrrp PIDFILE DATAFILE INSTANCE STATE
pid=$(cat "$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null || { echo "UNKNOWN: keepalived does not run"; exit 3; }
rm -f "$2"
kill -USR1 "$pid"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -s "$2" ] && break
	sleep 0.5
done
sleep 0.5
state=$(awk -F' = ' -v name="$3" '/VRRP Instance = /{mine = $2 == name} mine && /^ +State = /{print $2; exit}' "$2")
[ -n "$state" ] || { echo "UNKNOWN: no instance $3"; exit 3; }
[ "$state" = "$4" ] || { echo "CRITICAL: $3 is $state, not $4"; exit 2; }
echo "OK: $3 is $state"
`

// TestMonitorScript checks that such a script says the same about keepc as about keepalived.
func TestMonitorScript(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "awk")
	for _, p := range []program{keepalived, keepc} {
		h := oneHost(t)
		at := func(name string) string { return filepath.Join(h.Dir(), name) }
		if err := errors.Join(os.WriteFile(at("check_vrrp"), []byte(monitorScript), 0o755), os.WriteFile(at("k.conf"), []byte(plainInstance+"}\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		check := func(instance, state, want string, code int) {
			t.Helper()
			out, err := h.Try(at("check_vrrp"), at("parent.pid"), at("keepalived.data"), instance, state)
			if strings.TrimSpace(out) != want || (err == nil) != (code == 0) || err != nil && !strings.Contains(err.Error(), "exit status "+string(rune('0'+code))) {
				t.Errorf("%s: got %q, %v; want %q, code %d", p, out, err, want, code)
			}
		}
		check("VI_1", "MASTER", "UNKNOWN: keepalived does not run", 3)
		line := asKeepalivedArgs(t, p, lab.KeepalivedFlags(h.Dir(), at("k.conf"), "-P", "-D")...)
		d := h.Start("env", append([]string{"TMPDIR=" + h.Dir()}, line...)...)
		lab.Eventually(t, 30*time.Second, string(p)+" is MASTER", func() bool { return h.HasAddr(netip.MustParseAddr("10.0.0.3")) })
		check("VI_1", "MASTER", "OK: VI_1 is MASTER", 0)
		check("VI_1", "BACKUP", "CRITICAL: VI_1 is MASTER, not BACKUP", 2)
		check("VI_2", "MASTER", "UNKNOWN: no instance VI_2", 3)
		d.Stop()
	}
}

// TestUnreadable checks that a file that nobody may read any longer is refused at a reload, once for each, that the old one stays in force,
// and that it is read when it can be read again. A director has given up the right to read every file.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	bin, h := shipped(t), oneHost(t)
	file, address := filepath.Join(h.Dir(), "3.conf"), netip.MustParseAddr("10.0.0.3")
	if err := os.WriteFile(file, []byte(plainInstance+"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := h.Start(bin, "run", file)
	p.WaitLog("VI_1 MASTER", 30*time.Second)
	lab.Eventually(t, 10*time.Second, "the address", func() bool { return h.HasAddr(address) })
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		p.Signal(syscall.SIGHUP)
		lab.Eventually(t, 15*time.Second, "the reload is refused", func() bool { return strings.Count(p.Log(), "still enforcing") == n+1 })
	}
	if n := strings.Count(p.Log(), "permission denied"); n != 2 || !h.HasAddr(address) {
		t.Errorf("%d lines say why, want one for each reload; the address is there: %v\n%s", n, h.HasAddr(address), p.Log())
	}
	if out, err := h.Try(bin, "status", "-q"); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("status: %v\n%s", err, out)
	}
	if out, _ := h.Try(bin, "status"); !strings.Contains(out, "permission denied") {
		t.Errorf("status does not say why:\n%s", out)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	p.WaitLog("done in", 15*time.Second)
	p.Stop()
}

// TestLogFields checks the fields of the JSON log, in their order, from the start of a director to its end: programs read them.
func TestLogFields(t *testing.T) {
	t.Parallel()
	bin, h := shipped(t), oneHost(t)
	file := filepath.Join(h.Dir(), "3.conf")
	const server = "virtual_server 10.0.0.9 80 {\n\tlb_algo rr\n\tprotocol TCP\n\treal_server 127.0.0.1 1 {\n\t\tTCP_CHECK {\n\t\t\twarmup 0\n\t\t\tretry 0\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(plainInstance+"}\n"+server), 0o644); err != nil {
		t.Fatal(err)
	}
	p := h.Start(bin, "run", "--format", "json", file)
	p.WaitLog("VI_1 MASTER", 30*time.Second)
	p.WaitLog(`"subject":"quorum"`, 30*time.Second)
	p.Signal(syscall.SIGHUP)
	p.WaitLog("done in", 15*time.Second)
	h.Run("ip", "link", "set", "eth0", "down")
	p.WaitLog("VI_1 FAULT", 15*time.Second)
	p.Stop()
	got := map[string][]string{} // the level and the fields of each line, by subject
	for line := range strings.Lines(p.Log()) {
		fields, values := "", map[string]any{}
		d := json.NewDecoder(strings.NewReader(line))
		if _, err := d.Token(); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for d.More() {
			name, err := d.Token()
			var value any
			if err := errors.Join(err, d.Decode(&value)); err != nil {
				t.Fatalf("%v in %s", err, line)
			}
			fields, values[name.(string)] = fields+" "+name.(string), value
		}
		subject, _ := values["subject"].(string)
		got[subject] = append(got[subject], fmt.Sprint(values["level"], ":", fields))
	}
	const instance = " time level msg subject instance role priority reason"
	for subject, want := range map[string][]string{
		"privileges":  {"INFO: time level msg subject"},
		"ready":       {"INFO: time level msg subject"},
		"VI_1 BACKUP": {"INFO:" + instance},
		"VI_1 MASTER": {"INFO:" + instance},
		"VI_1 FAULT":  {"WARN:" + instance},
		"VI_1 STOP":   {"INFO:" + instance},
		"127.0.0.1:1": {"WARN: time level msg subject server service up reason"},
		"quorum":      {"WARN: time level msg subject service lost reason"},
		"reload":      {"INFO: time level msg subject", "INFO: time level msg subject"},
		"stopped":     {"INFO: time level msg subject"},
	} {
		if !slices.Equal(got[subject], want) {
			t.Errorf("%s: got %q, want %q\n%s", subject, got[subject], want, p.Log())
		}
	}
}
