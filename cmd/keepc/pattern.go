package main

import (
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// matches reports whether a pattern, in which ** matches any number of directories, matches a whole path.
func matches(pattern, name string) bool {
	ok, err := doublestar.Match(path.Clean(pattern), name)
	return ok && err == nil
}

// covers reports whether a pattern matches a path or a directory above it.
func covers(pattern, name string) bool {
	for ; name != "." && name != "/"; name = path.Dir(name) {
		if matches(pattern, name) {
			return true
		}
	}
	return false
}

// isPattern reports whether a name has wildcards.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[{") }

// wildElement returns the index of the first path element with a wildcard; -1 if there is none.
func wildElement(pattern string) int { return slices.IndexFunc(strings.Split(pattern, "/"), isPattern) }
