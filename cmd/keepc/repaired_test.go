package main

import (
	"path/filepath"
	"testing"
)

// repaired returns the path of a tutorial file after "keepc check --fix". TestCLI checks that.
func repaired(t testing.TB, host string) string {
	t.Helper()
	return absolute(t, filepath.Join("..", "..", "testdata", "tutorial", "repaired", host+".conf"))
}
