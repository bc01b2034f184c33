// Package probe asks real servers whether they work: one file for each checker.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/health"
	"keepc/runtime/script"
)

// An Ask is what a check asks for in one probe.
type Ask struct {
	Check *ir.Check
	Page  int                                   // for a check of pages: which one, from 0
	Limit time.Duration                         // how long the check waits for the server
	Trace func(step string, took time.Duration) // nil: not traced
	// Run runs a program for a MISC_CHECK; nil: no programs are run.
	Run   func(context.Context, script.Command) script.Result
	files *files // nil: those of this probe alone
	began time.Time
	seen  *health.Certificate // the one that the server shows
}

// step reports a step to the trace.
func (a Ask) step(format string, args ...any) {
	if a.Trace != nil {
		a.Trace(fmt.Sprintf(format, args...), time.Since(a.began))
	}
}

// Do makes a check once and returns the result, in an operator's words: "connect: connection refused", "connect: timed
// out after 8s". It ends at the limit, a check of pages at ten times that; if ctx ends, it ends without a verdict.
func Do(ctx context.Context, a Ask) health.Result {
	a.began = time.Now()
	if a.files == nil {
		a.files = &files{}
	}
	result := do(ctx, a)
	a.step("%s", result.Text())
	return result
}

func do(ctx context.Context, a Ask) health.Result {
	if m, ok := a.Check.Checker.(*ir.MiscCheck); ok {
		return misc(ctx, a, m)
	}
	a.seen = &health.Certificate{}
	switch err := ask(ctx, a); {
	case ctx.Err() != nil:
		return health.Result{Inconclusive: ctx.Err().Error()}
	case err == nil:
		return health.Result{Up: true, Certificate: *a.seen}
	case lacking(err):
		return health.Result{Inconclusive: plain(err, a.Limit), Certificate: *a.seen}
	default:
		return health.Result{Detail: plain(err, a.Limit), Certificate: *a.seen}
	}
}

// ask makes the check of its kind. A kind that is not enforced never gets here.
func ask(ctx context.Context, a Ask) error {
	switch k := a.Check.Checker.(type) {
	case *ir.HTTPCheck:
		return page(ctx, a, k) // which waits in its own way
	case *ir.SMTPCheck:
		return smtp(ctx, a, k)
	}
	ctx, cancel := context.WithTimeout(ctx, a.Limit)
	defer cancel()
	switch k := a.Check.Checker.(type) {
	case *ir.TCPCheck:
		return tcp(ctx, a.Check.Connection)
	case *ir.UDPCheck:
		return udp(ctx, a.Check.Connection, k)
	case *ir.DNSCheck:
		return dns(ctx, a, k)
	case *ir.PingCheck:
		return ping(ctx, a)
	}
	return &unknownError{a.Check.Keyword()}
}

// An unknownError says that there is no such check.
type unknownError struct{ keyword string }

func (e *unknownError) Error() string { return e.keyword + " is not enforced yet" }

// connect opens a connection by "tcp" or "udp" as a check requires.
func connect(ctx context.Context, network string, c ir.Connection) (net.Conn, error) {
	d := net.Dialer{
		KeepAlive: -1, // no keepalive probes
		Control:   func(network, _ string, s syscall.RawConn) error { return control(network, s, c) },
	}
	switch {
	case !c.BindTo.IsValid():
	case network == "udp":
		d.LocalAddr = net.UDPAddrFromAddrPort(c.BindTo)
	default:
		d.LocalAddr = net.TCPAddrFromAddrPort(c.BindTo)
	}
	return d.DialContext(ctx, network, c.Target.String())
}

// plain says in an operator's words what was wrong; the server is known.
func plain(err error, limit time.Duration) string {
	if e, ok := errors.AsType[*pageError](err); ok {
		return e.path + ": " + plain(e.err, limit)
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Error()
	}
	op, ok := errors.AsType[*net.OpError](err)
	if e, late := errors.AsType[net.Error](err); late && e.Timeout() {
		if ok && op.Op == "read" {
			return fmt.Sprintf("no answer within %v", limit)
		}
		return fmt.Sprintf("connect: timed out after %v", limit)
	}
	if ok {
		return op.Err.Error()
	}
	return err.Error()
}

// lacking reports whether a check failed because of what this machine lacks: then nothing was sent, and nothing is
// known about the server. A missing local address or port is reported by connect; failures before that are only about
// this machine, and later ones are not.
func lacking(err error) bool {
	if _, ok := errors.AsType[*unknownError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*certificateError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*trustError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok && !slices.Contains(reaching, e.Syscall) {
		return true
	}
	return slices.ContainsFunc(shortages, func(errno syscall.Errno) bool { return errors.Is(err, errno) })
}

// reaching are the calls whose errors the network or the server may have caused.
var reaching = []string{"connect", "write", "read"}

// shortages are the kernel's errors when descriptors, memory, local ports or local addresses are short.
var shortages = []syscall.Errno{
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EAGAIN, syscall.EADDRNOTAVAIL, syscall.EADDRINUSE,
}
