//go:build !linux

package watch

import (
	"context"
	"errors"
)

func moments(context.Context) (<-chan moment, error) { return nil, errors.ErrUnsupported }
