//go:build !linux

package script

import (
	"errors"
	"os"
	"os/exec"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

func prepare(*exec.Cmd, ir.User) error { return errors.New("scripts run on Linux only") }

func outlive(*exec.Cmd) {}

func owner(ir.User) (uid, gid int, err error) { return -1, -1, nil }

func settle() func(ir.Umask) { return func(ir.Umask) {} }

// Settle is called on Linux only, where scripts run.
func Settle() {}

func descriptors() int { return maxRunning }

func await(*os.Process) {}

func endGroup(*exec.Cmd) {}

// Vet judges on Linux only, where scripts run.
func Vet(cfg *ir.Config) (*ir.Config, diag.List) { return cfg, nil }

// Verdicts are the decisions about commands that were made already.
type Verdicts map[string]struct{}

// Vet is [Vet].
func (Verdicts) Vet(cfg *ir.Config) (*ir.Config, diag.List) { return Vet(cfg) }
