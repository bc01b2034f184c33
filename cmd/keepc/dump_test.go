package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar"
	"keepc/grammar/source"
	"keepc/runtime/lab"
)

// TestCheckerDumps checks that keepc reads virtual servers and checks as keepalived does: the running program dumps
// its configuration, and the same is written from what keepc has read. Deliberate differences are in
// testdata/reference/dumps.txt.
func TestCheckerDumps(t *testing.T) {
	lab.NeedPrograms(t, "keepalived")
	lab.NeedIPVS(t)
	d := dumpTest{T: t, meant: dumpDifferences(t), files: make(chan string)}
	net := lab.New(t)
	for i := range 4 {
		host := net.Host(fmt.Sprintf("lb%02d", i+1))
		d.Go(func() {
			for file := range d.files {
				d.compare(host, file)
			}
		})
	}
	files := dumpFiles(t)
	for _, file := range files {
		d.files <- file
	}
	close(d.files)
	d.Wait()
	for _, m := range d.meant {
		if !m.used && slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) == m.file }) {
			t.Errorf("%s, line %q: listed as a difference and is none", m.file, m.label)
		}
	}
	t.Logf("%d files compared, with %d virtual and real servers, checks and pages", d.compared, d.blocks)
	if _, err := os.Stat(sharedCorpus); err == nil && d.compared < 25 {
		t.Errorf("only %d files compared", d.compared)
	}
}

// sharedCorpus is the directory of real files beside the project.
const sharedCorpus = "../../../shared/corpus"

// dumpFiles lists the project's own files and, of those of the corpus that keepalived accepts and that have virtual servers, every
// second one that is not large: the emulated machine takes seconds for each.
func dumpFiles(t *testing.T) []string {
	files, err := filepath.Glob("../../testdata/dump/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no files: ", err)
	}
	index, err := os.ReadFile(filepath.Join(sharedCorpus, "index.tsv"))
	if err != nil {
		t.Log("the corpus is not here: only the project's own files are compared")
		return files
	}
	second := false
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) < 7 || !slices.Contains(strings.Split(f[4], ","), "lvs") || !slices.Contains([]string{"accept", "deprecated-only", "env-noise-only"}, f[6]) {
			continue
		}
		name := filepath.Join(sharedCorpus, "files", f[0])
		if n := realServers(compiled(t, name)); n == 0 || n > 20 {
			continue
		}
		if second = !second; second {
			files = append(files, name)
		}
	}
	return files
}

// realServers counts the real servers of a file.
func realServers(cfg *ir.Config) (n int) {
	for _, vs := range cfg.VirtualServers {
		n += len(vs.RealServers)
	}
	return n
}

// A dumpDifference is a deliberate difference: in lines of a file's dump with this beginning, or in all of them.
type dumpDifference struct {
	file, label, why string
	used             bool
}

func dumpDifferences(t *testing.T) (list []*dumpDifference) {
	text, err := os.ReadFile("../../testdata/reference/dumps.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, ": ", 3)
		if len(f) != 3 {
			t.Fatalf("dumps.txt: %q is not FILE: LINE: REASON", line)
		}
		list = append(list, &dumpDifference{file: f[0], label: f[1], why: f[2]})
	}
	return list
}

// A dumpTest compares several files concurrently.
type dumpTest struct {
	*testing.T
	sync.WaitGroup
	files chan string

	mu               sync.Mutex // protects the fields below
	meant            []*dumpDifference
	compared, blocks int
}

// compare lets keepalived read a file on a host.
func (d *dumpTest) compare(host *lab.Host, file string) {
	cfg := compiled(d, file)
	if d.expected(file, "no start", "") {
		return
	}
	start := time.Now()
	dump, err := dumpOf(host, absolute(d, file), cfg)
	if err != nil {
		d.Errorf("%s: %v", filepath.Base(file), err)
		return
	}
	d.Logf("%s: %v", filepath.Base(file), time.Since(start).Round(10*time.Millisecond))
	d.diff(file, cfg, dump)
}

// diff compares what both programs read.
func (d *dumpTest) diff(file string, cfg *ir.Config, dump string) {
	got, want := lvsDump(cfg), told(dump)
	d.mu.Lock()
	d.compared++
	d.blocks += len(want)
	d.mu.Unlock()
	for i := range max(len(got), len(want)) {
		var g, w dumpBlock
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g.head != w.head && !d.expected(file, g.head, w.head) {
			d.Errorf("%s: keepc reads %q where keepalived reads %q", filepath.Base(file), g.head, w.head)
			return
		}
		d.lines(file, w.head, g.lines, w.lines)
	}
}

// lines compares the lines about an object.
func (d *dumpTest) lines(file, head string, got, want []string) {
	got, want = slices.Clone(got), slices.Clone(want)
	for _, line := range slices.Clone(got) {
		if i := slices.Index(want, line); i >= 0 {
			want = slices.Delete(want, i, i+1)
			got = slices.Delete(got, slices.Index(got, line), slices.Index(got, line)+1)
		}
	}
	for _, line := range got {
		if !d.expected(file, line, "") {
			d.Errorf("%s: %s: keepc alone reads %q", filepath.Base(file), head, line)
		}
	}
	for _, line := range want {
		if !d.expected(file, line, "") {
			d.Errorf("%s: %s: keepalived alone reads %q", filepath.Base(file), head, line)
		}
	}
}

// expected reports whether a difference is listed.
func (d *dumpTest) expected(file, line, other string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.meant {
		if m.file == filepath.Base(file) && (m.label == "all" || strings.HasPrefix(line, m.label) || other != "" && strings.HasPrefix(other, m.label)) {
			m.used = true
			return true
		}
	}
	return false
}

// compiled returns keepc's reading of a file.
func compiled(t testing.TB, name string) *ir.Config {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	u := compiler.Load(source.New(name, text), compiler.Options{Text: grammar.Options{
		Files: grammar.Files{Root: os.DirFS("/"), Dir: filepath.Dir(absolute(t, name))}, Env: os.Getenv,
	}})
	return u.Config
}

// dumpOf starts keepalived on a host and makes it dump the configuration of its checkers. It writes the file from its
// event loop, in one go: once part of it exists, the end of the program guarantees the rest.
func dumpOf(host *lab.Host, file string, cfg *ir.Config) (string, error) {
	dir, err := os.MkdirTemp(host.Dir(), "")
	if err != nil {
		return "", err
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	log, err := os.Create(in("log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	args := lab.KeepalivedFlags(dir, file)
	parts := []string{in("keepalived_check.data")}
	if withSessions(cfg) {
		parts = append(parts, in("keepalived_bfd.data"))
	} else {
		args = append(args, "-C") // only the checkers
	}
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience(10*time.Second))
	defer cancel()
	cmd := exec.CommandContext(ctx, "keepalived", args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := host.Do(cmd.Start); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for asked := (time.Time{}); ; {
		select {
		case err := <-ended:
			var all []byte
			for _, part := range parts {
				text, _ := os.ReadFile(part)
				if len(text) == 0 {
					said, _ := os.ReadFile(in("log"))
					return "", fmt.Errorf("keepalived wrote no %s (%v):\n%s", filepath.Base(part), err, said)
				}
				all = append(all, text...)
			}
			return string(all), nil
		case <-time.After(20 * time.Millisecond):
		}
		switch {
		case !slices.ContainsFunc(parts, func(p string) bool { return !exists(p) }):
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		case exists(in("checkers.pid")) && time.Since(asked) > time.Second:
			asked = time.Now()
			_ = cmd.Process.Signal(syscall.SIGUSR1)
		}
	}
}

// withSessions reports whether the BFD sessions of a file are compared too: if no instance needs interfaces.
func withSessions(cfg *ir.Config) bool { return len(cfg.BFDs) > 0 && len(cfg.Instances) == 0 }

// exists reports whether a file exists and is not empty.
func exists(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Size() > 0
}

// told reads a dump: the configuration of virtual servers, checkers and BFD sessions.
func told(dump string) (blocks []dumpBlock) {
	begins := func(line string, with []string) bool {
		return slices.ContainsFunc(with, func(p string) bool { return strings.HasPrefix(line, p) })
	}
	section := ""
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "------<"):
			section = strings.Trim(line, "-<> ")
		case line == "", !slices.Contains(sections, section), begins(line, happened):
		case begins(line, named), strings.Contains(line, " -> ["):
			blocks = append(blocks, dumpBlock{head: tidied(line)})
		case section != "BFD Topology", begins(line, session):
			b := &blocks[len(blocks)-1]
			b.lines = append(b.lines, tidied(line))
		}
	}
	return blocks
}

// sections are those of a dump about the configuration.
var sections = []string{"Virtual server", "Real server", "Health checkers", "BFD Topology"}

// named matches the lines that name an object of the dump; that of a check has an arrow.
var named = []string{"VS ", "RIP =", "sorry server", "Checked url =", "BFD Instance ="}

// session matches the lines about the configuration of a BFD session.
var session = []string{"Neighbor", "Source", "Required", "Desired", "Detection", "TTL", "hoplimit", "max_hops", "passive", "send event to checker"}

// happened matches the lines about events, headings, and the few whose meaning 2.2.7 itself gets wrong: it lists all
// regex_options if there is one.
var happened = []string{
	"alive =", "quorum_state_up =", "reloaded =", "Reloaded =", "initial weight =", "effective weight =", "previous effective_weight =",
	"num failed checkers =", "RS set =", "Enabled =", "Up =", "Has run =", "Current weight =", "Retries iterations =", "Default delay before retry =",
	"Failed URL =", "Last ran =", "Last status =", "Regex ref count", "Hashed =", "uid:gid", "Connection", "Tracked Files", "Tracked BFDs", "Regex options",
}

// tidied removes from a line what is not configuration, or is written in two ways.
func tidied(line string) string {
	line, _, _ = strings.Cut(line, " EFF WEIGHT")
	line, _, _ = strings.Cut(line, ", uid:gid")
	line = strings.Replace(line, "sorry server (duplicates rs)", "sorry server", 1)
	line = strings.TrimPrefix(line, "default ")
	if strings.HasPrefix(line, "VS GROUP") {
		name, _, _ := strings.Cut(line, "]:")
		return name + "]"
	}
	if name, server, ok := strings.Cut(line, " -> "); ok && strings.Count(name, ":") == 1 {
		group, _, _ := strings.Cut(name, ":")
		return group + " -> " + server
	}
	return withoutSecrets(line)
}

// withoutSecrets removes the secrets from a command in a line of keepalived's dump, as keepc does in its own.
func withoutSecrets(line string) string {
	at := strings.Index(line, "'")
	if at < 0 || len(line) < at+2 || !strings.HasSuffix(line, "'") {
		return line
	}
	return line[:at+1] + strings.Join(report.HideArgs(strings.Split(line[at+1:len(line)-1], "' '")), "' '") + "'"
}
