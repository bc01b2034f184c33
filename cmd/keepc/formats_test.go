package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// TestFormatsAgree checks that all formats show the same findings, infos included, and that a job which reads JUnit
// fails exactly if the exit code says so.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	dir := absolute(t, filepath.Join("..", "..", "testdata", "faults"))
	paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no files: ", err)
	}
	counts := map[string]*regexp.Regexp{ // what a finding looks like
		"human":      regexp.MustCompile(`(?m)^\S+: (error|warning|info): .*\]$`),
		"short":      regexp.MustCompile(`(?m)^\S+: (error|warning|info): .*\]$`),
		"json":       regexp.MustCompile(`(?m)^      "rule":`),
		"github":     regexp.MustCompile(`(?m)^::(error|warning|notice) `),
		"sarif":      regexp.MustCompile(`"ruleId":`),
		"checkstyle": regexp.MustCompile(`<error `),
		"junit":      regexp.MustCompile(`<testcase name="[^"]* [a-z0-9-]+" `),
		"gitlab":     regexp.MustCompile(`"check_name":`),
	}
	failures := regexp.MustCompile(`<testsuite [^>]*failures="[1-9]`)
	infos := 0
	for _, path := range paths {
		for _, more := range []string{"", "--verbose"} {
			first, code := -1, 0
			for format, finding := range counts {
				args := append([]string{"check", "--allow-outside", "--format", format, filepath.Base(path)}, strings.Fields(more)...)
				var out bytes.Buffer
				app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
				exit := app.Main(args)
				n := len(finding.FindAllString(out.String(), -1))
				if format == "short" {
					infos += strings.Count(out.String(), ": info: ")
				}
				if first < 0 {
					first, code = n, exit
				}
				if n != first || exit != code {
					t.Errorf("%v: %d findings and exit code %d, another format %d and %d\n%s", args, n, exit, first, code, &out)
				}
				if failed := failures.MatchString(out.String()); format == "junit" && failed != (exit == exitFindings) {
					t.Errorf("%v: exit code %d, and JUnit has failures: %v\n%s", args, exit, failed, &out)
				}
			}
		}
	}
	if infos == 0 {
		t.Error("no file has an info")
	}
}

// TestWideNames checks that names of wide characters shift nothing: the output is that for names of the same width in
// Latin letters.
func TestWideNames(t *testing.T) {
	t.Parallel()
	latin := strings.NewReplacer("大阪", "abcd", "東京", "efgh", "負荷", "wxyz")
	const file = "vrrp_script 負荷 {\n    script /bin/true\n    weight 300\n}\nvrrp_instance 負荷 {\n    interface eth0\n    virtual_router_id 7\n    PRIORITY\n    advert_int SECONDS\n" +
		"    track_script {\n        負荷\n    }\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n"
	texts := map[string]string{
		"大阪.conf": strings.NewReplacer("PRIORITY", "priority 200", "SECONDS", "1").Replace(file),
		"東京.conf": strings.NewReplacer("PRIORITY", "priority 100", "SECONDS", "3").Replace(file),
	}
	say := func(args []string, rename func(string) string) string {
		files := fstest.MapFS{}
		for name, text := range texts {
			files["w/"+rename(name)] = &fstest.MapFile{Data: []byte(rename(text)), Mode: 0o644}
		}
		var out bytes.Buffer
		app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, FS: files, Dir: "/w"}
		for i := range args {
			args[i] = rename(args[i])
		}
		app.Main(args)
		return out.String()
	}
	for _, line := range []string{
		"check --peers -v 大阪.conf 東京.conf", "simulate 大阪.conf 東京.conf", "diff 大阪.conf 東京.conf", "diff 大阪.conf 東京.conf --peers 東京.conf", "show 大阪.conf", "check --statistics 大阪.conf 東京.conf",
	} {
		wide := say(strings.Fields(line), strings.Clone)
		if got, want := latin.Replace(wide), say(strings.Fields(line), latin.Replace); got != want || !strings.Contains(wide, "負荷") && !strings.Contains(line, "statistics") {
			t.Errorf("keepc %s: with wide names\n%s\nwith Latin ones\n%s", line, wide, want)
		}
	}
}
