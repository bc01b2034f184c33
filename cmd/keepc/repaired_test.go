package main

import (
	"path/filepath"
	"testing"
)

// repaired returns the path of a tutorial file as "keepc check --fix" leaves it. TestCLI holds that it does.
func repaired(t testing.TB, host string) string {
	t.Helper()
	return absolute(t, filepath.Join("..", "..", "testdata", "tutorial", "repaired", host+".conf"))
}
