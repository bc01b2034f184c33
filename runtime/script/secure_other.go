//go:build !linux

package script

// Secure judges on Linux only, where scripts run.
func Secure(string) error { return nil }
