package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/runtime/lab"
)

// TestNoRoom checks that a file keeps its text, and that nothing else is left beside it, if the disk is full while
// keepc writes it.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "mount")
	h := lab.New(t).Host("lb01")
	text := strings.Repeat("vrrp_instance  VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tprioriti 100\n}\n", 100)
	for _, args := range [][]string{{"check", "--fix"}, {"fmt", "-w"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			dir := filepath.Join(h.Dir(), args[0])
			file := filepath.Join(dir, "keepalived.conf")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			h.Run("mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", dir)
			inside := func(f func() error) {
				t.Helper()
				if err := h.Do(f); err != nil {
					t.Fatal(err)
				}
			}
			inside(func() error { return os.WriteFile(file, []byte(text), 0o640) })
			command := keepcArgs(t, append(args, file)...)
			said, err := h.Try(command[0], command[1:]...)
			if err == nil || !strings.Contains(said, "no space left on device") {
				t.Errorf("%v: %s", err, said)
			}
			inside(func() error {
				now, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if string(now) != text {
					t.Errorf("the file has %d bytes now, and had %d", len(now), len(text))
				}
				beside, err := os.ReadDir(dir)
				if len(beside) != 1 {
					t.Errorf("beside it: %v", beside)
				}
				return err
			})
		})
	}
}
