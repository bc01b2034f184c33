package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// checkerFile has a service for each checker; the test makes its first server fail. DIR is a directory of the host.
const checkerFile = `
track_file number {
    file DIR/number
    weight 1
}
virtual_server 10.0.8.1 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 80 {
        HTTP_GET { TIMES
            connect_port 20001
            url {
                path /health?a=b
                status_code 200
            }
        }
    }
    real_server 10.0.0.8 80 {
        HTTP_GET { TIMES
            connect_port 20001
            virtualhost www.example.com
            http_protocol 1.1
            url {
                path /
                digest 5d41402abc4b2a76b9719d911017c592
            }
        }
    }
}
virtual_server 10.0.8.2 443 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 443 {
        SSL_GET { TIMES
            connect_port 20002
            url {
                path /
                status_code 200
            }
        }
    }
}
virtual_server 10.0.8.3 25 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 25 {
        SMTP_CHECK { TIMES
            connect_port 20003
            helo_name lb01.example.com
        }
    }
}
virtual_server 10.0.8.4 53 {
    lb_algo wrr
    lb_kind DR
    protocol UDP
    real_server 10.0.0.7 53 {
        DNS_CHECK { TIMES
            connect_port 20004
            type A
            name www.example.com
        }
    }
}
virtual_server 10.0.8.5 99 {
    lb_algo wrr
    lb_kind DR
    protocol UDP
    real_server 10.0.0.7 99 {
        UDP_CHECK { TIMES
            connect_port 20005
            payload 70 69 6e 67
            require_reply 70 6f 6e 67
        }
    }
}
virtual_server 10.0.8.6 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    inhibit_on_failure
    real_server 10.0.0.7 80 {
        MISC_CHECK {
            misc_path "/usr/bin/test -e DIR/up"
            misc_timeout 30
            delay_loop 1
            warmup 0
        }
    }
}
virtual_server 10.0.8.7 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    sorry_server 10.0.0.9 80
    real_server 10.0.0.7 80 {
        PING_CHECK {
            connect_ip 10.0.0.77
            connect_timeout 2
            delay_loop 1
            retry 0
            warmup 0
        }
    }
}
virtual_server 10.0.8.8 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 80 {
        weight 5
        FILE_CHECK {
            track_file number
        }
    }
}
virtual_server 10.0.8.9 80 {
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 80 {
        TCP_CHECK { TIMES
            connect_port 20006
        }
    }
}
`

// TestSameCheckers checks that each checker removes a failed server from the table, and brings it back, when
// keepalived's does, and that it sends to the server what keepalived sends, byte for byte; for SSL_GET that is
// compared inside TLS.
func TestSameCheckers(t *testing.T) {
	t.Parallel()
	lab.NeedPrograms(t, "keepalived", "ipvsadm", "ip")
	needInterop(t)
	lab.NeedIPVS(t)
	n := lab.New(t)
	var hosts [2]*lab.Host
	var worlds [2]*checkedWorld
	var programs [2]*lab.Process
	for i, name := range []string{"ka", "kc"} {
		h := n.Host(name, lab.On(n.Segment(name), "eth0", "10.0.0.1/24"))
		h.Run("ip", "link", "set", "lo", "up")
		h.Sysctl("net.ipv4.ping_group_range", "0 2147483647")
		hosts[i], worlds[i] = h, &checkedWorld{host: h, heard: map[string]bool{}}
		defer worlds[i].down()
		if err := worlds[i].up(); err != nil {
			t.Fatal(err)
		}
	}
	for i, h := range hosts {
		text := strings.NewReplacer("DIR", h.Dir(), "TIMES", "\n connect_ip 127.0.0.1\n connect_timeout 5\n delay_loop 1\n retry 0\n delay_before_retry 1\n warmup 0").Replace(checkerFile)
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"keepalived"}, lab.KeepalivedFlags(h.Dir(), conf)...)
		if i == 1 {
			args = keepcArgs(t, "run", conf)
		}
		programs[i] = h.Start(args[0], args[1:]...)
	}
	begun(hosts[0], hosts[1], programs[:])
	compare := func(when string, least int) {
		t.Helper()
		have := sameAgain(hosts[0], hosts[1], 6*time.Second)
		for i, who := range []string{"keepalived", "keepc"} {
			servers := 0
			for _, line := range have[i] {
				if strings.HasPrefix(line, "-a ") {
					servers++
				}
				if !slices.Contains(have[1-i], line) {
					t.Errorf("%s: %s alone has %q", when, who, line)
				}
			}
			if servers != least {
				t.Errorf("%s: %s has %d servers, want %d:\n%s", when, who, servers, least, strings.Join(have[i], "\n"))
			}
		}
	}
	compare("all up", 10)
	for _, w := range worlds {
		w.down()
	}
	compare("all down", 2) // one has inhibit_on_failure, and there is a sorry server
	for _, w := range worlds {
		if err := w.up(); err != nil {
			t.Fatal(err)
		}
	}
	compare("all back", 10)
	for _, p := range programs {
		p.Signal(syscall.SIGTERM)
		if err := p.Wait(30 * time.Second); err != nil && !strings.Contains(err.Error(), "exit status") {
			t.Error(err)
		}
	}
	for i, who := range []string{"keepalived", "keepc"} {
		for line := range worlds[i].heard {
			if !worlds[1-i].heard[line] {
				t.Errorf("%s alone sends %s", who, line)
			}
		}
	}
	t.Logf("both send:\n%s", strings.Join(slices.Sorted(maps.Keys(worlds[1].heard)), "\n"))
}

// A checkedWorld is everything that is checked, on one host.
type checkedWorld struct {
	host  *lab.Host
	open  []io.Closer
	works sync.WaitGroup
	mu    sync.Mutex
	heard map[string]bool // what servers received: the port and the words
}

func (w *checkedWorld) hear(port int, words []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard[fmt.Sprintf("to %d: %q", port, words)] = true
}

// up makes all servers work.
func (w *checkedWorld) up() error {
	_, ping := w.host.Try("ip", "addr", "add", "10.0.0.77/32", "dev", "lo")
	errs := []error{
		ping, os.WriteFile(filepath.Join(w.host.Dir(), "up"), nil, 0o600), os.WriteFile(filepath.Join(w.host.Dir(), "number"), []byte("2\n"), 0o600),
	}
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	certificates := secure.TLS.Certificates
	secure.Close()
	for port, talk := range map[int]func(net.Conn){
		20001: func(c net.Conn) { w.web(20001, c) },
		20002: func(c net.Conn) { w.web(20002, tls.Server(c, &tls.Config{Certificates: certificates})) },
		20003: func(c net.Conn) {
			fmt.Fprint(c, "220 mail.example.com ready\r\n")
			in := bufio.NewReader(c)
			for answer := "250 hello\r\n"; ; answer = "221 bye\r\n" {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				w.hear(20003, []byte(line))
				fmt.Fprint(c, answer)
			}
		},
		20006: func(net.Conn) {},
	} {
		l, err := w.host.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		w.open = append(w.open, l)
		w.works.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				w.works.Go(func() {
					defer c.Close()
					talk(c)
				})
			}
		})
	}
	for port, answer := range map[int]func([]byte) []byte{20004: dnsAnswer, 20005: func([]byte) []byte { return []byte("pong") }} {
		var l net.PacketConn
		errs = append(errs, w.host.Do(func() (err error) {
			l, err = net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
			return err
		}))
		if l == nil {
			break
		}
		w.open = append(w.open, l)
		w.works.Go(func() {
			for b := make([]byte, 1500); ; {
				n, from, err := l.ReadFrom(b)
				if err != nil {
					return
				}
				words := bytes.Clone(b[:n])
				_, _ = l.WriteTo(answer(bytes.Clone(words)), from) // a client that no longer listens does not get it
				if port == 20004 && n > 2 {
					words[0], words[1] = 0, 0 // a different number each time
				}
				w.hear(port, words)
			}
		})
	}
	return errors.Join(errs...)
}

// web answers a request.
func (w *checkedWorld) web(port int, c net.Conn) {
	var request []byte
	for b := make([]byte, 4096); !bytes.Contains(request, []byte("\r\n\r\n")); {
		n, err := c.Read(b)
		request = append(request, b[:n]...)
		if err != nil {
			return
		}
	}
	w.hear(port, request)
	fmt.Fprint(c, "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	if secured, ok := c.(*tls.Conn); ok {
		_ = secured.CloseWrite()
	}
}

// dnsAnswer answers a query with one address.
func dnsAnswer(query []byte) []byte {
	if len(query) < 12 {
		return nil
	}
	query[2], query[3], query[7] = 0x81, 0x80, 1
	query[11] = 0 // no additional records
	return append(query, 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
}

// down makes all servers fail.
func (w *checkedWorld) down() {
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
	w.works.Wait()
	_, _ = w.host.Try("ip", "addr", "del", "10.0.0.77/32", "dev", "lo") // it may be gone
	_ = os.Remove(filepath.Join(w.host.Dir(), "up"))
	_ = os.WriteFile(filepath.Join(w.host.Dir(), "number"), []byte("-2147483648\n"), 0o600)
}
