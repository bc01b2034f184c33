package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// most is how many flags of its own a verb may have: its help fits on one screen.
const most = 11

// TestHelp checks what every verb must say about itself, and that it has few flags.
func TestHelp(t *testing.T) {
	for _, c := range new(App).verbs() {
		flags := 0
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			flags++
			if f.Usage == "" {
				t.Errorf("%s --%s has no text", c.Name(), f.Name)
			}
		})
		if flags > most {
			t.Errorf("%s has %d flags of its own; at most %d fit on a screen", c.Name(), flags, most)
		}
		if c.Short == "" || c.Long == "" && c.Name() != "version" || c.RunE == nil {
			t.Errorf("%s lacks a text, or returns no error", c.Name())
		}
		if c.Example == "" && c.Args != nil && c.Name() != "version" {
			t.Errorf("%s has no example", c.Name())
		}
	}
}

// TestHelpFits checks that the help of each verb fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	for _, c := range new(App).verbs() {
		var out strings.Builder
		a := App{Stdout: &out, Stderr: &out, Env: func(string) string { return "" }, FS: hostFiles(), Dir: "/"}
		a.Main([]string{"help", c.Name()})
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimRight(line, "\n"); utf8.RuneCountInString(line) > screenWidth {
				t.Errorf("%s: wider than %d columns: %s", c.Name(), screenWidth, line)
			}
		}
	}
}
