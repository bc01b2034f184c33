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
)

// Do runs one check and returns nil for success, or what was wrong in an operator's words: "connect: connection refused",
// "connect: timed out after 8s". The check ends at its ConnectTimeout or with ctx, whose error it then is.
func Do(ctx context.Context, c ir.CheckSpec) error {
	switch c.Kind {
	case ir.TCPCheck:
		return tcp(ctx, c)
	}
	return fmt.Errorf("%s is not supported", c.Kind)
}

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
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, plain(err, c.ConnectTimeout)
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
