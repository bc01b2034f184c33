package main

import (
	"os"
	"runtime"
)

// The methods below make a demo a lab.T.

func (d *demo) Helper()             {}
func (d *demo) Name() string        { return "demo" }
func (d *demo) Logf(string, ...any) {}
func (d *demo) Failed() bool        { return d.failed }
func (d *demo) Cleanup(f func())    { d.undo = append(d.undo, f) }

func (d *demo) Errorf(format string, args ...any) {
	d.failed = true
	d.say("demo: "+format, args...)
}

func (d *demo) Fatalf(format string, args ...any) {
	d.Errorf(format, args...)
	runtime.Goexit()
}

func (d *demo) Skipf(format string, args ...any) { d.Fatalf(format, args...) }

func (d *demo) TempDir() string {
	dir, err := os.MkdirTemp("", "keepc-demo-")
	d.must(err)
	d.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
