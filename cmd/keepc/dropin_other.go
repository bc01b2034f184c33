//go:build !linux

package main

import "errors"

var errLinuxOnly = errors.New("directors run on Linux only")

func (d *keepalivedRun) daemonize() (ready func(), parent bool, code int) { return func() {}, false, 0 }

func (d *keepalivedRun) enter([]string) error { return errLinuxOnly }

type pidFiles struct{}

func writePIDs([]string) (pidFiles, error) { return pidFiles{}, errLinuxOnly }

func (pidFiles) remove() {}
