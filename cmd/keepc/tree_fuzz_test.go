package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outsider is the content of a file that must not be read in FuzzTree.
const outsider = "zQ9outsider"

// FuzzTree checks that no tree of files, with links in it, a .keepc.conf and repairs, makes keepc panic or hang, read
// a file outside, or change a file outside.
func FuzzTree(f *testing.F) {
	f.Add("include part.conf\ninclude link\ninclude d/d/d/*.conf\ninclude d/*/*/link\n", "global_defs {\n router_di x\n}\n", "rule unknown-keyword off\n", byte(0))
	f.Add("include {part,link,out}*\ninclude /etc/passwd\ninclude ${_ENV SECRET}\n", "vrrp_instance a {\n pririty 7\n include link\n}\n", "cluster c {\n member a { file link }\n member b { file ../secret/secret.conf }\n}\n", byte(1))
	f.Add("includea out/*\ninclude ../secret/*\n", "include link\n", "fail_onn info\nrule x { severity info }\nkeepalived_version 2.2.7\n", byte(2))
	f.Add("include link/\ninclude d/link/d/part.conf\n", "include keepalived.conf\n", "cluster c {\n member a { file d/d/keepalived.conf }\n member b { file part.conf }\n}\n", byte(3))
	f.Add("$A=include link\n$A\ninclude link/self/environ\n", "@lb1 include link\n", "include link\n", byte(4))
	f.Add("include part.conf\n", "router_di x\n", "baseline ../secret/secret.conf\nexclude d out\npath out {\n rule unknown-keyword off\n}\n", byte(5))
	f.Add("include d/*/part.conf\nglobal_defs {\n}\n", "global_defs {\n router_di x\n}\n", "cluster c {\n member * { file */keepalived.conf }\n member x { file ../secret/*.conf }\n}\n", byte(6))
	f.Fuzz(func(t *testing.T, main, part, settings string, where byte) {
		if len(main)+len(part)+len(settings) > 4<<10 {
			return
		}
		top := t.TempDir()
		repo, secret := filepath.Join(top, "repo"), filepath.Join(top, "secret")
		targets := []string{"../secret/secret.conf", "../secret", "part.conf", "link", "/proc", ".", "..", "/", "d/d/part.conf", "out/secret.conf"}
		var err error
		must := func(e error) {
			if err == nil {
				err = e
			}
		}
		must(os.Mkdir(repo, 0o755))
		must(os.Mkdir(secret, 0o755))
		whole := []byte(outsider + " 1\nrouter_di x\n")
		must(os.WriteFile(filepath.Join(secret, "secret.conf"), whole, 0o644))
		for name, text := range map[string]string{"keepalived.conf": main, "part.conf": part, ".keepc.conf": settings} {
			must(os.WriteFile(filepath.Join(repo, name), []byte(text), 0o644))
		}
		must(os.Symlink(targets[int(where)%len(targets)], filepath.Join(repo, "link")))
		must(os.Symlink(".", filepath.Join(repo, "d")))
		must(os.Symlink("../secret", filepath.Join(repo, "out")))
		if err != nil {
			t.Fatal(err)
		}
		known := strings.Contains(main+part+settings, outsider)
		for _, args := range [][]string{
			{"check"}, {"check", "--format", "json", "keepalived.conf"}, {"check", "--diff", "keepalived.conf"}, {"check", "--fix", "keepalived.conf"},
			{"check", "--fix", ".keepc.conf"}, {"check", "--fix", "."}, {"check", "--show-settings"}, {"fmt", "-w", "keepalived.conf"}, {"show", "--expand", "keepalived.conf"}, {"check", "keepalived.conf", "part.conf"},
		} {
			start := time.Now()
			var out bytes.Buffer
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return outsider }, FS: hostFiles(), Dir: repo}
			app.Main(args)
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("%v takes %v", args, d)
			}
			if strings.Contains(out.String(), outsider) && !known {
				t.Errorf("%v shows what is outside:\n%s", args, &out)
			}
			if now, err := os.ReadFile(filepath.Join(secret, "secret.conf")); err != nil || !bytes.Equal(now, whole) {
				t.Fatalf("%v changes what is outside: %q, %v", args, now, err)
			}
			if info, err := os.Lstat(filepath.Join(repo, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Fatalf("%v replaces the link", args)
			}
		}
		for dir, names := range map[string]int{repo: 6, secret: 1} {
			if all, err := os.ReadDir(dir); err != nil || len(all) != names {
				t.Fatalf("%s has %d files, %v", dir, len(all), err)
			}
		}
	})
}
