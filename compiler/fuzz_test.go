package compiler

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/source"
)

// FuzzCheck checks that no text makes a check panic, that findings can be shown, and that repairs terminate.
func FuzzCheck(f *testing.F) {
	for _, dir := range []string{"ok", "err", "tutorial"} {
		paths, err := filepath.Glob(filepath.Join("..", "testdata", dir, "*.conf"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	schema.Walk(func(path []*schema.Keyword) {
		f.Add([]byte(path[len(path)-1].Word + " 1 2 {\n}\n"))
		f.Add([]byte(braceless(path)))
	})
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		defer func() {
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("%v for %d bytes", d, len(text))
			}
		}()
		for range 20 {
			src := source.New("f", text)
			u := Load(src, Options{Text: grammar.Options{Files: grammar.Files{Root: fstest.MapFS{}}, Version: "2.2.7"}, Host: caseHost{}})
			cfg := u.Config
			Settings(grammar.Parse(src))
			state.Desired(cfg, state.AllMaster(cfg))
			literal := u.Literal().Config
			state.Desired(literal, state.AllMaster(literal))
			model := report.NewCheck([]report.File{{Name: "f", Findings: u.Findings, Secrets: cfg.Secrets}})
			for _, format := range report.Formats() {
				if err := format.Write(io.Discard, model, true); err != nil {
					t.Fatal(err)
				}
			}
			better, done := u.Findings.Repair(src)
			if len(done) == 0 {
				return
			}
			if len(better) > len(text)+1000*len(done) {
				t.Fatalf("a repair makes %d bytes of %d", len(better), len(text))
			}
			text = better
		}
	})
}

// braceless is a file with a keyword in the right place but no block after it.
func braceless(path []*schema.Keyword) string {
	heads := map[string]string{
		"virtual_server": "192.0.2.10 80", "real_server": "192.0.2.21 80", "sorry_server": "192.0.2.22 80", "virtual_server_group": "G", "vrrp_instance": "VI_1",
	}
	var open, shut string
	for i, key := range path {
		open += strings.TrimSpace(key.Word + " " + cmp.Or(heads[key.Word], "a"))
		if i < len(path)-1 {
			open, shut = open+" {\n", shut+"}\n"
		}
	}
	return open + "\n" + shut
}
