package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// keepcOnce runs keepc and returns its output, with times and ports as T and P.
func keepcOnce(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var b bytes.Buffer
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a := App{Stdin: strings.NewReader(""), Stdout: &b, Stderr: &b, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: dir, Started: time.Now()}
	code = a.Main(args)
	out = regexp.MustCompile(` +[0-9.]+ ms`).ReplaceAllString(b.String(), " T")
	return code, regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(out, "127.0.0.1:P")
}

func page(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/busy" {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("hello"))
}

func TestCheckRun(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(page))
	defer web.Close()
	address := strings.Replace(strings.TrimPrefix(web.URL, "http://"), ":", " ", 1)
	file := filepath.Join(t.TempDir(), "lb01.conf")
	text := strings.ReplaceAll(`global_defs {
    script_user root
}
virtual_server 192.0.2.10 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server ADDR {
        HTTP_GET {
            url {
                path /
                status_code 200
            }
            url {
                path /busy
                status_code 200
            }
        }
        MISC_CHECK {
            misc_path "/bin/sh -c 'exit 7'"
            misc_dynamic
        }
    }
    real_server 127.0.0.2 1 {
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
`, "ADDR", address)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	const first = `127.0.0.1:P of tcp 192.0.2.10:80: HTTP_GET
  GET /
 T  connected to 127.0.0.1:P
 T  status 200
 T  5 bytes, digest 5d41402abc4b2a76b9719d911017c592
 T  up
  GET /busy
 T  connected to 127.0.0.1:P
 T  status 503
 T  0 bytes, digest d41d8cd98f00b204e9800998ecf8427e
 T  down: /busy: status 503
127.0.0.1:P of tcp 192.0.2.10:80: MISC_CHECK
 T  up, with weight 5
`
	const second = "127.0.0.2:1 of tcp 192.0.2.10:80: TCP_CHECK\n T  down: connect: connection refused\n"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"check-run", file}, exitFindings, first + second},
		{[]string{"check-run", file, "127.0.0.2"}, exitFindings, second},
		{[]string{"check-run", file, "127.0.0.2:1"}, exitFindings, second},
		{[]string{"check-run", file, "127.0.0.3"}, exitUsage, "lb01.conf has no real server 127.0.0.3\n"},
	} {
		if code, out := keepcOnce(t, c.args...); code != c.code || !strings.HasSuffix(out, c.want) {
			t.Errorf("%q: exit code %d\n%s\nwant %d\n%s", c.args[2:], code, out, c.code, c.want)
		}
	}
}

func TestHash(t *testing.T) {
	web, secured := httptest.NewServer(http.HandlerFunc(page)), httptest.NewTLSServer(http.HandlerFunc(page))
	defer web.Close()
	defer secured.Close()
	lab.NeedPrograms(t, "genhash")
	host, port, _ := net.SplitHostPort(web.Listener.Addr().String())
	reference, err := exec.Command("genhash", "-s", host, "-p", port, "-u", "/x?y=z").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if _, out := keepcOnce(t, "hash", web.URL+"/x?y=z"); strings.TrimSpace(out) != strings.TrimSpace(string(reference)) {
		t.Errorf("got %q, genhash says %q", out, reference)
	}
	const sum = "5d41402abc4b2a76b9719d911017c592\n"
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{web.URL + "/x?y=z"}, exitOK, sum},
		{[]string{secured.URL}, exitOK, sum},
		{[]string{strings.Replace(web.URL, "127.0.0.1", "localhost", 1), "--protocol", "1.0c"}, exitOK, sum},
		{[]string{web.URL + "/busy"}, exitOK, "http://127.0.0.1:P/busy: the status is 503: a check takes it only with status_code 503\nd41d8cd98f00b204e9800998ecf8427e\n"},
		{[]string{"http://127.0.0.1:1/"}, exitFailed, "connect: connection refused\n"},
		{[]string{"10.0.0.7"}, exitUsage, "expected http://ADDRESS/PATH or https://ADDRESS/PATH\n"},
		{[]string{web.URL, "-P", "2"}, exitUsage, "--protocol 2: expected 1.0, 1.0C or 1.1\n"},
	} {
		if code, out := keepcOnce(t, append([]string{"hash"}, c.args...)...); code != c.code || !strings.HasSuffix(out, c.want) {
			t.Errorf("%q: exit code %d\n%s", c.args, code, out)
		}
	}
}
