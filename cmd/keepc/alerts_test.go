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

// TestAlerts: the alerts ask for metrics and labels that a director shows.
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
		if label := m[1]; label != "instance" && !strings.Contains(string(metrics), label+`="`) { // instance is Prometheus's own
			t.Errorf("no metric has the label %s", label)
		}
	}
}

// TestDashboard: every metric of the dashboard, and every label that it asks for or shows, is one that a director has; panels do not overlap.
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
						if label != "" && label != "instance" && len(names) == 1 && !strings.Contains(line, label+`="`) { // instance is Prometheus's own
							t.Errorf("%q: %s has no label %s", p.Title, name, label)
						}
					}
				}
			}
		}
	}
	if len(board.Panels) < 15 {
		t.Errorf("only %d panels", len(board.Panels))
	}
}

// TestAlertsFire plays the tests of the alerts with Prometheus's own tool.
func TestAlertsFire(t *testing.T) {
	needInterop(t)
	lab.NeedPrograms(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = prometheus
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
