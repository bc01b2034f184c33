package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// These in the environment tell a process that it is the one in the background, and in the network namespace.
const (
	inBackground = "KEEPC_DAEMON"
	inNamespace  = "KEEPC_NAMESPACE"
)

// daemonize puts the director into a process of its own, without a terminal, unless it is to stay in the foreground. The parent waits until
// it is ready, or has ended, and has its exit code.
func (d *keepalivedRun) daemonize() (ready func(), parent bool, code int) {
	if d.Env(inBackground) != "" {
		_ = os.Unsetenv(inBackground) // it is set
		pipe := os.NewFile(3, "ready")
		unix.CloseOnExec(3)
		return func() {
			_, _ = pipe.Write([]byte{1}) // a parent that has gone does not wait
			_ = pipe.Close()
			d.leaveTerminal()
		}, false, 0
	}
	if d.foreground {
		return func() {}, false, 0
	}
	self, err := os.Executable()
	if err != nil {
		d.complain("keepalived: %v", err)
		return nil, true, keepalivedFatal
	}
	heard, told, err := os.Pipe()
	if err != nil {
		d.complain("keepalived: %v", err)
		return nil, true, keepalivedFatal
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
		return nil, true, keepalivedFatal
	}
	if n, _ := heard.Read(make([]byte, 1)); n == 1 {
		return nil, true, exitOK
	}
	var ended *exec.ExitError
	if err := child.Wait(); errors.As(err, &ended) && ended.ExitCode() > 0 {
		return nil, true, ended.ExitCode()
	}
	return nil, true, keepalivedFatal
}

// leaveTerminal gives up what the process has of its starter's, who may wait for the end of it. A console that is logged to stays.
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

// enter starts this program anew in the network namespace of -s.
func (d *keepalivedRun) enter([]string) error {
	if d.namespace == "" || d.Env(inNamespace) == d.namespace {
		return os.Unsetenv(inNamespace)
	}
	f, err := os.Open(filepath.Join("/run/netns", d.namespace))
	if err != nil {
		return fmt.Errorf("network namespace %s: %w", d.namespace, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // until the process is another one
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("network namespace %s: %w", d.namespace, err)
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), inNamespace+"="+d.namespace))
}

// pidFiles are those that this process has written. The first is locked for as long as it lives.
type pidFiles []*os.File

// writePIDs writes the number of this process into files. Errors: another process has the lock of the first.
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
		_ = os.Remove(f.Name()) // somebody else may have
		_ = f.Close()
	}
}
