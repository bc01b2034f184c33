package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A child is a running command with a goroutine that owns it. The goroutine keeps its thread until the command has
// ended, because the kernel sends the parent's death signal when the parent's thread ends.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the command has ended
	err  error         // of Wait; only read after done
}

// startChild starts cmd, which is killed if this program dies. prepare runs first, on the thread that will be the
// parent.
func startChild(cmd *exec.Cmd, prepare func() error) (*child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, see onThread
		defer close(c.done)
		err := prepare()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			c.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

// kill ends the command at once and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	<-c.done
}

// A Process is a command that runs on a host in the background.
type Process struct {
	*child
	host *Host
	log  string
}

// Start starts a command on the host. Its output, of both kinds, goes to a file that [Process.Log] reads and whose end
// a failing test prints. The process is killed when the network is closed.
func (h *Host) Start(name string, args ...string) *Process {
	h.t.Helper()
	h.files++
	path := filepath.Join(h.dir, fmt.Sprintf("%02d-%s.log", h.files, filepath.Base(name)))
	log, err := os.Create(path)
	h.must(err, "make a log file")
	defer log.Close()
	cmd := h.command(exec.Command(name, args...))
	cmd.Stdout, cmd.Stderr = log, log
	c, err := startChild(cmd, h.ns.enter)
	h.must(err, "run a process")
	p := &Process{child: c, host: h, log: path}
	h.running = append(h.running, p)
	return p
}

// KeepalivedFlags returns the command line with which keepalived reads a file, stays in the foreground and logs to its
// output, beside other flags. All its pid files are in a directory: without one of them two keepalived refuse each other.
func KeepalivedFlags(dir, file string, more ...string) []string {
	in := func(name string) string { return filepath.Join(dir, name+".pid") }
	return append(more, "-n", "-l", "-f", file, "-p", in("parent"), "-r", in("vrrp"), "-c", in("checkers"), "-b", in("bfd"))
}

func (h *Host) command(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+h.dir)
	return cmd
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log returns what the process has printed so far.
func (p *Process) Log() string {
	p.host.t.Helper()
	b, err := os.ReadFile(p.log)
	p.host.must(err, "read the log")
	return string(b)
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Signal sends a signal to the process.
func (p *Process) Signal(sig os.Signal) {
	p.host.t.Helper()
	p.host.must(p.cmd.Process.Signal(sig), fmt.Sprintf("send %v to %s", sig, p.cmd.Path))
}

// Wait waits for the end of the process, and returns its error as [exec.Cmd.Wait] does. A process that takes longer
// than limit ends the test.
func (p *Process) Wait(limit time.Duration) error {
	p.host.t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(Patience(limit)):
		p.host.t.Fatalf("lab: %s: %s has not ended after %v\n%s", p.host.name, p.cmd.Path, Patience(limit), p.tail())
		return nil
	}
}

// WaitLog waits until the process has printed text.
func (p *Process) WaitLog(text string, limit time.Duration) {
	p.host.t.Helper()
	deadline := time.Now().Add(Patience(limit))
	for !strings.Contains(p.Log(), text) {
		if time.Now().After(deadline) {
			p.host.t.Fatalf("lab: %s: %s has not printed %q after %v:\n%s", p.host.name, p.cmd.Path, text, Patience(limit), p.tail())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop asks the process to end with SIGTERM and waits until it has. A process that does not react is killed.
func (p *Process) Stop() {
	p.host.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(Patience(10 * time.Second)):
		p.host.t.Logf("lab: %s: %s ignores SIGTERM and is killed", p.host.name, p.cmd.Path)
		p.kill()
	}
}

// Kill ends the process at once, as a crash would.
func (p *Process) Kill() { p.kill() }

// end is Kill at the end of the test; a failed test shows the log. A data race fails it.
func (p *Process) end() {
	p.host.t.Helper()
	p.kill()
	if log, _ := os.ReadFile(p.log); bytes.Contains(log, []byte("WARNING: DATA RACE")) {
		p.host.t.Errorf("lab: %s: %s was built with the race detector, which found a race", p.host.name, p.cmd.Path)
	}
	if p.host.t.Failed() {
		p.host.t.Logf("%s: %s:\n%s", p.host.name, strings.Join(p.cmd.Args, " "), p.tail())
	}
}

// tail returns the end of the log.
func (p *Process) tail() []byte {
	const lines = 60
	b, err := os.ReadFile(p.log)
	if err != nil {
		return []byte(err.Error())
	}
	all := bytes.SplitAfter(b, []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], nil)
}
