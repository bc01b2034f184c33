package lab_test

import (
	"strings"
	"testing"

	"keepc/runtime/lab"
)

func TestIPVSAdm(t *testing.T) {
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "ipvsadm")
	_, a, b := pair(t)
	a.Run("ipvsadm", "-A", "-t", "10.0.0.3:80", "-s", "wrr", "-p", "20")
	a.Run("ipvsadm", "-a", "-t", "10.0.0.3:80", "-r", "10.0.0.7:80", "-g", "-w", "1")
	if out := a.Run("ipvsadm-save", "-n"); !strings.Contains(out, "-a -t 10.0.0.3:80 -r 10.0.0.7:80 -g -w 1") {
		t.Errorf("the server is not in the table:\n%s", out)
	}
	if out := b.Run("ipvsadm-save", "-n"); out != "" {
		t.Errorf("two hosts share a table:\n%s", out)
	}
}
