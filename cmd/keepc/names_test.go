package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// commandLike finds what a terminal or the log of a job takes for a command: control characters, "::error::" and any
// other word at the start of a line, "##[error]" anywhere.
var commandLike = regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x7f]|\x{9b}|\x{202e}|(?mi:^[\s\p{Z}\x{85}]*::[a-z-]+::)|##\[`)

// TestNamesOfFiles checks that neither the name of a file nor its content becomes a command of the terminal or of the
// log that shows it, with any verb, in any format and on standard error.
func TestNamesOfFiles(t *testing.T) {
	dir := t.TempDir()
	evil := "\x1b[31m\u009b31m\u202e##[error]z"
	text := "# " + evil + "\n::error::c\n::Stop-Commands::c\n\u00a0::ADD-MASK::c\n\u3000::SET-OUTPUT name=a::c\n\u0085::Group::c\nglobal_defs {\n router_id " + evil + "\n  ::error::d\n ruter_id " + evil + "\n}\ninclude none" + evil + "\npriority\n" +
		"$X" + evil + "=" + evil + "\n$A=" + evil + "\n" +
		"vrrp_instance " + evil + " {\n prioriti 7 " + evil + "\n interface " + evil + "\n virtual_router_id 7\n ::error::e " + evil + "\n virtual_ipaddress {\n  192.0.2.1/24\n }\n" +
		" notify_master \"/bin/" + evil + " $A\" " + evil + "\n}\nvirtual_server 192.0.2.1 80 {\n lb_algo " + evil + "\n real_server 192.0.2.2 80 {\n MISC_CHECK {\n misc_path " + evil + "\n}\n}\n}\n"
	plain := strings.TrimSuffix(evil, "##[error]z") + "z" // which begins no comment
	valid := "# " + evil + "\nglobal_defs {\n router_id lb\n}\ninclude none" + plain + "\nvrrp_instance a" + plain + " {\n interface eth0\n virtual_router_id 7\n" +
		" virtual_ipaddress {\n  192.0.2.1/24 label x" + plain + "\n }\n notify_master \"/bin/x " + plain + "\" x" + plain + "\n}\nvirtual_server 192.0.2.1 80 {\n protocol TCP\n lb_algo rr\n lb_kind NAT\n" +
		" virtualhost x" + plain + "\n real_server 192.0.2.2 80 {\n TCP_CHECK {\n}\n}\n}\n"
	names := []string{"a\n::error::b" + evil + ".conf", "::error::y.conf", "old/x\n::error::.conf"}
	for _, name := range append(names, "new/x\n::error::.conf", "good\n::error::"+evil+".conf") {
		text := strings.ReplaceAll(text, "7", map[bool]string{true: "8", false: "7"}[name[0] == 'n'])
		if name[0] == 'g' {
			text = valid
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Skip(err) // some file systems have no such names
		}
	}
	for _, name := range append(names, "good\n::error::"+evil+".conf") {
		verbs := [][]string{
			{"check", name}, {"check", "-v", name}, {"check", "--diff", name}, {"check", "--statistics", name}, {"check", "--show-settings", name}, {"check", "--host", name},
			{"check", name + "not"}, {"check", "--format", "github", name + "not"}, {"check", "--peers", name, "::error::y.conf"},
			{"check", "--baseline", name, name}, {"check", "--write-baseline", "--baseline", filepath.Join(dir, "base"+filepath.Base(name)), name}, {"check", "."},
			{"fmt", "-d", name}, {"fmt", "--check", name}, {"show", name}, {"show", "--expand", name}, {"show", "--tree", name}, {"graph", name}, {"plan", "--facts", "facts.json", "--as", "master", name},
			{"plan", "--facts", "facts.json", "--format", "json", name}, {"plan", "--facts", "facts.json", "--from", name, name}, {"diff", "EMPTY", name}, {"diff", name, "EMPTY"},
			{"simulate", "-v", name}, {"simulate", "--script", "at 5s kill lb", name},
			{"plan", "--facts", "facts.json", name}, {"plan", "--facts", "facts.json", "--as", "a" + evil + "=master", name}, {"plan", "--facts", name, name},
			{"diff", name, "::error::y.conf"}, {"diff", "--format", "json", name, "::error::y.conf"}, {"diff", "old", "new"}, {"diff", name + ":x", name},
			{"simulate", name}, {"simulate", "--script", name, name}, {"simulate", "--script", "at 5s kill " + evil, name}, {"simulate", "--format", "json", name},
			{"export", name}, {"realserver", "check", name}, {"explain", name}, {"check-run", name}, {"facts", name + "not"}, {name}, {"check", "--" + name}, {"check", "--format", name},
			{"check", "--only", name, name}, {"check", "--root", name, name}, {"check", "--keepalived-version", name, name},
		}
		for _, f := range formatNames() {
			verbs = append(verbs, []string{"check", "--format", f, name})
		}
		put(t, filepath.Join(dir, "facts.json"), `{"version": 1, "ipvs": "read"}`)
		put(t, filepath.Join(dir, "EMPTY"), "global_defs {\n}\n")
		for _, args := range verbs {
			var out bytes.Buffer
			app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
			app.Main(args)
			for line := range strings.Lines(out.String()) {
				if commandLike.MatchString(strings.TrimRight(line, "\n")) {
					t.Errorf("%q says %q", args, line)
				}
			}
		}
	}
}

// TestPatchOfCommands checks that a patch is not shown with what a terminal or a log takes for commands, and that it
// applies or says why it does not.
func TestPatchOfCommands(t *testing.T) {
	for _, c := range []struct{ name, before, after, shows, why string }{
		{"changed line", "a \x1b[31m\n", "b\n", "-a ?[31m\n+b\n", "it has ? in place of control characters"},
		{"around", "x\x1b\n\ny\na\nz\n", "x\x1b\n\ny\nb\nz\n", "@@ -2,4 +2,4 @@\n \n y\n-a\n+b\n z\n", ""},
		{"a command around", "a\n\t::error::x\n", "b\n\t::error::x\n", "-a\n+b\n \t?:error::x\n", "it has ? in place of control characters"},
		{"in any case", "a\n::Stop-Commands::x\n", "b\n::Stop-Commands::x\n", "-a\n+b\n ?:Stop-Commands::x\n", "it has ? in place of control characters"},
		{"behind any blank", "a\n\u00a0\u3000::ADD-MASK::x\n", "b\n\u00a0\u3000::ADD-MASK::x\n", "-a\n+b\n \u00a0\u3000?:ADD-MASK::x\n", "it has ? in place of control characters"},
		{"any address is none", "a\n ::ffff:192.0.2.1 via ::a\n", "b\n ::ffff:192.0.2.1 via ::a\n", "-a\n+b\n  ::ffff:192.0.2.1 via ::a\n", ""},
		{"an address is none", "a\n ::1 via fe80::1\n", "b\n ::1 via fe80::1\n", "-a\n+b\n  ::1 via fe80::1\n", ""},
		{"blanks and bytes", "a\u00a0b\xe4\r\n", "a b\xe4\r\n", "-a\u00a0b\xe4\r\n+a b\xe4\r\n", ""},
	} {
		text, altered := patch("f", change{[]byte(c.before), []byte(c.after)}, nil)
		if !strings.HasSuffix(text, c.shows) || altered.why != c.why {
			t.Errorf("%s: %q\n%q", c.name, altered.why, text)
		}
	}
}
