package compiler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// A format is a kind of file that is found in place of a configuration, or around one.
type format struct {
	name  string
	line  *regexp.Regexp // lines that only such a file has
	least int            // this many of them
	half  bool           // and half of all lines, or all wrong lines outside blocks
	whole bool           // its braces look like those of blocks: nothing in it is for keepalived
	first bool           // the first of them must be the first line of the file
}

var formats = []format{
	{name: "JSON", line: regexp.MustCompile(`^\s*[{\[]?\s*"[^"]*"\s*:`), least: 2, half: true, whole: true},
	{name: "a systemd unit", line: regexp.MustCompile(`^\[(Unit|Service|Install|Socket|Timer)\]\s*$`), least: 1},
	{name: "TOML", line: regexp.MustCompile(`^\s*(\[{1,2}[\w. "-]+\]{1,2}|[\w."-]+\s*=.*)$`), least: 3, half: true},
	{name: "a configuration of HAProxy", line: regexp.MustCompile(`^(global|defaults|frontend\s+\S+|backend\s+\S+|listen\s+\S+)\s*$`), least: 2},
	{name: "a configuration of nginx", line: regexp.MustCompile(`^\s*(events|http|server|stream|upstream\s+\S+|location\s.*)\s*\{\s*$`), least: 2},
	{name: "a shell script", line: regexp.MustCompile(`^(#!.*sh\b.*|[^#!<]*<<-?\s*["']?\w+["']?.*)$`), least: 1, first: true},
	{name: "Markdown", line: regexp.MustCompile("^\\s*```"), least: 1},
	{name: "YAML", line: regexp.MustCompile(`^\s*(- )*([\w."'/-]+:(\s.*)?|---|- .*)$`), least: 3, half: true},
}

// foreign leaves a single finding for a file in a different format, or for the text around a configuration: all lines
// that are not for keepalived have the same cause. Findings in the blocks of a configuration within the text stay.
func foreign(file *grammar.File, found diag.List) diag.List {
	outside, wrong := diag.List{}, 0
	for _, d := range found {
		if d.Severity != diag.Error || d.Span.Source != file.Source {
			continue
		}
		if wrong++; isOutside(file, d) {
			outside.Add(d)
		}
	}
	if wrong < 2 || len(outside) == 0 {
		return found
	}
	f := formatOf(file.Source.String(), outside)
	if f == nil || len(outside) < 2 && !f.whole {
		return found
	}
	outside.Sort()
	left := slices.DeleteFunc(slices.Clone(found), func(d diag.Diagnostic) bool { return f.whole || isOutside(file, d) })
	left.Add(diag.Diagnostic{
		Rule: "foreign-file", Severity: diag.Error, Message: fmt.Sprintf("%s is %s", file.Source.Name, f.name),
		Span: outside[0].Span, Label: "the first line that is not for keepalived",
		Help: "leave only the configuration of keepalived in the file",
	})
	return left
}

// isOutside reports whether a finding is about something outside any block that keepalived knows.
func isOutside(file *grammar.File, d diag.Diagnostic) bool {
	if d.Span.Source != file.Source {
		return false
	}
	chain := file.Around(d.Span)
	return len(chain) == 0 || chain[0].Block == nil || chain[0].Block.Open.IsZero() || !schema.AtTop(chain[0].Keyword())
}

// maxLook is the number of lines by which a text is judged.
const maxLook = 1000

// formatOf returns the format that a text plainly has, judging by its lines and those that are not for keepalived;
// nil: none, or keepalived's own.
func formatOf(text string, outside diag.List) *format {
	var all, odd []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" && len(all) < maxLook {
			all = append(all, line)
		}
	}
	for _, d := range outside[:min(len(outside), maxLook)] {
		start := strings.LastIndexByte(text[:d.Span.Start], '\n') + 1
		line, _, _ := strings.Cut(text[start:], "\n")
		odd = append(odd, strings.TrimRight(line, " \t\r"))
	}
	for i := range formats {
		f := &formats[i]
		n := f.count(all)
		if f.first && n > 0 && !f.line.MatchString(all[0]) {
			continue
		}
		if n >= f.least && (!f.half || 2*n >= len(all) || len(odd) >= f.least && f.count(odd) == len(odd)) {
			return f
		}
	}
	return nil
}

// count counts the lines that only such a file has.
func (f *format) count(lines []string) (n int) {
	for _, line := range lines {
		if f.line.MatchString(line) {
			n++
		}
	}
	return n
}
