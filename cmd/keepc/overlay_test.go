package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRepairSkipsPipes checks that repairs open only regular files: a named pipe would block them forever.
func TestRepairSkipsPipes(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	text := "include pipe\ninclude pip[e]\ninclude /dev/zero\nvrrp_instance a {\n\tprioriy 7\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "a.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--diff", "--fix"} {
		done := make(chan string, 1)
		go func() {
			var out, errs strings.Builder
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
			app.Main([]string{"check", flag, "a.conf"})
			done <- out.String() + errs.String()
		}()
		select {
		case got := <-done:
			if !strings.Contains(got, "priority") {
				t.Errorf("check %s: no repair in\n%s", flag, got)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("check %s hangs", flag)
		}
	}
}
