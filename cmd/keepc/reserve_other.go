//go:build !linux

package main

// reserve does nothing: the other systems choose the size of pages themselves.
func reserve(int64) {}
