package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"keepc/runtime/router"
	"keepc/runtime/vrrp"
)

// TestNotes checks that a stalled log does not hold up a loop; what has no room is counted, and reported when the log
// continues.
func TestNotes(t *testing.T) {
	var out bytes.Buffer
	block := make(chan struct{})
	n := newNotes(slog.New(NewConsole(writerFunc(func(p []byte) (int, error) { <-block; return out.Write(p) }), slog.LevelInfo)))
	at := time.Date(2026, 5, 4, 5, 12, 32, 0, time.Local)
	for range 2 * notesWaiting {
		n.tell(at, router.RoleChanged{Name: "oldboy", Role: "MASTER", Reason: vrrp.Because("no advert for 3.61s")})
	}
	close(block)
	n.close(time.After(time.Minute))
	if text := out.String(); !strings.Contains(text, "05:12:32 oldboy MASTER  no advert for 3.61s\n") || !strings.Contains(text, "log lines lost: the log was too slow") {
		t.Errorf("%.500s", text)
	}
}
