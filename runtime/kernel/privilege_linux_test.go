package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"keepc/compiler/privilege"
)

// TestAccess checks what root may do with files when modes count for it as well; with faccessat2, and by the mode bits
// if the kernel lacks that.
func TestAccess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others")
	}
	const nobody = 65534
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(at("own"), nil, 0o600), os.Mkdir(at("home"), 0o700), os.WriteFile(at("home/file"), nil, 0o644), os.Symlink("home/file", at("link")),
		os.Mkdir(at("open"), 0o755), os.WriteFile(at("open/file"), nil, 0o644), os.WriteFile(at("open/secret"), nil, 0o600), unix.Mkfifo(at("fifo"), 0o600),
		os.Mkdir(at("group"), 0o700), os.WriteFile(at("group/file"), nil, 0o600), os.Chmod(at("group"), 0o770), os.Chmod(at("group/file"), 0o660),
	); err != nil {
		t.Fatal(err)
	}
	for name, gid := range map[string]int{"home": nobody, "home/file": nobody, "open": nobody, "open/file": nobody, "open/secret": nobody, "fifo": nobody, "group": 0, "group/file": 0} {
		if err := os.Chown(at(name), nobody, gid); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]privilege.Access{
		"own":         {There: true, Own: true, Read: true, Write: true},
		"none":        {Read: true, Write: true},
		"none/none":   {Read: true, Write: true},
		"home/file":   {There: true},
		"home/none":   {},
		"link":        {There: true},
		"open/file":   {There: true, Read: true},
		"open/secret": {There: true},
		"open/none":   {Read: true},
		"fifo":        {There: true},
		"group/file":  {There: true, Read: true, Write: true},
	} {
		if got := AccessTo(at(name)); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if err := Unexempt(func() {
			for _, mode := range []uint32{unix.F_OK, unix.R_OK, unix.W_OK, unix.X_OK, unix.R_OK | unix.W_OK} {
				if by, bits := accessible(at(name), mode), allowed(at(name), mode); by != bits {
					t.Errorf("%s, mode %o: the kernel says %v, the bits %v", name, mode, by, bits)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}
