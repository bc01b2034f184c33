//go:build !linux

package daemon

import "errors"

func newThreadBell() (bell, error) { return nil, errors.ErrUnsupported }
