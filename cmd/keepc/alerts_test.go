package main

import (
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
