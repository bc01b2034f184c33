package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inBackground in the environment tells a process that it is the background process.
const inBackground = "KEEPC_DAEMON"

// background tells a waiting process that the director is ready, and gives up the terminal.
func (d *keepalivedRun) background() (ready func()) {
	if d.Env(inBackground) == "" {
		return func() {}
	}
	_ = os.Unsetenv(inBackground) // it is set
	pipe := os.NewFile(3, "ready")
	unix.CloseOnExec(3)
	return func() {
		_, _ = pipe.Write([]byte{1}) // a parent that has gone does not wait
		_ = pipe.Close()
		d.leaveTerminal()
	}
}

// fork moves the director into a process of its own, without a terminal, unless it is to stay in the foreground, or
// this is that process. It waits until the director is ready, or has ended, and returns its exit code.
func (d *keepalivedRun) fork() (code int, forked bool) {
	if d.foreground || d.Env(inBackground) != "" {
		return 0, false
	}
	self, err := os.Executable()
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedFatal, true
	}
	heard, told, err := os.Pipe()
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedFatal, true
	}
	defer heard.Close()
	child := exec.Cmd{
		Path: self, Args: os.Args, Env: append(os.Environ(), inBackground+"=1"), Dir: d.Dir, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: []*os.File{told}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = child.Start()
	_ = told.Close() // the child has it
	if err != nil {
		d.complain("keepalived: %v", err)
		return keepalivedFatal, true
	}
	if n, _ := heard.Read(make([]byte, 1)); n == 1 {
		return exitOK, true
	}
	var ended *exec.ExitError
	if err := child.Wait(); errors.As(err, &ended) && ended.ExitCode() > 0 {
		return ended.ExitCode(), true
	}
	return keepalivedFatal, true
}

// leaveTerminal gives up what the process shares with its starter, who may wait for its end. A console that is logged
// to stays.
func (d *keepalivedRun) leaveTerminal() {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	for _, fd := range []int{0, 1, 2} {
		if !d.console || fd == 0 {
			_ = unix.Dup3(int(null.Fd()), fd, 0) // both are open
		}
	}
}

// pidFiles are those that this process has written. The first is locked as long as the process lives.
type pidFiles []*os.File

// sharedDir is the directory for the pid files of several keepaliveds.
const sharedDir = "/run/keepalived"

// writePIDs writes the pid of this process into files. Errors: another process has the lock of the first.
func writePIDs(names []string) (files pidFiles, err error) {
	defer func() {
		if err != nil {
			files.remove()
		}
	}()
	for i, name := range names {
		if name == "" {
			continue
		}
		if strings.HasPrefix(name, sharedDir+"/") {
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				return files, fmt.Errorf("pid file: %w", err)
			}
		}
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return files, fmt.Errorf("pid file: %w", err)
		}
		if i == 0 {
			lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
			if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
				_ = f.Close() // nothing was written
				return files, errors.New("daemon is already running")
			}
		}
		files = append(files, f)
		if err := f.Truncate(0); err != nil {
			return files, fmt.Errorf("pid file: %w", err)
		}
		if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
			return files, fmt.Errorf("pid file: %w", err)
		}
	}
	return files, nil
}

func (p pidFiles) remove() {
	for _, f := range p {
		_ = os.Remove(f.Name()) // somebody else may have removed it
		_ = f.Close()
		for dir := filepath.Dir(f.Name()); dir == sharedDir || strings.HasPrefix(dir, sharedDir+"/"); dir = filepath.Dir(dir) {
			_ = os.Remove(dir) // it may contain files of others
		}
	}
}
