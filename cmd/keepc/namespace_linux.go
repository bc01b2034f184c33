package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
)

const (
	// inNamespace in the environment tells a process that was restarted in a network namespace the descriptor of the
	// former namespace, and the name of its own: "7 blue".
	inNamespace = "KEEPC_NAMESPACE"
	// namespaces is where "ip netns" has the network namespaces by name.
	namespaces = "/run/netns"
)

// enter makes sure that the whole process is in a network namespace: it restarts the program there, because a
// namespace belongs to each thread separately. The empty name is the namespace that the process was started in. text
// is the standard input of the new process; nil: that of this one. came is the former namespace, as the path of a
// file; empty: this one.
func (a *App) enter(name string, text []byte) (came string, err error) {
	if value := a.Env(inNamespace); value != "" {
		before, _, _ := strings.Cut(value, " ")
		fd, err := strconv.Atoi(before)
		if err != nil || fd <= 2 || !strings.Contains(value, " ") {
			return "", fmt.Errorf("%s=%q in the environment was not set by this program", inNamespace, value)
		}
		unix.CloseOnExec(fd) // scripts inherit neither
		return fmt.Sprintf("/proc/self/fd/%d", fd), os.Unsetenv(inNamespace)
	}
	if name == "" {
		return "", nil
	}
	if err := a.startIn(name, text); err != nil {
		return "", fmt.Errorf("network namespace %s: %w", name, err)
	}
	return "", errors.New("keepc continues as a different process")
}

// startIn replaces the process by the same program in a namespace. It only returns if that fails.
func (a *App) startIn(name string, text []byte) error {
	there, err := os.Open(filepath.Join(namespaces, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it does not exist; create it: ip netns add %s", name)
	}
	if err != nil {
		return cause(err)
	}
	defer there.Close()
	here, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY, 0) // the new process has it, too
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if text != nil {
		if err := putStdin(text); err != nil {
			return fmt.Errorf("hand standard input over: %w", err)
		}
	}
	if err := os.Setenv(inNamespace, fmt.Sprintf("%d %s", here, name)); err != nil {
		return err
	}
	runtime.LockOSThread() // until the process is replaced
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		return errors.New("net_namespace needs CAP_SYS_ADMIN, which this process does not have")
	} else if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, os.Environ())
}

// putStdin makes a text the standard input.
func putStdin(text []byte) error {
	fd, err := unix.MemfdCreate("stdin", 0)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "stdin")
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return err
	}
	return unix.Dup3(fd, 0, 0)
}

// spaceOfIPVS returns the network namespace of the virtual servers, as the path of a file; empty: that of the process.
// came is as returned by enter.
func spaceOfIPVS(cfg *ir.Config, came string) string {
	switch name := cfg.NetNamespaceIPVS; {
	case name == nil:
		return ""
	case *name == "":
		return came
	default:
		return filepath.Join(namespaces, *name)
	}
}
