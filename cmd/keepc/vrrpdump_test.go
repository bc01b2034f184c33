package main

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"keepc/runtime/lab"
)

// TestVRRPDumps compares decoding with the running program: Debian's keepalived is started with real files and those
// of testdata/dump/vrrp, on a host that has their interfaces, users and scripts, and its data dump and its JSON must
// agree with what keepc understood. Deliberate differences are in testdata/reference/dumps-vrrp.txt, each with its
// reason. It also checks that a file means the same to keepalived after "keepc fmt": a second keepalived is started
// with the output of fmt, and the dumps of both are compared. -short compares only the project's own files,
// KEEPC_DUMP=all every real file.
func TestVRRPDumps(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "chroot")
	excuses := dumpExcuses(t)
	var compared, formatted, left atomic.Int32
	t.Run("files", func(t *testing.T) {
		for _, path := range vrrpDumpFiles(t) {
			name := filepath.Base(path)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				cfg := configOf(t, path)
				got, why := runForDump(t, path, cfg, nil)
				if sameAfterFormat(t, path, cfg, got, why) {
					formatted.Add(1)
				}
				if why != "" {
					left.Add(1)
					t.Skip("keepalived tells nothing: " + why)
				}
				compared.Add(1)
				for _, d := range differences(cfg, got) {
					if !excuses.cover(name, d) {
						t.Error(d)
					}
				}
			})
		}
	})
	t.Logf("%d files compared, %d of them also after fmt; %d left out, for keepalived does not run with them", compared.Load(), formatted.Load(), left.Load())
	if n := compared.Load(); n < 40 && n+left.Load() > 40 {
		t.Errorf("only %d files compared", n)
	}
	if n := formatted.Load(); n < 40 && compared.Load() > 80 {
		t.Errorf("only %d files compared after fmt", n)
	}
	if os.Getenv("KEEPC_DUMP") == "all" {
		for _, e := range excuses {
			if !e.used.Load() {
				t.Errorf("dumps-vrrp.txt: %s | %s needs no excuse any more", e.file, e.text)
			}
		}
	}
}

// vrrpDumpFiles lists what is compared: all of the project's files, and every third real one,
// including those with mistakes, because keepc reads them as keepalived does.
func vrrpDumpFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "dump", "vrrp", "*.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		return files
	}
	corpus := filepath.Join("..", "..", "..", "shared", "corpus")
	index, err := os.Open(filepath.Join(corpus, "index.tsv"))
	if err != nil {
		t.Log("../shared/corpus is not here")
		return files
	}
	defer index.Close()
	n := 0
	for s := bufio.NewScanner(index); s.Scan(); {
		row := strings.Split(s.Text(), "\t")
		if len(row) < 7 || !strings.Contains(row[4], "vrrp") {
			continue
		}
		switch row[6] {
		case "accept", "deprecated-only", "env-noise-only", "config-errors":
			if n++; n%3 == 0 || os.Getenv("KEEPC_DUMP") == "all" {
				files = append(files, filepath.Join(corpus, "files", row[0]))
			}
		}
	}
	return files
}

// An excuse is a deliberate difference.
type excuse struct {
	file string // or *
	text *regexp.Regexp
	used atomic.Bool
}

type excuseList []*excuse

// dumpExcuses reads testdata/reference/dumps-vrrp.txt: one "FILE | expression that the difference matches | reason"
// per line.
func dumpExcuses(t *testing.T) (list excuseList) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "reference", "dumps-vrrp.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if len(parts) != 3 || parts[2] == "" {
			t.Fatalf("dumps-vrrp.txt: %q has no reason", line)
		}
		list = append(list, &excuse{file: parts[0], text: regexp.MustCompile(parts[1])})
	}
	return list
}

// cover reports whether a difference is deliberate.
func (l excuseList) cover(file, difference string) bool {
	for _, e := range l {
		if (e.file == "*" || e.file == file) && e.text.MatchString(difference) {
			e.used.Store(true)
			return true
		}
	}
	return false
}
