package probe

import (
	"context"

	"keepc/compiler/ir"
)

// tcp connects and closes, as keepalived's TCP_CHECK does: no byte is sent.
func tcp(ctx context.Context, c ir.Connection) error {
	conn, err := connect(ctx, "tcp", c)
	if err != nil {
		return err
	}
	_ = conn.Close() // the server has answered
	return nil
}
