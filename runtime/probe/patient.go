package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// A patientConn is a connection that waits for the other end as keepalived does: the limit applies to each read and
// write, not to all of them together. ctx limits them all.
type patientConn struct {
	net.Conn
	ctx   context.Context
	limit time.Duration
	stop  func() bool
	ended bool // the other end has closed its direction
}

// dial connects within the limit. The connection ends with ctx.
func dial(ctx context.Context, network string, a Ask) (*patientConn, error) {
	limited, cancel := context.WithTimeout(ctx, a.Limit)
	defer cancel()
	conn, err := connect(limited, network, a.Check.Connection)
	if err != nil {
		return nil, err
	}
	p := &patientConn{Conn: conn, ctx: ctx, limit: a.Limit}
	p.stop = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return p, nil
}

func (p *patientConn) Read(b []byte) (int, error) {
	if err := p.wait(p.Conn.SetReadDeadline); err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	p.ended = p.ended || errors.Is(err, io.EOF)
	return n, err
}

func (p *patientConn) Write(b []byte) (int, error) {
	if err := p.wait(p.Conn.SetWriteDeadline); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}

// wait sets the deadline of what follows. If ctx ends meanwhile, its own deadline replaces this one.
func (p *patientConn) wait(set func(time.Time) error) error {
	if err := set(time.Now().Add(p.limit)); err != nil {
		return err
	}
	return p.ctx.Err()
}

// Close closes the connection.
func (p *patientConn) Close() error {
	p.stop()
	return p.Conn.Close()
}
