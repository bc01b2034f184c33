package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"keepc/grammar/diag"
	"keepc/runtime/lab"
)

// TestValues compares what keepc says about values with a small language of their own with keepalived -t, line by
// line: where one complains, the other has a finding. The comments say what Debian's 2.2.7 was seen to do.
func TestValues(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived")
	var file strings.Builder
	number := 0
	about := map[int]string{} // by line
	line := func(text string) {
		number++
		fmt.Fprintln(&file, text)
	}
	judged := func(text string) {
		line(text)
		about[number] = strings.TrimSpace(text)
	}
	line("global_defs {")
	for _, value := range []string{
		"022", "0", "0777", "0x12", "0x1ff", "22", "8", "IRUSR|IWUSR", "IRUSR | IWUSR", "IRUSR| IWUSR", "IRUSR |IWUSR", "IRGRP|IROTH|IXUSR|IWGRP|IXGRP|IWOTH|IXOTH",
		"01000", "777", "09", "0b1", "1_0", "0o22", "22x", "+022", "-1", "0x200", "022 033", // not numbers of C, or too large
		"foo", "irusr", "IRWXU", "S_IRUSR", "IRUSRX", "IRUSR,IWUSR", "IRUSR|foo", "IRUSR|", "IRUSR |", "|IRUSR", "IRUSR||IWUSR", "IRUSR IWUSR", "022|IRUSR",
	} {
		judged("umask " + value)
	}
	line("}")
	var tracked []string
	for i, value := range []string{
		"5", "", "overwrite", "5 overwrite", "overwrite 5", "1 2", "010", "254", "-254", // of two numbers the last one is written
		"255", "-300", "2147483647", // complained about, and written
		"2147483648", "-2147483649", "1.5", "0x10", "12a", // complained about, and 0 is written
		"abc", "create", "+3", "5 create", // unknown options
	} {
		name := fmt.Sprint("f", i)
		tracked = append(tracked, name)
		line("track_file " + name + " {")
		line("file /tmp/" + name)
		line("weight 1")
		judged("init_file " + value)
		line("}")
	}
	line("vrrp_instance VI_1 {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n192.0.2.10/24\n}\ntrack_file {\n" + strings.Join(tracked, "\n") + "\n}\nvirtual_rules {")
	number += strings.Count(file.String(), "\n") - number
	for i, rule := range []string{
		"type blackhole", "type prohibit", "type unreachable", "type nop", "type 6", "type 0x8", "prohibit", "table 5",
		"type unicast", "type 3", "type 200", "unicast", "type blackhole table 5", "table 5 type prohibit", // 2.2.7 knows four actions, and one in a rule
	} {
		judged(fmt.Sprintf("from 198.51.100.%d %s priority %d", i, rule, 100+i))
	}
	line("}\n}")

	net := lab.New(t)
	host := net.Host("h", lab.On(net.Segment("lan"), "eth0", "192.0.2.2/24"))
	dir := t.TempDir()
	path := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(path, []byte(file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _ := host.Try("keepalived", "-t", "-f", path, "-p", dir+"/p", "-r", dir+"/r", "-c", dir+"/c", "-b", dir+"/b") // it fails where it complains
	theirs := map[int]string{}
	for _, m := range regexp.MustCompile(`Line (\d+)\)(.*)`).FindAllStringSubmatch(out, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			theirs[n] += m[2]
		}
	}
	if len(theirs) < 20 {
		t.Fatalf("keepalived complains of %d lines only:\n%s", len(theirs), out)
	}
	ours := map[int]string{}
	for _, d := range (&App{FS: os.DirFS("/"), Dir: dir, Env: os.Getenv}).file(job{name: path}).Findings {
		if d.Severity >= diag.Warning && !slices.Contains([]string{"repeated-keyword", "duplicate-keyword"}, d.Rule) {
			ours[d.Span.Position().Line] += fmt.Sprintf(" %s [%s]", d.Message, d.Rule)
		}
	}
	for n, text := range about {
		if (theirs[n] == "") != (ours[n] == "") {
			t.Errorf("%s: keepalived says %q, keepc %q", text, theirs[n], ours[n])
		}
	}
}
