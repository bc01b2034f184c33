package status

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxClients is the number of clients that are served at once; more are turned away.
	maxClients = 8
	// patience is how long one client may take, and how long a client waits for a director.
	patience = 2 * time.Second
	// maxDocument is larger than any document.
	maxDocument = 256 << 20
)

// ErrNone: no director runs in this network namespace.
var ErrNone = errors.New("no keepc runs here")

// ErrRuns: a director runs in this network namespace already.
var ErrRuns = errors.New("another keepc runs here already")

// A TakenError says that the socket is taken by a process that is not a director: directors are root, or the same
// user.
type TakenError struct {
	Socket string
	Cause  error // who has it, or why that is unknown
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("this keepc cannot be asked: the socket %s is taken: %v", e.Socket, e.Cause)
}

func (e *TakenError) Unwrap() error { return e.Cause }

// Listen takes the socket of the network namespace, and admits only clients that may ask. Errors: ErrRuns; a
// *TakenError, because any user can take a name that is not a file's, and no user may keep a director from its work in
// that way.
func Listen() (net.Listener, error) { return listen(Socket) }

func listen(socket string) (net.Listener, error) {
	for limit := time.Now().Add(patience); ; time.Sleep(patience / 20) {
		l, err := net.Listen("unix", socket)
		if err == nil {
			return guard{l}, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		c, err := net.DialTimeout("unix", socket, patience)
		if err == nil {
			defer c.Close()
			uid, err := trusted(c)
			if err == nil {
				return nil, ErrRuns
			}
			return nil, &TakenError{socket, fmt.Errorf("user %d has it: %w", uid, err)}
		}
		if time.Now().After(limit) { // a director that starts or ends would have finished by now
			return nil, &TakenError{socket, err}
		}
	}
}

// A guard turns away clients that may not ask.
type guard struct{ net.Listener }

func (g guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := trusted(c)
		if err == nil {
			return c, nil
		}
		write(c, Document{Version: Version, Error: fmt.Sprintf("user %d is not allowed to ask: %v", uid, err)}) // small enough for the socket's buffer
		_ = c.Close()
	}
}

// A Question is what is asked of a director. An empty question gets the answer to About.
type Question string

const (
	About   Question = "status"
	Counted Question = "counters"      // with the traffic of virtual and real servers, which the kernel must be asked for
	InForce Question = "configuration" // a Document with Configuration
	Follow  Question = "events"        // a Line for each Event from now on, until the client disconnects
)

// An Assignment asks a director to give real servers a weight that overrides that of its file, until it ends or
// another Assignment undoes it. The answer is the Document after that.
type Assignment struct {
	Server  string `json:"server"`           // such as "10.0.0.7:80", or "10.0.0.7" for all its ports
	Service string `json:"service,omitzero"` // such as "tcp 10.0.0.3:80"; empty: all services that have the server
	Weight  *int   `json:"weight"`           // null: that of the file again
}

// Question returns the question that asks for it.
func (a Assignment) Question() Question { return deed{Assign: &a}.question() }

// Assignment reads what a question assigns; false: nothing.
func (q Question) Assignment() (a Assignment, some bool) {
	if d := q.deed(); d.Assign != nil {
		return *d.Assign, true
	}
	return a, false
}

// A Drain asks a director to withdraw the addresses of an announcement, until it ends or another Drain undoes it. The
// answer is the Document after that.
type Drain struct {
	Announce string `json:"announce"` // the name; empty: all
	End      bool   `json:"end,omitempty"`
}

// Question returns the question that asks for it.
func (d Drain) Question() Question { return deed{Drain: &d}.question() }

// Drain reads what a question drains; false: nothing.
func (q Question) Drain() (d Drain, some bool) {
	if asked := q.deed(); asked.Drain != nil {
		return *asked.Drain, true
	}
	return d, false
}

// A deed is what a question asks to be done: one of these.
type deed struct {
	Assign *Assignment `json:"assign,omitempty"`
	Drain  *Drain      `json:"drain,omitempty"`
}

func (d deed) question() Question {
	text, err := json.Marshal(d)
	if err != nil {
		return About // plain data
	}
	return Question(text)
}

// deed reads what a question asks to be done; the zero deed: nothing.
func (q Question) deed() (d deed) {
	if json.Unmarshal([]byte(q), &d) != nil {
		return deed{}
	}
	return d
}

// Drained lists the announcements that a drain is about.
func (d Document) Drained(by Drain) (list []Announcement) {
	for _, a := range d.Announcements {
		if by.Announce == "" || by.Announce == a.Name {
			list = append(list, a)
		}
	}
	return list
}

// A Director answers questions about itself. Its functions are called concurrently.
type Director struct {
	Version  string // of the program
	Document func(context.Context, Question) (Document, error)
	// Plan returns what a reload of changed files would do; empty: no file has changed. nil: there is no plan.
	Plan func() string
	// Follow returns the events from now on, until end is called.
	Follow func() (events <-chan Event, end func())
}

// Serve answers every client until ctx ends; then it closes the listener.
func Serve(ctx context.Context, l net.Listener, director Director) {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })() // closing loses nothing
	var clients sync.WaitGroup
	defer clients.Wait()
	room := make(chan struct{}, maxClients)
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no file descriptor is free, most likely
			rest(ctx)
			continue
		}
		select {
		case room <- struct{}{}:
			clients.Go(func() {
				defer func() { <-room }()
				serve(ctx, c, director)
			})
		default:
			_ = c.Close()
		}
	}
}

func rest(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	<-ctx.Done()
}

func serve(ctx context.Context, c net.Conn, director Director) {
	defer c.Close()
	q := question(c)
	if q == Follow {
		director.tell(ctx, c)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })() // a client that does not read is dropped
	d, err := director.Document(ctx, q)
	if err != nil {
		d = Document{Version: Version, Error: err.Error()}
	}
	write(c, d)
}

// tell writes each event until the client disconnects, or does not read for a while.
func (d Director) tell(ctx context.Context, c net.Conn) {
	events, end := d.Follow()
	defer end()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	_ = c.SetReadDeadline(time.Time{})
	reader.Go(func() {
		defer cancel() // it has disconnected, or sent something unexpected
		_, _ = c.Read(make([]byte, 1))
	})
	defer cancel()
	for {
		select {
		case e := <-events:
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			if json.NewEncoder(c).Encode(Line{EventVersion, e}) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// maxQuestion is larger than any question.
const maxQuestion = 512

// question reads what a client asks, one line. A client of a different version may ask nothing.
func question(c net.Conn) Question {
	_ = c.SetReadDeadline(time.Now().Add(patience / 20)) // a unix socket has deadlines
	line, _ := bufio.NewReader(io.LimitReader(c, maxQuestion)).ReadString('\n')
	q := Question(strings.TrimSpace(line))
	if q == Counted || q == InForce || q == Follow || q.deed() != (deed{}) {
		return q
	}
	return About
}

// write sends a document; a client that does not listen does not get it.
func write(c net.Conn, d Document) { _ = json.NewEncoder(c).Encode(d) }

// Ask asks the director of this network namespace. Errors: ErrNone; a director that does not answer, or must not be
// trusted.
func Ask(ctx context.Context, q Question) (*Document, error) { return ask(ctx, Socket, q) }

// Events calls told with each event of the director of this network namespace, until ctx ends, the director ends, or
// told returns an error. Errors: as Ask; that of told; io.EOF when the director ended.
func Events(ctx context.Context, told func(Event) error) error { return eventsOf(ctx, Socket, told) }

func eventsOf(ctx context.Context, socket string, told func(Event) error) error {
	c, err := dial(ctx, socket, Follow)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	lines := json.NewDecoder(c)
	for {
		var line Line
		switch err := lines.Decode(&line); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
			return io.EOF
		case err != nil:
			return fmt.Errorf("follow the running keepc: %w", err)
		case line.Version != EventVersion:
			return fmt.Errorf("follow the running keepc: its events are of version %d, this keepc understands %d", line.Version, EventVersion)
		}
		if err := told(line.Event); err != nil {
			return err
		}
	}
}

// dial asks a question; the caller reads the answer.
func dial(ctx context.Context, socket string, q Question) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist): // the latter if names of sockets are files
		return nil, ErrNone
	case err != nil:
		return nil, fmt.Errorf("ask the running keepc: %w", err)
	}
	if uid, err := trusted(c); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("ask the running keepc: user %d has the socket %s: %w", uid, socket, err)
	}
	_, _ = io.WriteString(c, string(q)+"\n") // a director that turns us away says why
	return c, nil
}

func ask(ctx context.Context, socket string, q Question) (*Document, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+time.Second)
	defer cancel()
	c, err := dial(ctx, socket, q)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
	text, err := io.ReadAll(io.LimitReader(c, maxDocument))
	if err != nil && !errors.Is(err, syscall.ECONNRESET) { // it may have turned us away before reading the question
		return nil, fmt.Errorf("ask the running keepc: %w", err)
	}
	var d Document
	switch err := json.Unmarshal(text, &d); {
	case len(text) == 0 && left(ctx, socket):
		return nil, ErrNone
	case len(text) == 0:
		return nil, errors.New("ask the running keepc: it did not answer; too many ask at once")
	case err != nil:
		return nil, fmt.Errorf("ask the running keepc: it does not speak JSON: %w", err)
	case d.Version != Version:
		return nil, fmt.Errorf("ask the running keepc: it speaks version %d, this program understands version %d", d.Version, Version)
	case d.Error != "":
		return nil, fmt.Errorf("ask the running keepc: %s", d.Error)
	}
	return &d, nil
}

// left reports whether nobody listens any longer: a director that ends resets who waited for it.
func left(ctx context.Context, socket string) bool {
	c, err := dial(ctx, socket, About)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, ErrNone)
}

// trusted returns an error unless the other end is root or the user of this process.
func trusted(c net.Conn) (uid int, err error) {
	if uid, err = peer(c); err != nil {
		return uid, fmt.Errorf("find out who it is: %w", err)
	}
	switch own := os.Geteuid(); {
	case uid == 0 || uid == own:
		return uid, nil
	case own == 0:
		return uid, errors.New("that is not root")
	default:
		return uid, fmt.Errorf("that is neither root nor user %d", own)
	}
}
