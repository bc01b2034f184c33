package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// open opens a file for reading if it is a regular file. A device or named pipe is examined without opening it,
// because that may block, or have an effect.
func open(name string) (*os.File, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	return os.Open("/proc/self/fd/" + strconv.Itoa(fd)) // this file, whatever has its name by now
}

// replace puts a new file with the text in place of a regular file or a link, or of nothing; a link is not followed.
// It is atomic. Only root's links are followed on the path: a directory's link that belongs to another user is not
// followed either. An old file's owner and mode are kept, so that its writer can continue.
func replace(name string, text []byte, mode fs.FileMode) (err error) {
	dir, err := openDir(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	base := filepath.Base(name)
	var old unix.Stat_t
	err = unix.Fstatat(dir, base, &old, unix.AT_SYMLINK_NOFOLLOW)
	kind := old.Mode & unix.S_IFMT
	switch {
	case errors.Is(err, unix.ENOENT):
		kind = 0
	case err != nil:
		return &fs.PathError{Op: "stat", Path: name, Err: err}
	case kind != unix.S_IFREG && kind != unix.S_IFLNK:
		return &fs.PathError{Op: "create", Path: name, Err: errNotRegular}
	}
	fresh := "." + base + ".keepc"
	fd, err := unix.Openat(dir, fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EEXIST) { // a left-over
		_ = unix.Unlinkat(dir, fresh, 0)
		fd, err = unix.Openat(dir, fresh, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	}
	if err != nil {
		return &fs.PathError{Op: "create", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(fd), fresh)
	defer func() {
		if err != nil {
			_ = unix.Unlinkat(dir, fresh, 0)
			err = &fs.PathError{Op: "create", Path: name, Err: err}
		}
	}()
	if kind == unix.S_IFREG {
		mode = fs.FileMode(old.Mode) & fs.ModePerm
	}
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(mode) // whatever the umask of this process, and while the file is its own
	}
	if err == nil && kind == unix.S_IFREG {
		err = f.Chown(int(old.Uid), int(old.Gid))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return unix.Renameat(dir, fresh, dir, base)
}

// openDir opens a directory. Links on the path are followed if they belong to root or to the user of this process: the
// owner of any other link would choose where we write.
func openDir(path string) (fd int, err error) {
	real, err := followOwn(path)
	if err != nil {
		return -1, err
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, err = unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_SYMLINKS}) // a link that appeared meanwhile
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {                                              // Linux before 5.6, or a sandbox that does not know it
		fd, err = unix.Open(real, flags|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// followOwn returns an absolute path without links.
func followOwn(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	at, rest := "/", strings.Split(path, "/")
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
			return "", fmt.Errorf("%s is a link of user %d and is not followed to create a file", next, stat.Uid)
		}
		to, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: next, Err: unix.ELOOP}
		}
		if rest = append(strings.Split(to, "/"), rest...); filepath.IsAbs(to) {
			at = "/"
		}
	}
	return at, nil
}

// maxLinks is the maximum number of links on a path, as in the kernel.
const maxLinks = 40
