// Package probe asks real servers whether they work.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/health"
	"keepc/runtime/shortage"
)

// Do runs one check and returns what it found out, in an operator's words: "connect: connection refused", "connect: timed out after 8s".
// The check ends at its ConnectTimeout; with ctx it ends without a verdict.
func Do(ctx context.Context, c ir.CheckSpec) health.Result {
	switch err := ask(ctx, c); {
	case err == nil:
		return health.Result{Up: true}
	case ctx.Err() != nil:
		return health.Result{Inconclusive: ctx.Err().Error()}
	case lacking(err):
		return health.Result{Inconclusive: err.Error()}
	default:
		return health.Result{Detail: err.Error()}
	}
}

// ask makes the check of a kind. What package enforced does not list never gets here.
func ask(ctx context.Context, c ir.CheckSpec) error {
	switch c.Kind {
	case ir.TCPCheck:
		return tcp(ctx, c)
	}
	return &unknownError{c.Kind}
}

// An unknownError says that there is no such check.
type unknownError struct{ kind ir.CheckKind }

func (e *unknownError) Error() string { return string(e.kind) + " is not enforced yet" }

// tcp connects and closes, as keepalived's TCP_CHECK does: no byte is sent.
func tcp(ctx context.Context, c ir.CheckSpec) error {
	conn, err := connect(ctx, c)
	if err != nil {
		return err
	}
	_ = conn.Close() // the server has answered
	return nil
}

func connect(ctx context.Context, c ir.CheckSpec) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	d := net.Dialer{
		KeepAlive: -1, // nothing is kept
		Control:   func(_, _ string, s syscall.RawConn) error { return control(s, c) },
	}
	if c.BindTo.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(c.BindTo)
	}
	conn, err := d.DialContext(limited, "tcp", c.Target.String())
	if err != nil {
		return nil, plain(err, c.ConnectTimeout)
	}
	return conn, nil
}

// plain says in an operator's words why there is no connection; which server it is about is known.
func plain(err error, limit time.Duration) error {
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Errorf("connect: timed out after %v", limit)
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}

// lacking reports whether a check failed for what this machine lacks: then nothing left it, and nothing is known of the server. A connection
// that has no local address or port left says so at connect; everything before connect is about this machine alone.
func lacking(err error) bool {
	if _, ok := errors.AsType[*unknownError](err); ok {
		return true
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok && e.Syscall != "connect" {
		return true
	}
	return shortage.Is(err) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EADDRINUSE)
}
