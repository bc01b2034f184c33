package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// showFiles returns the files that the tests of show read: those of the project, and without -short real ones beside
// it.
func showFiles(t *testing.T) (files []string) {
	t.Helper()
	root := filepath.Join("..", "..")
	patterns := []string{"testdata/*/*.conf", "testdata/tutorial/repaired/*.conf"}
	if !testing.Short() {
		patterns = append(patterns, "../shared/corpus/files/*")
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// call runs the program on the files of this machine and returns what it prints.
func call(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
	code = app.Main(args)
	return out.String(), code
}

// TestShow checks three things on real files: the output of show --expand is read like the original, show prints JSON,
// and no form of it prints a secret.
func TestShow(t *testing.T) {
	t.Parallel()
	if files := showFiles(t); len(files) > 0 {
		for part := range slices.Chunk(files, (len(files)+3)/4) { // processors need not wait for the last one
			t.Run(filepath.Base(part[0]), func(t *testing.T) {
				t.Parallel()
				for _, name := range part {
					showsAll(t, name)
				}
			})
		}
	}
}

func showsAll(t *testing.T, name string) {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := grammar.LoadText(source.New(name, text), grammar.Options{
		Files: grammar.Files{Root: os.DirFS("/"), Dir: dir}, ID: "lb1", Env: func(string) string { return "" }, Nests: schema.Nests(),
	})
	expanded, _ := call(t, "show", "--expand", "--id", "lb1", name)
	if len(expanded) > 4<<20 {
		return // one that expands to 273,000 lines shows nothing new, and takes minutes with the race detector
	}
	again, _ := grammar.Parse(source.New(name, []byte(expanded)))
	read := outline(again.Stmts)
	for i, line := range outline(first.Stmts) {
		if i >= len(read) || read[i] != line && read[i] != "(hidden)" { // a secret in place of a keyword is recognized by its block
			t.Errorf("%s: statement %d is %s; expanded, it is read otherwise: %q", name, i, line, read[min(i, len(read)):])
			break
		}
	}
	tree, _ := call(t, "show", "--tree", name)
	config, _ := call(t, "show", name)
	var object struct{ Version int }
	if err := json.Unmarshal([]byte(config), &object); err != nil || object.Version != 1 {
		t.Errorf("%s: %v", name, err)
	}
	for _, secret := range secretsOf(first) {
		for _, shown := range []string{expanded, tree, config} {
			if slices.Contains(strings.Fields(shown), secret) || strings.Contains(shown, `"`+secret+`"`) {
				t.Errorf("%s: %q is shown", name, secret)
			}
		}
	}
}

// outline returns the words of every statement, with those hidden that show hides.
func outline(stmts []*grammar.Stmt) (lines []string) {
	grammar.Walk(stmts, func(s *grammar.Stmt, depth int) {
		line := strings.Repeat("\t", depth)
		for _, w := range s.Words {
			line += "<" + w.Text + ">"
		}
		if report.Hide(s.String()) != s.String() || strings.Contains(line, "(hidden)") {
			line = "(hidden)"
		}
		lines = append(lines, line)
	})
	return lines
}

// secretsOf lists the passwords of a file that are not also other words of it.
func secretsOf(file *grammar.File) (secrets []string) {
	count := map[string]int{}
	grammar.Walk(file.Stmts, func(s *grammar.Stmt, _ int) {
		for _, w := range s.Words {
			count[w.Text]++
		}
		if s.Keyword() == "auth_pass" && len(s.Words) > 1 {
			secrets = append(secrets, s.Words[1].Text)
			count[s.Words[1].Text]--
		}
	})
	return slices.DeleteFunc(secrets, func(s string) bool { return count[s] > 0 || len(s) < 5 })
}

// TestShowTellsOfKeys checks that show says what is wrong with the keys of auth_hmac in full, without the keys.
func TestShowTellsOfKeys(t *testing.T) {
	const key = "k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9"
	for lines, want := range map[string]string{
		"":                                "without a key",
		"key 1 " + key + "\nactive_key 9": "with an active_key that is not one of its keys",
		"key 1 k2t9":                      "with a key that is too short, too long or not hexadecimal",
		"key 1 hex:k2t9":                  "with a key that is too short, too long or not hexadecimal",
	} {
		file := filepath.Join(t.TempDir(), "f.conf")
		text := "vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\nauth_hmac {\n" + lines + "\n}\nvirtual_ipaddress {\n192.0.2.10/24\n}\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, _ := call(t, "show", file)
		if !strings.Contains(out, `"vrrp_instance.auth_hmac `+want+`"`) || strings.Contains(out, "k2t9") {
			t.Errorf("%q: want %q in\n%s", lines, want, out)
		}
	}
}
