package compiler

import (
	"os"
	"testing"

	"keepc/grammar"
	"keepc/grammar/source"
)

func TestTry(t *testing.T) {
	text, _ := os.ReadFile("../testdata/tutorial/lb01.conf")
	file, l := grammar.Parse(source.New("lb01.conf", text))
	cfg, found := Compile(file, Options{})
	for _, d := range append(l, found...) {
		t.Logf("%s: %s: %s [%s] (%s)", d.Span, d.Severity, d.Message, d.Rule, d.Label)
	}
	for _, v := range cfg.Instances {
		t.Logf("%+v", *v)
	}
	for _, v := range cfg.VirtualServers {
		t.Logf("%+v", *v)
		for _, r := range v.RealServers {
			t.Logf("%+v %+v", *r, *r.Checks[0])
		}
	}
}
