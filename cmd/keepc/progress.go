package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// A progress counts on a terminal, in one line of standard error, how much of long work is done. Elsewhere it shows nothing.
type progress struct {
	w    io.Writer // nil: nothing is shown
	what string    // one part of the work, as "case"
	all  int       // how many there are; 0: nobody knows

	mu   sync.Mutex
	done int
}

// progress begins to count. Who begins ends it.
func (a *App) progress(what string, all int) *progress {
	p := &progress{what: what, all: all}
	if !a.quiet && all != 1 && terminal(a.Stderr) {
		p.w = a.Stderr
	}
	return p
}

// step counts a part that is done. Of many parts, each hundredth of the work is shown.
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

// end takes the line away.
func (p *progress) end() {
	if p.w != nil && p.done > 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// terminal reports whether what is written somewhere appears on a terminal.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0
}
