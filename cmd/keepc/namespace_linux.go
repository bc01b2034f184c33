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
	// inNamespace in the environment tells a process that was started anew in a network namespace the descriptor of the one that it comes
	// from, and its own: "7 blue".
	inNamespace = "KEEPC_NAMESPACE"
	// namespaces is where "ip netns" has the network namespaces by name.
	namespaces = "/run/netns"
)

// enter makes sure that all of the process is in a network namespace: it starts the program anew there, for the namespace is that of each
// thread by itself. The empty name is the namespace that the process was started in. text is what the new process finds on standard input;
// nil: what this one would. came is where the process was before, as the path of a file; empty: here.
func (a *App) enter(name string, text []byte) (came string, err error) {
	if value := a.Env(inNamespace); value != "" {
		before, _, _ := strings.Cut(value, " ")
		fd, err := strconv.Atoi(before)
		if err != nil || fd <= 2 || !strings.Contains(value, " ") {
			return "", fmt.Errorf("%s=%q in the environment is not of this program", inNamespace, value)
		}
		unix.CloseOnExec(fd) // scripts get neither
		return fmt.Sprintf("/proc/self/fd/%d", fd), os.Unsetenv(inNamespace)
	}
	if name == "" {
		return "", nil
	}
	if err := a.startIn(name, text); err != nil {
		return "", fmt.Errorf("network namespace %s: %w", name, err)
	}
	return "", errors.New("the program goes on as another process")
}

// startIn replaces the process by the same program in a namespace. It returns when that fails.
func (a *App) startIn(name string, text []byte) error {
	there, err := os.Open(filepath.Join(namespaces, name))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it is not here: ip netns add %s makes it", name)
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
	runtime.LockOSThread() // until the process is another one
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

// spaceOfIPVS is the network namespace of the virtual servers, as the path of a file; empty: that of the process. came is as enter tells it.
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
