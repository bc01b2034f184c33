// Package pcre searches answers of servers for PCRE2 regular expressions, as keepalived does. regexp2 does the work:
// it backtracks as PCRE2 does. Patterns that the two read in different ways are translated; those that cannot be
// translated are refused.
package pcre

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"keepc/compiler/ir"
)

// limit is how long a search may take: some expressions take forever on some answers.
const limit = 2 * time.Second

// A Regex is a compiled regular expression.
type Regex struct {
	compiled  *regexp2.Regexp
	utf       bool // text is UTF-8; otherwise each byte is a character
	firstLine bool // a match must begin in the first line
	min, end  int  // in bytes, as in ir.Regex
}

// Compile compiles a regular expression of a file. An error says what is wrong with it or not supported.
func Compile(r ir.Regex) (*Regex, error) {
	x := &Regex{min: r.MinOffset, end: r.EndOffset}
	options, endOnly := regexp2.RegexOptions(regexp2.RE2), false
	for _, o := range r.Options {
		switch o {
		case "caseless":
			options |= regexp2.IgnoreCase
		case "multiline":
			options |= regexp2.Multiline
		case "dotall":
			options |= regexp2.Singleline
		case "extended":
			options |= regexp2.IgnorePatternWhitespace
		case "no_auto_capture":
			options |= regexp2.ExplicitCapture
		case "dollar_endonly":
			endOnly = true
		case "firstline":
			x.firstLine = true
		case "utf":
			x.utf = true
		case "ungreedy", "dupnames", "auto_callout", "never_backslash_c", "never_ucp", "never_utf", "no_auto_possess", "no_dotstar_anchor",
			"no_start_optimize", "use_offset_limit": // these change how a match is found or what it spans, and not whether there is one
		default:
			return nil, fmt.Errorf("the option %s is not known here", o)
		}
	}
	if x.utf && !utf8.ValidString(r.Pattern) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	t := translator{in: x.characters([]byte(r.Pattern)), end: atEnd}
	if endOnly {
		t.end = `\z`
	} else if options&regexp2.Multiline != 0 {
		t.end = `$`
	}
	t.extended = options&regexp2.IgnorePatternWhitespace != 0
	pattern, err := t.translate()
	if err != nil {
		return nil, err
	}
	x.compiled, err = regexp2.Compile(pattern, options)
	if err != nil {
		return nil, err
	}
	x.compiled.MatchTimeout = limit
	return x, nil
}

// Match reports whether a text matches, from its first offset on. It returns an error if the search took too long.
func (x *Regex) Match(text []byte) (bool, error) {
	if x.min > len(text) || x.utf && !utf8.Valid(text) {
		return false, nil
	}
	from, end := x.min, x.end
	if x.utf {
		from = utf8.RuneCount(text[:min(from, len(text))])
		end = utf8.RuneCount(text[:min(end, len(text))])
	}
	characters := x.characters(text)
	m, err := x.compiled.FindRunesMatchStartingAt(characters, from)
	if err != nil {
		return false, fmt.Errorf("the regex takes more than %v", limit)
	}
	if m == nil || x.end > 0 && m.Index >= end {
		return false, nil
	}
	if line := slices.Index(characters, '\n'); x.firstLine && line >= 0 && m.Index > line {
		return false, nil
	}
	return true, nil
}

// characters returns the characters of a text.
func (x *Regex) characters(text []byte) []rune {
	if x.utf {
		return []rune(string(text))
	}
	all := make([]rune, len(text))
	for i, b := range text {
		all[i] = rune(b)
	}
	return all
}
