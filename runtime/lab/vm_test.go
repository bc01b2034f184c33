package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

func TestRunInVM(t *testing.T) {
	if err := lab.VMReady(); err != nil {
		lab.Missing(t, "%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	status, err := lab.RunInVM(ctx, &exec.Cmd{
		Args:   []string{"sh", "-c", `pwd; echo "$1" "$A"; echo to stderr >&2; ipvsadm -Ln; seq 100000; exit 7`, "sh", "it's"},
		Dir:    "/etc",
		Env:    []string{"A=$b c", "PATH=/usr/sbin:/usr/bin"},
		Stdout: &out,
	})
	if err != nil || status != 7 {
		t.Errorf("the status is %d, the error %v; want 7 and none", status, err)
	}
	for _, want := range []string{"/etc\n", "it's $b c\n", "to stderr\n", "IP Virtual Server", "\n100000\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q", want)
		}
	}
}

func TestVMEndsWithItsContext(t *testing.T) {
	if err := lab.VMReady(); err != nil {
		lab.Missing(t, "%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := lab.RunInVM(ctx, &exec.Cmd{Args: []string{"sleep", "1000"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want that of the context", err)
	}
}

// A verdict is a lab.T that remembers how the test would have ended.
type verdict struct {
	lab.T
	text string
}

func (v *verdict) Helper()                   {}
func (v *verdict) Fatalf(f string, a ...any) { v.end("failed, "+f, a...) }
func (v *verdict) Skipf(f string, a ...any)  { v.end(f, a...) }

// end keeps the first verdict: a real test would not continue.
func (v *verdict) end(f string, a ...any) {
	if v.text == "" {
		v.text = fmt.Sprintf(f, a...)
	}
}

func TestMissing(t *testing.T) {
	for ci, want := range map[string]string{
		"":     "skipped: no tshark",
		"true": "failed, missing where CI=true: no tshark",
	} {
		t.Setenv("CI", ci)
		v := &verdict{T: t}
		lab.Missing(v, "no %s", "tshark")
		if v.text != want {
			t.Errorf("with CI=%s the verdict is %q, want %q", ci, v.text, want)
		}
	}
}
