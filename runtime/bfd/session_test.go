package bfd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"keepc/runtime/bfd"
)

// A scenario is a script for one end of a session, with the trace that it leaves. Lines of a script:
//
//	config tx MS idle MS rx MS mult N [passive]     a new Config; the first one begins the session
//	after MS                                        time passes; the session ticks at its deadlines
//	hear STATE [P] [F] [D] [your 0] [tx MS] [rx MS] [mult N] [diag N]
//	stop
//
// Packets that are sent and changes of the state follow their line, indented, with the time since the start; times of periodic packets are
// jittered, by the same seed each time.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

const ms = time.Millisecond

// play plays a script; its indented lines are ignored.
func play(t *testing.T, script string) string {
	var (
		out   strings.Builder
		start = time.Unix(0, 0)
		now   = start
		s     *bfd.Session
	)
	note := func(effects []bfd.Effect) {
		for _, e := range effects {
			fmt.Fprintf(&out, "  %v %v\n", now.Sub(start).Round(ms/100), e)
		}
	}
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		number := func(word string, otherwise int) int {
			for i, w := range words[:len(words)-1] {
				if w == word {
					n, err := strconv.Atoi(words[i+1])
					if err != nil {
						t.Fatal(line, err)
					}
					return n
				}
			}
			return otherwise
		}
		has := func(word string) bool { return strings.Contains(" "+strings.TrimSpace(line)+" ", " "+word+" ") }
		switch words[0] {
		case "config":
			c := bfd.Config{
				MinTX: time.Duration(number("tx", 100)) * ms, IdleTX: time.Duration(number("idle", 1000)) * ms,
				MinRX: time.Duration(number("rx", 100)) * ms, Multiplier: uint8(number("mult", 3)), Passive: has("passive"),
			}
			if s == nil {
				s = bfd.NewSession(now, c, 1, 1)
			} else {
				note(s.Step(now, bfd.Reconfigure{Config: c}))
			}
		case "after":
			end := now.Add(time.Duration(number("after", 0)) * ms)
			for at, ok := s.Deadline(); ok && !at.After(end); at, ok = s.Deadline() {
				if at.After(now) {
					now = at
				}
				note(s.Step(now, bfd.Tick{}))
			}
			now = end
		case "hear":
			state := map[string]bfd.State{"AdminDown": bfd.AdminDown, "Down": bfd.Down, "Init": bfd.Init, "Up": bfd.Up}[words[1]]
			note(s.Step(now, bfd.Received{Packet: bfd.Packet{
				State: state, Poll: has("P"), Final: has("F"), Demand: has("D"), Diagnostic: bfd.Diagnostic(number("diag", 0)),
				MyDiscriminator: uint32(number("my", 2)), YourDiscriminator: uint32(number("your", 1)), DetectMult: uint8(number("mult", 3)),
				DesiredMinTxInterval: time.Duration(number("tx", 100)) * ms, RequiredMinRxInterval: time.Duration(number("rx", 100)) * ms,
			}}))
		case "stop":
			note(s.Step(now, bfd.Stop{}))
		default:
			t.Fatalf("unknown line %q", line)
		}
		fmt.Fprintf(&out, "  = %v detect %v interval %v\n", s.SessionState, s.DetectionTime(), s.TransmitInterval())
	}
	return out.String()
}
