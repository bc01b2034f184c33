package notify

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/script"
)

// patience is how long a script holds up the next one of its subject. One that hangs continues beside them.
const patience = 10 * time.Second

// lastWords is how long running scripts have when the director ends, as with keepalived.
const lastWords = time.Second

// A Notifier runs scripts, writes lines and sends mails, in the order of the events. Its callers never wait.
type Notifier struct {
	ctx     context.Context
	stop    context.CancelFunc
	scripts *script.Runner
	log     func(subject, text string)
	work    sync.WaitGroup // goroutines of the notifier
	pipes   pipes          // used only by the goroutine that tells
	mailer  *mailer        // likewise
	global  *ir.Global     // the settings in force; likewise

	mu      sync.Mutex
	waiting []func()
	ring    chan struct{} // something waits
	queues  map[Subject][]job
	closed  bool
}

// A job is the scripts of one telling.
type job struct {
	scripts []ir.Command
	last    bool
}

// New returns a Notifier that works until Close. Scripts run on the runner, which must outlive it; log is called with
// failures.
func New(scripts *script.Runner, log func(subject, text string)) *Notifier {
	ctx, stop := context.WithCancel(context.Background())
	n := &Notifier{ctx: ctx, stop: stop, scripts: scripts, log: log, ring: make(chan struct{}, 1), queues: map[Subject][]job{}}
	n.pipes.notifier, n.mailer = n, newMailer(log)
	n.work.Go(n.run)
	n.work.Go(func() { n.mailer.run(ctx) })
	return n
}

// Tell carries out what the function returns, after everything that came before it. The function is called on a
// goroutine of the Notifier: a loop leaves the text to it.
func (n *Notifier) Tell(what func() (Telling, bool)) {
	n.later(func() {
		if t, some := what(); some {
			n.tell(t)
		}
	})
}

// Configure opens the named pipes of a configuration, and closes those that it does not have, after everything that
// came before. Mail goes where it says.
func (n *Notifier) Configure(cfg *ir.Config) {
	n.later(func() {
		n.global = &cfg.Global
		n.pipes.configure(n.global)
	})
}

// later calls a function on the goroutine of the Notifier.
func (n *Notifier) later(f func()) {
	n.mu.Lock()
	n.waiting = append(n.waiting, f)
	n.mu.Unlock()
	select {
	case n.ring <- struct{}{}:
	default:
	}
}

func (n *Notifier) run() {
	for {
		n.mu.Lock()
		todo := n.waiting
		n.waiting = nil
		closed := n.closed
		n.mu.Unlock()
		for _, f := range todo {
			f()
		}
		switch {
		case len(todo) > 0:
		case closed:
			n.pipes.close()
			close(n.mailer.queue)
			return
		default:
			<-n.ring
		}
	}
}

// tell adds the scripts of a telling to the queue of its subject, and writes its line.
func (n *Notifier) tell(t Telling) {
	if len(t.Scripts) > 0 {
		n.mu.Lock()
		queue, works := n.queues[t.Subject]
		n.queues[t.Subject] = append(queue, job{t.Scripts, t.Last})
		if n.mu.Unlock(); !works {
			n.work.Go(func() { n.serve(t.Subject) })
		}
	}
	if t.Mail != nil {
		n.mailer.send(n.global, *t.Mail, time.Now())
	}
	if t.Line != "" {
		n.pipes.write(t.Kind, t.Line+"\n")
	}
}

// serve runs the scripts of a subject until there are no more.
func (n *Notifier) serve(s Subject) {
	for {
		n.mu.Lock()
		queue := n.queues[s]
		if len(queue) == 0 {
			delete(n.queues, s)
			n.mu.Unlock()
			return
		}
		n.queues[s] = queue[1:]
		n.mu.Unlock()
		for _, c := range queue[0].scripts {
			n.launch(s, c, queue[0].last)
		}
	}
}

// launch starts a script and waits for it, for a limited time.
func (n *Notifier) launch(s Subject, c ir.Command, last bool) {
	limit := patience
	if last {
		limit = lastWords
	}
	wait, cancel := context.WithTimeout(n.ctx, limit)
	defer cancel()
	select {
	case r := <-n.scripts.Launch(script.Command{Args: c.Args, User: c.User}):
		if why := r.Cause + r.Inconclusive; why != "" {
			n.log(s.Name, fmt.Sprintf("%s: %s", c.Args[0], strings.TrimPrefix(why, c.Args[0]+": ")))
		}
	case <-wait.Done():
		if !last && n.ctx.Err() == nil {
			n.log(s.Name, fmt.Sprintf("%s has run for %v; the next scripts do not wait for it", c.Args[0], limit))
		}
	}
}

// Close carries out what waits, for a limited time, and ends the scripts that read named pipes.
func (n *Notifier) Close() {
	limit, cancel := context.WithTimeout(n.ctx, 2*lastWords)
	defer cancel()
	defer context.AfterFunc(limit, n.stop)()
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.later(func() {})
	n.work.Wait()
	n.stop()
}
