package probe

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReadingHangs: who waits for a file waits no longer than the limit, and at most one goroutine hangs in it.
func TestReadingHangs(t *testing.T) {
	var f files
	release, reads := make(chan struct{}), make(chan struct{}, 9)
	hang := func() (int, error) {
		reads <- struct{}{}
		<-release
		return 1, nil
	}
	for range 3 {
		if _, err := within(t.Context(), &f, "ca.pem", 10*time.Millisecond, hang); err == nil || err.Error() != "ca.pem cannot be read within 10ms" {
			t.Errorf("got %v", err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := within(ended, &f, "ca.pem", time.Hour, hang); err == nil {
		t.Error("it waits for the file after its context has ended")
	}
	if len(reads) != 1 {
		t.Errorf("%d goroutines read it", len(reads))
	}
	if n, err := within(t.Context(), &f, "other.pem", time.Minute, func() (int, error) { return 2, nil }); n != 2 || err != nil {
		t.Errorf("a different file: %d, %v", n, err)
	}
	close(release)
	if n, err := within(t.Context(), &f, "ca.pem", time.Minute, hang); n != 1 || err != nil {
		t.Errorf("after it: %d, %v", n, err)
	}
}

// TestPoolIsKept: certificates are read again only when their file has changed, whether in place or by a rename.
func TestPoolIsKept(t *testing.T) {
	s := httptest.NewTLSServer(nil)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	s.Close()
	name := filepath.Join(t.TempDir(), "ca.pem")
	old := time.Now().Add(-time.Hour)
	write := func(name string, text []byte, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(name, text, 0o600), os.Chtimes(name, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	var f files
	write(name, text, old)
	first, err := f.pool(name)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.pool(name); again != first || err != nil {
		t.Errorf("it is read again without a change (%v)", err)
	}
	empty := []byte(strings.Repeat("\n", len(text)))
	write(name, empty, old.Add(time.Minute))
	if _, err := f.pool(name); err == nil {
		t.Error("a change in place is not seen")
	}
	write(name+".new", text, old)
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
	if renewed, err := f.pool(name); renewed == first || err != nil {
		t.Errorf("a new file with the name, size and time of the old one is not seen (%v)", err)
	}
	write(name, text, time.Now())
	first, _ = f.pool(name)
	if again, err := f.pool(name); again == first || err != nil {
		t.Errorf("a file that is so new that a second change may have the same time is kept (%v)", err)
	}
}
