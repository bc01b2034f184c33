package script

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Secure returns an error if users other than root could change what a path runs: keepalived's enable_script_security
// does not run such a program as root. The path is absolute, and only its last element may be a link. What cannot be
// examined is left to the run itself to report.
func Secure(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", path)
	}
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if err := rootsAlone(p); err != nil {
			return err
		}
		if p == "/" {
			return nil
		}
	}
}

// rootsAlone examines one element of a path. In a directory like /tmp users change only their own files.
func rootsAlone(p string) error {
	info, err := os.Lstat(p)
	if err != nil {
		return nil
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d, not to root", p, stat.Uid)
	}
	if info.Mode()&fs.ModeSymlink != 0 { // a link has no mode of its own
		if info, err = os.Stat(p); err != nil {
			return nil
		}
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode()
	switch {
	case mode.IsDir() && mode&fs.ModeSticky != 0:
		return nil
	case ok && stat.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, not to root", p, stat.Uid)
	case mode.Perm()&0o002 != 0:
		return fmt.Errorf("%s can be written by everybody (mode %#o)", p, mode.Perm())
	case ok && mode.Perm()&0o020 != 0 && stat.Gid != 0:
		return fmt.Errorf("%s can be written by group %d (mode %#o)", p, stat.Gid, mode.Perm())
	}
	return nil
}

// executable returns why a user cannot run a program; nil: it can. who is nil for the user of this process.
func executable(path string, who *syscall.Credential) error {
	check := func() error {
		err := unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
		if err != nil {
			return err
		}
		return interpreted(path)
	}
	if who == nil {
		return check()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		gid, _ := unix.SetfsgidRetGid(int(who.Gid))
		uid, _ := unix.SetfsuidRetUid(int(who.Uid))
		var err error
		if is, _ := unix.SetfsuidRetUid(-1); is == int(who.Uid) {
			err = check()
		} else { // this process gave up that right
			if err = permitted(path, who); err == nil {
				err = interpreted(path)
			}
		}
		_ = unix.Setfsuid(uid) // the first thread of a process never ends: it would stay without its capabilities
		_ = unix.Setfsgid(gid)
		nowUID, _ := unix.SetfsuidRetUid(-1)
		if nowGID, _ := unix.SetfsgidRetGid(-1); nowUID == uid && nowGID == gid {
			runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
		}
		done <- err
	}()
	return <-done
}

// permitted returns why a user cannot run a program, by owner, group and mode of each element of its path alone: there
// may be access control lists.
func permitted(path string, who *syscall.Credential) error {
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		allowed := fs.FileMode(0o001)
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case who.Uid == 0 && info.IsDir():
			allowed = 0
		case who.Uid == 0:
			allowed = 0o111
		case ok && stat.Uid == who.Uid:
			allowed = 0o100
		case ok && stat.Gid == who.Gid:
			allowed = 0o010
		}
		if allowed != 0 && info.Mode().Perm()&allowed == 0 {
			return unix.EACCES
		}
		if p == "/" {
			return nil
		}
	}
}

// maxShebang is how much of a program the kernel reads to find out how to run it (BINPRM_BUF_SIZE).
const maxShebang = 256

// interpreted returns an error for a text that the kernel cannot run: without #! at its start, or with a missing
// interpreter. keepalived treats a script that does not start as successful. A program that cannot be read passes.
func interpreted(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, maxShebang)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil
	}
	head = head[:n]
	line, isScript := bytes.CutPrefix(head, []byte("#!"))
	if !isScript {
		if text(head) {
			return errors.New("it has no #! line that names an interpreter")
		}
		return nil
	}
	words := strings.Fields(string(bytes.SplitN(line, []byte("\n"), 2)[0]))
	if len(words) == 0 {
		return errors.New("its #! line names no interpreter")
	}
	if err := unix.Faccessat(unix.AT_FDCWD, words[0], unix.X_OK, unix.AT_EACCESS); err != nil {
		return fmt.Errorf("its interpreter %s: %w", words[0], err)
	}
	return nil
}

// text reports whether the beginning of a file is text, or empty.
func text(head []byte) bool {
	return !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == '\uFFFD' })
}
