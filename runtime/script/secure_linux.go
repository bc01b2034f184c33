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
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil
	}
	for p := real; ; p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if err != nil {
			return nil
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		sticky := info.IsDir() && info.Mode()&os.ModeSticky != 0 && p != real
		switch {
		case ok && stat.Uid != 0:
			return fmt.Errorf("%s belongs to user %d, not to root", p, stat.Uid)
		case info.Mode().Perm()&0o002 != 0 && !sticky:
			return fmt.Errorf("%s can be written by everybody (mode %#o)", p, info.Mode().Perm())
		case ok && info.Mode().Perm()&0o020 != 0 && stat.Gid != 0 && !sticky:
			return fmt.Errorf("%s can be written by group %d (mode %#o)", p, stat.Gid, info.Mode().Perm())
		}
		if p == "/" {
			return nil
		}
	}
}
