package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/ir"
)

// TestPendingPlan checks that a changed file is compiled once however often the page is read, and compared with this
// machine every 30 s; if a reload would be refused, because of the file itself or of this machine, the reason is shown
// instead of the changes.
func TestPendingPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "keepalived.conf")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		lacks := "" // of this machine
		compiled, compared := 0, 0
		read := func() Loaded {
			text, err := os.ReadFile(name)
			l := Loaded{Config: &ir.Config{}, Files: Files{name: NewDigest(text, err)}}
			if strings.Contains(string(text), "priorityy") {
				l.Faults = []Fault{{Text: "unknown keyword", Same: "unknown"}}
			}
			l.OnHost = func() (all []Fault) {
				if strings.Contains(string(text), "eth7") && lacks != "" {
					return []Fault{{Text: "no interface " + lacks, Same: lacks}}
				}
				return nil
			}
			return l
		}
		write("one")
		past := &past{}
		past.begin(time.Now(), read())
		p := &pending{past: past, plan: func() (Loaded, func() string) {
			compiled++
			return read(), func() string { compared++; return "+ address" }
		}}
		for _, c := range []struct {
			do                 func()
			wait               time.Duration
			says               string
			compiled, compared int
		}{
			{func() {}, 0, "", 0, 0},
			{func() { write("two") }, 0, "+ address", 1, 1},
			{func() {}, 5 * time.Second, "+ address", 1, 1},
			{func() {}, 31 * time.Second, "+ address", 1, 2},
			{func() { write("priorityy") }, 0, "A reload would be refused:\nunknown keyword", 2, 2},
			{func() {}, time.Hour, "A reload would be refused:\nunknown keyword", 2, 2},
			{func() { write("") }, 0, "A reload would be refused:\n" + name + ": error: it was read before, and is empty now", 3, 2},
			{func() { write("eth7"); lacks = "eth7" }, 0, "A reload would be refused:\nno interface eth7", 4, 2},
			{func() { lacks = "" }, 31 * time.Second, "+ address", 4, 3},
			{func() { past.done(time.Now(), read()) }, time.Second, "", 4, 3},
			{func() { write("one") }, 0, "+ address", 5, 4},
		} {
			c.do()
			time.Sleep(c.wait)
			for range 2 {
				if says := p.text(); says != c.says || compiled != c.compiled || compared != c.compared {
					t.Errorf("%q, compiled %d times and compared %d; want %q, %d, %d", says, compiled, compared, c.says, c.compiled, c.compared)
				}
			}
		}
	})
}
