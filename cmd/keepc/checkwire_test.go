package main

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"keepc/runtime/lab"
)

// checkWireFile has a check by ping and two by TLS; TIMES are lines of each check.
const checkWireFile = `
virtual_server 10.0.8.1 80 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 80 {
        PING_CHECK {
            connect_ip 127.0.0.1
            TIMES
        }
    }
}
virtual_server 10.0.8.2 443 {
    lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.0.0.7 443 {
        SSL_GET {
            connect_ip 127.0.0.1
            connect_port 20001
            TIMES
            url {
                path /
                status_code 200
            }
        }
    }
    real_server 10.0.0.8 443 {
        SSL_GET {
            connect_ip 127.0.0.1
            connect_port 20002
            TIMES
            enable_sni
            virtualhost www.example.com
            url {
                path /
                status_code 200
            }
        }
    }
}
`

// A checkWire is what the checks of a program say: words that must be those of the other one, and words that may
// differ, because each has a TLS library.
type checkWire struct {
	mu            sync.Mutex
	same, differs map[string]bool
}

func (w *checkWire) hear(into *map[string]bool, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *into == nil {
		*into = map[string]bool{}
	}
	(*into)[fmt.Sprintf(format, args...)] = true
}

// TestCheckWire compares the packets of PING_CHECK, and what SSL_GET says first, with those of keepalived.
func TestCheckWire(t *testing.T) {
	t.Parallel()
	needInterop(t)
	lab.NeedIPVS(t)
	lab.NeedPrograms(t, "keepalived", "ip")
	secure := httptest.NewUnstartedServer(nil)
	secure.StartTLS()
	certificates := secure.TLS.Certificates
	secure.Close()
	n := lab.New(t)
	var wires [2]checkWire
	for i, name := range []string{"keepalived", "keepc"} {
		w, h := &wires[i], n.Host(name)
		h.Run("ip", "link", "set", "lo", "up")
		for _, port := range []int{20001, 20002} {
			l, err := h.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_ = c.SetDeadline(time.Now().Add(30 * time.Second))
					answerPage(tls.Server(c, &tls.Config{Certificates: certificates, GetConfigForClient: w.hello(port)}))
					_ = c.Close()
				}
			}()
		}
		frames := h.Capture("lo")
		conf := filepath.Join(h.Dir(), "keepalived.conf")
		text := strings.ReplaceAll(checkWireFile, "TIMES", "connect_timeout 5\n delay_loop 1\n retry 0\n warmup 0")
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"keepalived"}, lab.KeepalivedFlags(h.Dir(), conf)...)
		if i == 1 {
			args = keepcArgs(t, "run", conf)
		}
		p := h.Start(args[0], args[1:]...)
		lab.Eventually(t, 40*time.Second, "the checks of "+name, func() bool {
			for _, f := range frames.Frames() {
				w.ping(f)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.same) >= 3
		})
		p.Signal(syscall.SIGTERM)
		_ = p.Wait(30 * time.Second) // how it ends is not compared
	}
	for i, who := range []string{"keepalived", "keepc"} {
		for line := range wires[i].same {
			if !wires[1-i].same[line] {
				t.Errorf("%s alone sends %s", who, line)
			}
		}
		for line := range wires[i].differs {
			t.Logf("%s: %s", who, line)
		}
	}
}

// hello hears what a client says first by TLS.
func (w *checkWire) hello(port int) func(*tls.ClientHelloInfo) (*tls.Config, error) {
	return func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		w.hear(&w.same, "a hello to %d: server name %q, protocols %q, versions %#x, group %v first", port, h.ServerName, h.SupportedProtos, h.SupportedVersions, append(h.SupportedCurves, 0)[0])
		w.hear(&w.differs, "a hello to %d: ciphers %#x, groups %d, extensions %d", port, h.CipherSuites, h.SupportedCurves, h.Extensions)
		return nil, nil
	}
}

// ping hears an echo request.
func (w *checkWire) ping(f lab.Frame) {
	p := f.Packet()
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	echo, _ := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	if ip == nil || echo == nil || echo.TypeCode.Type() != layers.ICMPv4TypeEchoRequest {
		return
	}
	w.hear(&w.same, "an echo request: code %d, TTL %d, TOS %d, flags %v, options %d, %d bytes", echo.TypeCode.Code(), ip.TTL, ip.TOS, ip.Flags, len(ip.Options), len(echo.Payload))
	w.hear(&w.differs, "an echo request: number %d, %q", echo.Seq, strings.TrimRight(string(echo.Payload), "\x00"))
}
