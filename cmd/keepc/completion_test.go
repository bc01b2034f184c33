package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// TestCompletion types into real shells on a terminal, and checks what they offer.
func TestCompletion(t *testing.T) {
	for _, sh := range []struct {
		program string
		args    []string
		file    string // read by the shell at its start
		text    string
	}{
		{"bash", []string{"--rcfile", ".bashrc", "-i"}, ".bashrc", ". /usr/share/bash-completion/bash_completion\n. <(keepc completion bash)\nbind 'set completion-query-items 0' 'set show-all-if-ambiguous on' 'set page-completions off' 'set bell-style none'\nPS1='ready> '\n"},
		{"zsh", []string{"-i"}, ".zshrc", "autoload -U compinit; compinit -u\nsource <(keepc completion zsh)\nsetopt no_list_ambiguous\nLISTMAX=0 PS1='ready> '\n"},
		{"fish", []string{"-i"}, ".config/fish/config.fish", "keepc completion fish | source\nset fish_greeting\nfunction fish_prompt\n echo 'ready> '\nend\n"},
	} {
		t.Run(sh.program, func(t *testing.T) {
			t.Parallel()
			lab.NeedPrograms(t, sh.program)
			if _, err := os.Stat("/usr/share/bash-completion"); sh.program == "bash" && err != nil {
				lab.Missing(t, "bash-completion is not installed; `make deps` installs it")
			}
			home := t.TempDir()
			rc := filepath.Join(home, sh.file)
			if err := os.MkdirAll(filepath.Dir(rc), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(rc, []byte(sh.text), 0o644); err != nil {
				t.Fatal(err)
			}
			path := installed(t) + ":" + os.Getenv("PATH")
			for _, c := range []struct{ typed, want string }{
				{"keepc expl\t", "keepc explain "},
				{"keepc explain dup\t", "have the same address.|share a virtual_router_id"},
				{"keepc check --off \t", "share a virtual_router_id|duplicate-keyword"},
				{"keepc check --format sa\t", "sarif"},
				{"keepc fm\t", "keepc fmt "},
			} {
				cmd := exec.Command(sh.program, sh.args...)
				cmd.Dir = home
				cmd.Env = append(os.Environ(), "HOME="+home, "ZDOTDIR="+home, "XDG_CONFIG_HOME="+home+"/.config", "TERM=xterm", "PATH="+path)
				term := onTerminal(t, cmd)
				term.wait("ready> ")
				term.send(c.typed)
				term.wait(strings.Split(c.want, "|")...)
				term.close()
			}
		})
	}
}

// installed returns a directory with a program keepc in it.
func installed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", shipped(t))
	if err := os.WriteFile(filepath.Join(dir, "keepc"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A screen is the other end of a terminal: it shows what a program writes, and has a keyboard.
type screen struct {
	t    *testing.T
	file *os.File

	mu      sync.Mutex
	shown   bytes.Buffer // since the last wait
	readers sync.WaitGroup
	close   func()
}

// onTerminal starts a program on a terminal of its own, and ends it with the test.
func onTerminal(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		lab.Missing(t, "no terminal: %v", err)
	}
	fd := int(far.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 500, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	near, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = near, near, near
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = near.Close()
	term := &screen{t: t, file: far}
	term.readers.Go(term.read)
	term.close = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // the shell was killed
		term.readers.Wait()
		_ = far.Close()
	})
	t.Cleanup(term.close)
	return term
}

// read collects what is shown, until no program has the terminal open.
func (term *screen) read() {
	buf := make([]byte, 4096)
	for {
		n, err := term.file.Read(buf)
		term.mu.Lock()
		term.shown.Write(buf[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (term *screen) send(keys string) {
	term.t.Helper()
	if _, err := term.file.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// all waits for the end of the program, and returns everything that it has shown.
func (term *screen) all() string {
	term.t.Helper()
	term.readers.Wait() // the terminal ends with its last program
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.shown.String()
}

// commands is what moves the cursor and changes colours.
var commands = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]|\x1b\\(B|\x1b\\][^\a]*\a|\r|.\b")

// wait waits until all the texts have been shown since the last wait.
func (term *screen) wait(texts ...string) {
	term.t.Helper()
	var shown string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		term.mu.Lock()
		shown = commands.ReplaceAllString(term.shown.String(), "")
		term.mu.Unlock()
		missing := false
		for _, text := range texts {
			missing = missing || !strings.Contains(shown, text)
		}
		if !missing {
			term.mu.Lock()
			term.shown.Reset()
			term.mu.Unlock()
			return
		}
	}
	term.t.Fatalf("not all of %q was shown:\n%q", texts, shown)
}
