package main

import "testing"

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"/r/old", "/r/old", true},
		{"/r/old", "/r/old/a/b.conf", true},
		{"/r/old/", "/r/old/b.conf", true},
		{"/r/old", "/r/older/b.conf", false},
		{"/r/lb*.conf", "/r/lb1.conf", true},
		{"/r/lb*.conf", "/r/x/lb1.conf", false},
		{"/r/**/lb*.conf", "/r/lb1.conf", true},
		{"/r/**/lb*.conf", "/r/x/y/lb1.conf", true},
		{"/r/**", "/r/x/y", true},
		{"/r/*/keepalived.conf", "/r/x/keepalived.conf", true},
		{"/r/[", "/r/[", false},
	} {
		if got := covers(c.pattern, c.name); got != c.want {
			t.Errorf("covers(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}
