package probe_test

import (
	"bufio"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// mail serves SMTP: it sends the first text at once, and each of the others after a line. After "close" it closes.
func mail(t *testing.T, asked *sync.Map, says ...string) netip.AddrPort {
	return quiet(t, func(c net.Conn) {
		from := bufio.NewReader(c)
		for _, text := range says {
			text, closes := strings.CutSuffix(text, "close")
			for part := range strings.SplitSeq(text, "|") {
				_, _ = io.WriteString(c, part)
				if part != text {
					time.Sleep(20 * time.Millisecond)
				}
			}
			if closes {
				return
			}
			line, err := from.ReadString('\n')
			if err != nil {
				return
			}
			asked.Store(line, true)
		}
		wait(c)
	})
}

func smtp(target netip.AddrPort) *ir.Check {
	return &ir.Check{Checker: &ir.SMTPCheck{Helo: "lb01.example"}, Connection: ir.Connection{Target: target}}
}

// TestSMTP checks what keepalived 2.2.7 was seen to make of mail servers.
func TestSMTP(t *testing.T) {
	const patience = 100 * time.Millisecond
	for _, c := range []struct {
		name string
		says []string
		want string
	}{
		{"good", []string{"220 hi\r\n", "250 hello\r\n", "221 bye\r\nclose"}, ""},
		{"line feeds alone", []string{"220 hi\n", "250 hello\n", "221 bye\n"}, ""},
		{"in pieces", []string{"22|0 h|i\r|\n", "2|50 hello\r\n", "221 bye\r\n"}, ""},
		{"any answer to QUIT", []string{"220 hi\r\n", "250 hello\r\n", "500 no\r\n"}, ""},
		{"no greeting", []string{"500 no\r\n"}, `the server said "500 no", not 220`},
		{"a greeting of several lines", []string{"220-a\r\n220 hi\r\n"}, `the server said "220-a", not 220`},
		{"no blank", []string{"220hi\r\n"}, `the server said "220hi", not 220`},
		{"no HELO", []string{"220 hi\r\n", "500 no\r\n"}, `the server said "500 no", not 250`},
		{"an answer before HELO", []string{"220 hi\r\n250 early\r\n", "221 bye\r\n"}, `the server said "221 bye", not 250`},
		{"closes", []string{"close"}, "the server closed the connection without an answer to the connection"},
		{"closes at QUIT", []string{"220 hi\r\n", "250 hello\r\n", "close"}, "the server closed the connection without an answer to QUIT"},
		{"a long line", []string{"220 " + strings.Repeat("x", 600) + "\r\n"}, "a line of the server has more than 512 bytes"},
		{"never says anything", []string{""}, "no answer within 100ms"},
		{"no end of the line", []string{"220 hi"}, "no answer within 100ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked sync.Map
			limit := limit
			if strings.Contains(c.want, "within") {
				limit = patience
			}
			if got := said(probe.Do(t.Context(), probe.Ask{Check: smtp(mail(t, &asked, c.says...)), Limit: limit})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.name == "good" {
				for _, line := range []string{"HELO lb01.example\r\n", "QUIT\r\n"} {
					if _, ok := asked.Load(line); !ok {
						t.Errorf("the server was not told %q", line)
					}
				}
			}
		})
	}
}
