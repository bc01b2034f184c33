//go:build !linux

package probe

import (
	"context"
	"errors"
)

func ping(context.Context, Ask) error { return errors.New("PING_CHECK needs Linux") }
