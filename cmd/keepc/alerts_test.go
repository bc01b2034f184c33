package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"keepc/runtime/lab"
)

const prometheus = "../../.ci/prometheus/"

// TestAlerts checks that the metrics and labels in the alerts are those of a director.
func TestAlerts(t *testing.T) {
	alerts, err := os.ReadFile(prometheus + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile("../../runtime/status/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\bkeepc_[a-z_]+`).FindAllString(string(alerts), -1)
	if len(names) < 10 {
		t.Errorf("only %d names", len(names))
	}
	for _, name := range names {
		if !strings.Contains(string(metrics), "\n"+name+"{") && !strings.Contains(string(metrics), "\n"+name+" ") {
			t.Errorf("no director shows %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(string(alerts), -1) {
		if label := m[1]; label != "instance" && !strings.Contains(string(metrics), label+`="`) { // instance is Prometheus's own label
			t.Errorf("no metric has the label %s", label)
		}
	}
}

// undrawn are the metrics without a panel, and why.
var undrawn = map[string]string{
	"keepc_build_info":                      "a version is a label, not a curve",
	"keepc_instance_role_timestamp_seconds": "the panel of roles shows when they change",
	"keepc_condition_advertisements_total":  "the table of conditions shows those of the last minute",
	"keepc_bfd_session_timestamp_seconds":   "the panel of sessions shows when they change",
	"keepc_bfd_session_transitions_total":   "the panel of sessions shows each",
	"keepc_bfd_session_detection_seconds":   "a setting of both ends, which changes with the file",
	"keepc_script_runs_total":               "a script runs at its interval",
	"keepc_script_failures_total":           "the panel of scripts shows which fail",
	"keepc_server_packets_total":            "the panel of traffic has their bytes",
}

// TestDashboard checks that every metric has a panel or a reason, that every metric and label of the dashboard is one that a director has, and
// that panels do not overlap.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(prometheus + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := os.ReadFile("../../runtime/status/testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]string{}
	for _, p := range board.Panels {
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other := taken[at]; other != "" || at[0] >= 24 {
					t.Fatalf("%q lies on %q, or beyond the edge", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			names := regexp.MustCompile(`\bkeepc_[a-z_]+`).FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%q asks for nothing of keepc: %s", p.Title, target.Expr)
			}
			labels := regexp.MustCompile(`\{\{(\w+)\}\}|(\w+)=~?"[^$"]|by \((\w+)(?:, (\w+))?(?:, (\w+))?\)`).FindAllStringSubmatch(target.LegendFormat+" "+target.Expr, -1)
			for _, name := range names {
				line := regexp.MustCompile(`(?m)^` + name + `(?:\{.*\})? `).FindString(string(metrics))
				if line == "" {
					t.Errorf("%q: no director shows %s", p.Title, name)
				}
				for _, m := range labels {
					for _, label := range m[1:] {
						if label != "" && label != "instance" && len(names) == 1 && !strings.Contains(line, label+`="`) { // instance is Prometheus's own label
							t.Errorf("%q: %s has no label %s", p.Title, name, label)
						}
					}
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) `).FindAllStringSubmatch(string(metrics), -1) {
		shown := regexp.MustCompile(`\b` + m[1] + `\b`).Match(text)
		if why := undrawn[m[1]]; shown == (why != "") {
			t.Errorf("%s: in a panel: %v; why not: %q", m[1], shown, why)
		}
	}
}

// TestAlertsFire plays the tests of the alerts with Prometheus's own tool.
func TestAlertsFire(t *testing.T) {
	needInterop(t)
	if _, err := exec.LookPath("promtool"); err != nil {
		lab.Missing(t, "promtool is not installed; `make interop` installs it")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = prometheus
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
