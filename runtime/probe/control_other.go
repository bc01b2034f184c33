//go:build !linux

package probe

import (
	"errors"
	"syscall"

	"keepc/compiler/ir"
)

func control(_ string, _ syscall.RawConn, c ir.Connection) error {
	if c.BindIf != "" || c.FWMark != 0 {
		return errors.New("bind_if and fwmark need Linux")
	}
	return nil
}
