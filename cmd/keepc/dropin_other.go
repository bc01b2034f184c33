//go:build !linux

package main

import (
	"errors"

	"keepc/compiler/ir"
)

var errLinuxOnly = errors.New("directors run on Linux only")

func (d *keepalivedRun) background() (ready func()) { return func() {} }

func (d *keepalivedRun) fork() (code int, forked bool) { return 0, false }

func (a *App) enter(name string, _ []byte) (string, error) {
	if name != "" {
		return "", errLinuxOnly
	}
	return "", nil
}

func spaceOfIPVS(*ir.Config, string) string { return "" }

type pidFiles struct{}

func writePIDs([]string) (pidFiles, error) { return pidFiles{}, errLinuxOnly }

func (pidFiles) remove() {}
