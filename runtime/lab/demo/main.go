// Command demo plays the two-director tutorial as a person would: the findings, the repair, the plan, then two
// directors, two real servers and a client while things go wrong. It needs root and a kernel with ip_vs:
//
//	demo KEEPC DIRECTORY
//
// KEEPC is the program, DIRECTORY holds lb01.conf and lb02.conf; they are copied, never changed.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"keepc/runtime/lab"
	"keepc/runtime/lab/tutorial"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: demo KEEPC DIRECTORY")
		os.Exit(2)
	}
	d := &demo{keepc: os.Args[1], from: os.Args[2], start: time.Now()}
	os.Exit(d.main())
}

// A demo is one performance. It is also the lab's test: what would fail a test ends it.
type demo struct {
	keepc, from, dir string
	start            time.Time
	*tutorial.Cluster
	shown  map[*lab.Process]int // bytes of the log that are on the screen
	print  sync.Mutex
	undo   []func()
	failed bool
}

func (d *demo) main() (status int) {
	defer func() {
		for i := len(d.undo) - 1; i >= 0; i-- {
			d.undo[i]()
		}
		if d.failed {
			status = 1
		}
	}()
	done := make(chan struct{})
	go func() { // Fatalf ends this goroutine, as a test's would
		defer close(done)
		d.dir = d.TempDir()
		d.check()
		d.Cluster = tutorial.New(lab.New(d))
		d.plan()
		d.play()
	}()
	<-done
	return 0
}

// check shows the findings and the repair.
func (d *demo) check() {
	d.chapter("1. Is it right? Two files as people type them.")
	for _, name := range []string{"lb01.conf", "lb02.conf"} {
		text, err := os.ReadFile(filepath.Join(d.from, name))
		d.must(err)
		d.must(os.WriteFile(filepath.Join(d.dir, name), text, 0o644))
	}
	d.run(exec.Command(d.keepc, "check", "lb01.conf"))
	d.run(exec.Command(d.keepc, "check", "--format", "short", "lb02.conf"))
	d.run(exec.Command(d.keepc, "check", "--fix", "lb01.conf", "lb02.conf"))
	d.run(exec.Command(d.keepc, "check", "-v", "lb01.conf", "lb02.conf"))
}

// run shows a command and its output. Its exit code is part of the show.
func (d *demo) run(cmd *exec.Cmd) {
	cmd.Dir = d.dir
	d.say("$ keepc %s", strings.Join(cmd.Args[1:], " "))
	out, err := cmd.CombinedOutput()
	d.lines("", string(bytes.TrimRight(out, "\n")))
	if err != nil {
		d.say("(%v)", err)
	}
	d.say("")
}

func (d *demo) plan() {
	d.chapter("2. What would it change on lb01, now?")
	d.say("$ keepc plan --as master lb01.conf")
	d.lines("", d.LB01.Run("env", "-C", d.dir, d.keepc, "plan", "--as", "master", "lb01.conf"))
	for _, web := range []*lab.Host{d.Web01, d.Web02} {
		_, err := tutorial.Serve(web)
		d.must(err)
	}
}

func (d *demo) play() {
	d.chapter("3. Do it: two directors, two real servers, a client that asks for a page five times a second.")
	d.shown = map[*lab.Process]int{}
	file := func(h *lab.Host) string { return filepath.Join(d.dir, h.Name()+".conf") }
	d.say("$ keepc run --watch lb01.conf        (on lb01; the same on lb02)")
	lb02 := d.LB02.Start("env", "-C", d.dir, d.keepc, "run", "--watch", "lb02.conf")
	lb01 := d.LB01.Start("env", "-C", d.dir, d.keepc, "run", "--watch", "lb01.conf")
	directors := map[string]*lab.Process{"lb01": lb01, "lb02": lb02}

	ctx, stop := context.WithCancel(context.Background())
	view := &view{demo: d}
	var wg sync.WaitGroup
	wg.Go(func() { view.watch(ctx, d.Client) })
	wg.Go(func() { d.follow(ctx, directors) })
	defer wg.Wait()
	defer stop()

	d.until("lb01 is MASTER and the client gets pages", 20*time.Second, func() bool { return d.Holders() == "lb01" && view.server() != "" })
	d.pause(2 * time.Second)

	d.say("\n--- somebody unplugs lb01 ---")
	d.LB01.Link("eth0").Down()
	d.until("lb02 serves", 20*time.Second, func() bool { return d.LB02.HasAddr(tutorial.VIP) && view.server() != "" })
	d.pause(2 * time.Second)
	d.say("\n--- the cable is back ---")
	d.LB01.Link("eth0").Up()
	d.until("lb01 serves again", 20*time.Second, func() bool { return d.Holders() == "lb01" && view.server() != "" })
	d.pause(2 * time.Second)

	web := d.Web01
	if view.server() == "web02" {
		web = d.Web02
	}
	d.say("\n--- a weight is edited: the file is applied by itself ---")
	text, err := os.ReadFile(file(d.LB01))
	d.must(err)
	d.must(os.WriteFile(file(d.LB01), bytes.Replace(text, []byte("weight 1"), []byte("weight 3"), 1), 0o644))
	d.until("the weight is in the kernel", 10*time.Second, func() bool { return strings.Contains(d.LB01.Run("ipvsadm", "-Sn"), "-w 3") })
	d.pause(time.Second)
	d.say("$ ipvsadm -Sn        (on lb01)")
	d.lines("", d.LB01.Run("ipvsadm", "-Sn"))

	d.say("--- nginx on %s stops ---", web.Name())
	d.must(d.stopNginx(web))
	d.until("the client gets pages from the other server", 40*time.Second, func() bool { s := view.server(); return s != "" && s != web.Name() })
	d.pause(time.Second)
	d.say("\n--- nginx on %s starts again ---", web.Name())
	_, err = tutorial.Serve(web)
	d.must(err)
	d.until("it serves again", 20*time.Second, func() bool { return strings.Count(d.LB01.Run("ipvsadm", "-Sn"), "\n-a ") == 2 })
	d.pause(time.Second)

	d.say("\n--- lb01 gets SIGTERM ---")
	lb01.Signal(syscall.SIGTERM)
	d.until("lb02 serves", 10*time.Second, func() bool { return d.Holders() == "lb02" && view.server() != "" })
	d.pause(2 * time.Second)
	stop()
	wg.Wait()
	d.say("\nPlayed in %v on kernel %s.", time.Since(d.start).Round(time.Second), lab.Kernel())
}

// stopNginx ends the server by the pid in its own file.
func (d *demo) stopNginx(web *lab.Host) error {
	_, err := web.Try("sh", "-c", `kill "$(cat `+filepath.Join(web.Dir(), "nginx.pid")+`)"`)
	return err
}

// follow shows what the directors log, as it comes.
func (d *demo) follow(ctx context.Context, directors map[string]*lab.Process) {
	for {
		for _, name := range []string{"lb01", "lb02"} {
			p := directors[name]
			log := p.Log()
			end := strings.LastIndexByte(log, '\n') + 1
			if seen := d.shown[p]; end > seen {
				d.lines(name+"    ", strings.TrimRight(log[seen:end], "\n"))
				d.shown[p] = end
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// A view is what the client sees.
type view struct {
	*demo
	mu      sync.Mutex
	current string // the server that answers; empty: none
}

func (v *view) server() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.current
}

// watch asks for pages until ctx ends and reports changes.
func (v *view) watch(ctx context.Context, client *lab.Host) {
	lost := time.Now()
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		server, err := tutorial.Get(try, client)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			server = ""
		}
		switch before := v.server(); {
		case server == before:
		case server == "":
			lost = time.Now()
			v.lines("", "client  no answer from "+tutorial.URL)
		case before == "":
			v.lines("", fmt.Sprintf("client  pages from %s, after %v without", server, time.Since(lost).Round(100*time.Millisecond)))
		default:
			v.lines("", "client  pages from "+server)
		}
		v.mu.Lock()
		v.current = server
		v.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (d *demo) until(what string, limit time.Duration, ok func() bool) {
	for end := time.Now().Add(lab.Patience(limit)); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("%s: not within %v", what, lab.Patience(limit))
		}
	}
}

func (d *demo) pause(t time.Duration) { time.Sleep(t) }

func (d *demo) chapter(title string) {
	d.say("\n%s\n%s\n", title, strings.Repeat("=", len(title)))
}

func (d *demo) say(format string, args ...any) { d.lines("", fmt.Sprintf(format, args...)) }

func (d *demo) lines(prefix, text string) {
	d.print.Lock()
	defer d.print.Unlock()
	for line := range strings.Lines(text + "\n") {
		fmt.Print(prefix + line)
	}
}

func (d *demo) must(err error) {
	if err != nil {
		d.Fatalf("%v", err)
	}
}
