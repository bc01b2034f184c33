//go:build !linux

package script

import (
	"errors"
	"os/exec"

	"keepc/compiler/ir"
)

func prepare(*exec.Cmd, ir.User) error { return errors.New("scripts run on Linux only") }

func endGroup(*exec.Cmd) {}

// AsRoot is asked on Linux only, where scripts run.
func AsRoot(ir.User) bool { return false }
