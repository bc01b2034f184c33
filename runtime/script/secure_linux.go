package script

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Secure returns an error when others than root could change what a path runs: keepalived's enable_script_security does not run such
// a program as root. What cannot be looked at is for the run itself to report.
func Secure(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", path)
	}
	if err := secure(path); err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || real == path {
		return nil
	}
	return secure(real) // links on the way were looked at as what they are
}

// secure looks at a file and the directories above it.
func secure(path string) error {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		mode := info.Mode()
		others := mode.Perm()
		if mode&os.ModeSymlink != 0 || mode.IsDir() && mode&os.ModeSticky != 0 && p != path {
			others = 0 // a link has no mode; in a directory like /tmp everybody changes his own files only
		}
		switch {
		case ok && stat.Uid != 0:
			return fmt.Errorf("%s belongs to user %d, not to root", p, stat.Uid)
		case others&0o002 != 0:
			return fmt.Errorf("%s can be written by everybody (mode %#o)", p, mode.Perm())
		case ok && others&0o020 != 0 && stat.Gid != 0:
			return fmt.Errorf("%s can be written by group %d (mode %#o)", p, stat.Gid, mode.Perm())
		}
		if p == "/" {
			return nil
		}
	}
}
