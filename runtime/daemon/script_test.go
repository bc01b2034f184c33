package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestScriptSecurityHoldsFromTheStart checks that with enable_script_security a script that others can change never
// runs as root: neither before a reload nor after. The instance that tracks it goes on without it.
func TestScriptSecurityHoldsFromTheStart(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the script has to be root's")
	}
	dir := t.TempDir()
	ran, program := filepath.Join(dir, "ran"), filepath.Join(dir, "check")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho $1 >> "+ran+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	secure := "global_defs {\n\tscript_user root\n\tenable_script_security\n}\n"
	text := "vrrp_script web {\n\tscript \"" + program + " web\"\n\tinterval 1\n}\n" + strings.Replace(first, "advert_int 1", "advert_int 1\n\ttrack_script {\n\t\tweb\n\t}", 1)
	count := func() int {
		all, _ := os.ReadFile(ran)
		return strings.Count(string(all), "\n")
	}

	good := newBox("10.0.0.5", secure+text)
	good.start()
	lab.Eventually(t, 10*time.Second, "a good script to run", func() bool { return count() >= 2 })
	good.stop(t)

	if err := os.Chmod(program, 0o777); err != nil {
		t.Fatal(err)
	}
	before := count()
	bad := newBox("10.0.0.5", secure+text)
	bad.start()
	lab.Eventually(t, 20*time.Second, "the instance to become MASTER", func() bool { return bad.holds(t) })
	bad.reload(secure + text + "\n")
	lab.Eventually(t, 10*time.Second, "the reload", func() bool { return bad.said("done in") })
	time.Sleep(1500 * time.Millisecond)
	if n := count() - before; n != 0 {
		t.Errorf("it ran %d times", n)
	}
	if want := "test.conf:6:2: error: script of vrrp_script web: not run: " + program + " can be written by everybody (mode 0777), and enable_script_security is set [writable-script]"; !bad.said(want) {
		t.Errorf("not said: %s", want)
	}
	bad.stop(t)
	if t.Failed() {
		t.Log(bad.log.String())
	}
}
