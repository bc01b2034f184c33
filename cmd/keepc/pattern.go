package main

import (
	"path"
	"strings"
)

// A pattern of path elements, as path.Match has them, where ** stands for any number of elements.

// matches reports whether a pattern matches a whole path.
func matches(pattern, name string) bool {
	return matchElements(strings.Split(path.Clean(pattern), "/"), strings.Split(name, "/"))
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

func matchElements(pattern, name []string) bool {
	for ; len(pattern) > 0; pattern, name = pattern[1:], name[1:] {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if matchElements(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
	}
	return len(name) == 0
}

// isPattern reports whether a name has wildcards.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// wildElement is the first element of a path that has a wildcard: its place, from 0; -1 where there is none.
func wildElement(pattern string) int {
	for i, e := range strings.Split(pattern, "/") {
		if isPattern(e) {
			return i
		}
	}
	return -1
}
