package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// A progress shows on a terminal, in one line of standard error, how much of a long job is done. Otherwise it shows
// nothing.
type progress struct {
	w    io.Writer // nil: nothing is shown
	what string    // one part of the job, such as "case"
	all  int       // how many there are; 0: unknown

	mu   sync.Mutex
	done int
}

// progress starts counting. The caller must end it.
func (a *App) progress(what string, all int) *progress {
	p := &progress{what: what, all: all}
	if !a.quiet && all != 1 && terminal(a.Stderr) {
		p.w = a.Stderr
	}
	return p
}

// step counts a part that is done. Of many parts, each hundredth of the job is shown.
func (p *progress) step() {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	switch {
	case p.all == 0:
		fmt.Fprintf(p.w, "\r%s %d", p.what, p.done)
	case p.done*100/p.all > (p.done-1)*100/p.all:
		fmt.Fprintf(p.w, "\r%s %d of %d", p.what, p.done, p.all)
	}
}

// end removes the line.
func (p *progress) end() {
	if p.w != nil && p.done > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// terminal reports whether a writer is a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}
