package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// marker is a password that nothing may print.
const marker = "zQ7kV3w"

// other is a second one, of the file to compare with.
const other = "pE4sY1d"

// TestSecrets checks that no verb prints a password or a key, wherever it is and however its keyword is misspelled.
func TestSecrets(t *testing.T) {
	t.Parallel()
	instance := func(lines string) string {
		return "vrrp_instance VI_1 {\n   state MASTER\n  prioriy 7\n interface eth0\nvirtual_router_id 7\n virtual_ipaddress {\n  192.0.2.1/24\n }\n" + lines + "\n}\n"
	}
	auth := func(lines string) string { return instance(" authentication {\n auth_type PASS\n " + lines + "\n }") }
	configs := map[string]string{
		"plain":                      auth("auth_pass §"),
		"quoted":                     auth(`auth_pass "§"`),
		"quoted with its word":       auth(`"auth_pass §"`),
		"too long":                   auth("auth_pass §§"),
		"two":                        auth("auth_pass § §"),
		"cut by a comment":           auth("auth_pass §#§"),
		"equals sign":                auth("auth_pass=§"),
		"spaced equals sign":         auth("auth_pass = §"),
		"semicolon":                  auth("auth_pass;§"),
		"no blank":                   auth("auth_pass1§"),
		"no blank, letters":          auth("auth_passZ§"),
		"parentheses":                auth("auth_pass(§)"),
		"a wide blank":               auth("auth_pass\u3000§"),
		"typographic quotes":         auth("auth_pass “§”"),
		"a character nobody sees":    auth("auth_pass §\u200b"),
		"the next line":              auth("auth_pass\n §"),
		"the next line, speaking":    auth("auth_pass\n secret§"),
		"no word":                    auth("secret§"),
		"no word, and another":       auth("type§pass §"),
		"a brace before it":          auth("auth_pass{§}"),
		"short name":                 "$PW = §\nglobal_defs {\n smtp_alert_pw §\n}\n" + auth("auth_pass a"),
		"continued line":             auth("auth_pass \\\n §"),
		"braces lost":                instance("auth_pass §"),
		"braces lost, the next line": instance("auth_pass\n§"),
		"no brace":                   instance("authentication\nauth_type PASS\nauth_pass §\n§"),
		"with the state":             instance("virtual_ipaddress_excluded {\n}\n dont_track_primary auth_pass §"),
		"auth_type":                  auth("auth_type §"),
		"auth_type misspelt":         auth("auth_tpye §"),
		"head":                       instance("authentication § {\n auth_type PASS\n auth_pass §\n}"),
		"block misspelt":             instance("authentcation {\n auth_type §\n §\n atuh_ps §\n}"),
		"block unknown":              instance("autth {\n auth_pss §\n}"),
		"definition":                 "$X=§\n" + auth("auth_pass $X"),
		"definition by braces":       "$X=§\n" + auth("auth_pass ${X}"),
		"definition in a word":       "$X=§\n" + auth("auth_pass a${X}"),
		"definition of a line":       "$X=auth_pass §\n" + auth("$X"),
		"definition by its name":     "$VRRP_KEY=§\n" + auth("auth_pass other"),
		"definition of a definition": "$Y=§\n$X=$Y\n" + auth("auth_pass $X"),
		"definition for other hosts": "$X=§\n" + auth("@other auth_pass $X"),
		"other hosts":                auth("@other auth_pass §\n@other auth_pas §"),
		"comment":                    auth("# auth_pass §\n auth_pass § # auth_pas §"),
		"hmac":                       instance("auth_hmac {\n key 2 §\n}"),
		"hmac of a kind":             instance("auth_hmac {\n key 2 sha256 §\n}"),
		"hmac misspelt":              instance("auth_hmac {\n kye 2 sha256 §\n}"),
		"hmac head":                  instance("auth_hmac § §"),
		"hmac head with its block":   instance("auth_hmac § § {\n mode §\n time_window §\n anti_replay §\n}"),
		"hmac lines":                 instance("auth_hmac {\n §\n 2 §\n § §\n}"),
		"hmac block misspelt":        instance("auth_hmca {\n kye 2 §\n}"),
		"smtp password":              "global_defs {\n router_id a\n pasword §\n password §\n}\n" + auth("auth_pass §"),
	}
	for _, word := range []string{"auth_pas", "auth_psas", "auth_pss", "authpas", "auth_pasw", "auth-pas", "auth_pwd", "auth", "Auth_Pas"} {
		configs["misspelt "+word] = auth(word + " §")
		if word != "auth" {
			configs["misspelt "+word+", braces lost"] = instance(word + " §")
		}
	}
	for _, place := range []string{
		"/x?token=§", "/x?user=a&secret=§", "/x?password=§&a", "/x?passwd=§", "/x?pass=§", "/x?apikey=§", "/x?key=§",
	} {
		configs["address "+place] = "virtual_server 192.0.2.1 80 {\n  lb_algoo rr\n lb_algo rr\n real_server 192.0.2.2 80 {\n HTTP_GET {\n url {\n path " + place + " x\n status_code 200\n}\n}\n}\n}\n"
	}
	for _, command := range []string{"-p §", "--password §", "--password=§", "--pass §", "token=§", "https://me:§@example.com/", "-u me:§", "--user me:§", "; mysqladmin -u root -p§ ping", "; redis-cli -a § ping"} {
		configs["command "+command] = "virtual_server 192.0.2.1 80 {\n  lb_algoo rr\n lb_algo rr\n real_server 192.0.2.2 80 {\n MISC_CHECK {\n misc_path \"/bin/x " + command + "\"\n misc_timout 7\n misc_pth \"/bin/x " + command + "\"\n}\n}\n}\n" +
			"vrrp_script a {\n script /bin/x " + command + "\n}\n"
	}
	verbs := [][]string{
		{"check"}, {"check", "--diff"}, {"check", "--verbose"}, {"fmt", "-d"},
		{"show"}, {"show", "--expand"}, {"show", "--tree"},
		{"plan"}, {"plan", "--format", "json"}, {"graph"}, {"simulate"}, {"export", "--ipvsadm"},
		{"diff", "EMPTY"}, {"diff", "--format", "json", "EMPTY"}, {"diff", "OTHER"},
	}
	for _, f := range formatNames() {
		verbs = append(verbs, []string{"check", "--format", f})
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{
				"keepalived.conf": strings.ReplaceAll(config, "§", marker), "EMPTY": "global_defs {\n router_id a\n}\n",
				"OTHER": strings.ReplaceAll(config, "§", other),
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, verb := range verbs {
				args := append(append([]string{}, verb...), "keepalived.conf")
				var out, errs strings.Builder
				app := App{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir}
				code := app.Main(args)
				if code == exitUsage {
					t.Fatalf("keepc %s: %s", strings.Join(args, " "), &errs)
				}
				for _, text := range []string{out.String(), errs.String()} {
					for _, line := range strings.Split(text, "\n") {
						if strings.Contains(line, marker) || strings.Contains(line, other) {
							t.Errorf("keepc %s prints %s", strings.Join(args, " "), line)
						}
					}
				}
			}
		})
	}
}
