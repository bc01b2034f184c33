package compiler

import (
	"slices"
	"testing"

	"keepc/compiler/lint"
)

// TestConsequences holds that the causes are rules: one that is renamed would lose its consequences without a word.
func TestConsequences(t *testing.T) {
	known := func(name string) bool {
		return slices.ContainsFunc(lint.Rules(), func(r lint.Rule) bool { return r.Name == name })
	}
	for name := range consequences {
		if !known(name) {
			t.Errorf("there is no rule %s", name)
		}
	}
	for _, name := range asBadAsValue {
		if consequences[name] == nil {
			t.Errorf("%s has no consequences", name)
		}
	}
}
