package rival

import (
	"strings"
	"testing"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct{ line, file, id string }{
		{"", defaultFile, ""},
		{"-f a.conf", "a.conf", ""},
		{"-fa.conf -i lb1", "a.conf", "lb1"},
		{"-lnDf a.conf", "a.conf", ""},
		{"--use-file=a.conf --config-id lb1", "a.conf", "lb1"},
		{"--use-file a.conf -f b.conf", "b.conf", ""},
		{"-p -f -r -i", defaultFile, ""},
		{"-Mf a.conf", defaultFile, ""},
		{"--dont-fork -P --vrrp_pid=/run/v -f", "", ""},
		{"-n - word", defaultFile, ""},
	} {
		if file, id := arguments(strings.Fields(c.line)); file != c.file || id != c.id {
			t.Errorf("%s: file %q, id %q", c.line, file, id)
		}
	}
}
