package dumps

import (
	"fmt"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/grammar/source"
	"keepc/runtime/router"
	"keepc/runtime/status"
)

// TestSecrets checks that no file has a password, wherever the configuration has one, but all the rest of its line.
func TestSecrets(t *testing.T) {
	const marker = "zQ7kV3w"
	for word, want := range map[string]string{
		"--password=" + marker:             "'/bin/x' 'first' '--password=(hidden)'",
		"--password " + marker:             "'/bin/x' 'first' '--password' '(hidden)'",
		"-p '" + marker + " and more'":     "'/bin/x' 'first' '-p' '(hidden)",
		"http://me:" + marker + "@a/ last": "'/bin/x' 'first' 'http://me:(hidden)@a/' 'last'",
		"-u me:" + marker:                  "'/bin/x' 'first' '-u' 'me:(hidden)'",
		"-p 8080":                          "'/bin/x' 'first' '-p' '8080'",
		"ipvsadm -u 192.0.2.1:80 -s rr":    "'/bin/x' 'first' 'ipvsadm' '-u' '192.0.2.1:80' '-s' 'rr'",
	} {
		command := `"/bin/x first ` + word + `"`
		cfg := compiler.Load(source.New("x.conf", []byte(fmt.Sprintf(`vrrp_script a {
 script %[1]s
}
vrrp_instance VI_1 {
 interface eth0
 virtual_router_id 51
 authentication {
  auth_type PASS
  auth_pass %[2]s
 }
 virtual_ipaddress {
  192.0.2.1
 }
 track_script {
  a
 }
}
virtual_server 192.0.2.1 80 {
 quorum_up %[1]s
 quorum_down %[1]s
 real_server 192.0.2.2 80 {
  notify_up %[1]s
  notify_down %[1]s
  MISC_CHECK {
   misc_path %[1]s
  }
  HTTP_GET {
   url {
    path /health?token=%[2]s&of=all
    status_code 200
   }
  }
 }
}
`, command, marker))), compiler.Options{}).Config
		s := status.Snapshot{Config: cfg, Routers: cfg, Scripts: []router.ScriptStanding{{Name: "a"}}}
		for _, v := range cfg.Instances {
			s.Standings = append(s.Standings, router.Standing{Config: v})
		}
		json, err := JSON(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			text  []byte
			times int // that the command is in it
		}{{"keepalived.data", Data(s), 1}, {"keepalived.json", json, 1}, {"keepalived_check.data", Checkers(s), 5}, {"keepalived.stats", Stats(s, nil), 0}} {
			if text := string(c.text); strings.Contains(text, marker) {
				t.Errorf("%s: %s has the secret:\n%s", word, c.name, text)
			} else if n := strings.Count(text, want); n != c.times {
				t.Errorf("%s: %s has %s %d times, want %d:\n%s", word, c.name, want, n, c.times, text)
			}
		}
		if !strings.Contains(string(Checkers(s)), "Checked url = /health?token=(hidden)&of=all\n") {
			t.Errorf("the page:\n%s", Checkers(s))
		}
		if args := cfg.Scripts[0].Command.Args; strings.Contains(strings.Join(args, " "), "(hidden)") {
			t.Errorf("what is run became %q", args)
		}
	}
}
