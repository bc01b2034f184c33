package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/script"
)

// pipes are the named pipes of a configuration.
type pipes struct {
	notifier *Notifier
	open     []*pipe
}

// A use is a named pipe as a file requests it.
type use struct {
	fifo   ir.FIFO
	reader ir.Command
	lvs    bool // it gets the events of services and servers
	vrrp   bool // it gets the events of instances and groups
}

func (u use) same(o use) bool {
	return u.fifo == o.fifo && u.lvs == o.lvs && u.vrrp == o.vrrp && u.reader.User == o.reader.User && slices.Equal(u.reader.Args, o.reader.Args)
}

// A pipe is one that is open.
type pipe struct {
	use
	fd     int  // -1: it did not open
	made   bool // by this director, which removes it
	end    context.CancelFunc
	silent bool // the last line was lost; reported once
}

// configure opens the pipes of a configuration that are not open, and closes the others. It leaves unchanged ones
// open.
func (p *pipes) configure(g *ir.Global) {
	var want []use
	for _, u := range []use{
		{g.NotifyFIFO, g.NotifyFIFOScript, true, true}, {g.VRRPNotifyFIFO, g.VRRPNotifyFIFOScript, false, true}, {g.LVSNotifyFIFO, g.LVSNotifyFIFOScript, true, false},
	} {
		if u.fifo.Path != "" {
			want = append(want, u)
		}
	}
	p.open = slices.DeleteFunc(p.open, func(o *pipe) bool {
		if slices.ContainsFunc(want, o.same) {
			return false
		}
		o.close()
		return true
	})
	for _, u := range want {
		if !slices.ContainsFunc(p.open, func(o *pipe) bool { return o.same(u) }) {
			p.open = append(p.open, p.begin(u, g.FileMask()))
		}
	}
}

// begin opens a pipe and starts its reader.
func (p *pipes) begin(u use, umask ir.Umask) *pipe {
	ctx, end := context.WithCancel(p.notifier.ctx)
	o := &pipe{use: u, fd: -1, end: end}
	var err error
	if o.fd, o.made, err = openFIFO(u.fifo, umask); err != nil {
		p.notifier.log(u.fifo.Path, err.Error())
		return o
	}
	if len(u.reader.Args) > 0 {
		p.notifier.work.Go(func() { p.read(ctx, u) })
	}
	return o
}

// again is the pause before a script that reads a pipe is restarted after it ended by itself.
const again = time.Second

// read runs the script that reads a pipe, with the pipe as its last argument, until the pipe is closed.
func (p *pipes) read(ctx context.Context, u use) {
	args := append(slices.Clone(u.reader.Args), u.fifo.Path)
	for ctx.Err() == nil {
		r := p.notifier.scripts.Run(ctx, script.Command{Args: args, User: u.reader.User, Timeout: 1<<63 - 1})
		if ctx.Err() != nil {
			return
		}
		p.notifier.log(u.fifo.Path, fmt.Sprintf("%s has ended and is started again: %s", args[0], r.Cause+r.Inconclusive))
		pause, cancel := context.WithTimeout(ctx, again)
		<-pause.Done()
		cancel()
	}
}

// write writes a line to the pipes for a kind of event. A full pipe without a reader loses it.
func (p *pipes) write(kind, line string) {
	for _, o := range p.open {
		lvs := kind == "VS" || kind == "RS"
		if o.fd < 0 || lvs && !o.lvs || !lvs && !o.vrrp {
			continue
		}
		_, err := syscall.Write(o.fd, []byte(line))
		if err != nil && !o.silent {
			p.notifier.log(o.fifo.Path, fmt.Sprintf("a line is lost: %v", err))
		}
		o.silent = err != nil
	}
}

func (p *pipes) close() {
	for _, o := range p.open {
		o.close()
	}
	p.open = nil
}

func (o *pipe) close() {
	o.end()
	if o.fd < 0 {
		return
	}
	_ = syscall.Close(o.fd) // nothing is lost
	if o.made {
		_ = os.Remove(o.fifo.Path) // somebody else may have
	}
}

// openFIFO opens a named pipe, and makes it if it does not exist. It needs no reader yet, and no write waits.
func openFIFO(f ir.FIFO, umask ir.Umask) (fd int, made bool, err error) {
	switch err := syscall.Mkfifo(f.Path, 0o600&^uint32(umask)); {
	case err == nil:
		made = true
	case !errors.Is(err, fs.ErrExist):
		return -1, false, fmt.Errorf("make the named pipe: %w", err)
	}
	fd, err = syscall.Open(f.Path, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return -1, made, fmt.Errorf("open the named pipe: %w", err)
	}
	var stat syscall.Stat_t
	if err = syscall.Fstat(fd, &stat); err == nil && stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		err = errors.New("it is not a named pipe")
	}
	if err == nil && made { // whatever the umask of this process, and while the pipe is its own
		err = syscall.Fchmod(fd, 0o666&^uint32(umask))
	}
	if err == nil && made {
		err = give(fd, f.User)
	}
	if err != nil {
		_ = syscall.Close(fd) // nothing was written
		return -1, made, fmt.Errorf("open the named pipe: %w", err)
	}
	return fd, made, nil
}

// give makes a user the owner of a file, if there is a name.
func give(fd int, who ir.User) error {
	uid, gid, err := script.Owner(who)
	if err != nil {
		return err
	}
	return syscall.Fchown(fd, uid, gid)
}
