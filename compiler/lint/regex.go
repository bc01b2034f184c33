package lint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/dlclark/regexp2/syntax"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

func regexRules() []Rule {
	return []Rule{
		{
			Name: "invalid-regex", Severity: diag.Error, Loss: diag.Keeps,
			Service: func(p *pass, v service) {
				for u := range v.pages {
					if why := uncompilable(u.Regex); why != "" {
						p.report(u.At("regex"), "the regular expression does not compile: "+why, "dropped")
					}
				}
			},
		},
		{
			Name: "regex-offsets", Severity: diag.Error, Loss: diag.Keeps,
			Service: func(p *pass, v service) {
				for u := range v.pages {
					if u.Regex.EndOffset > 0 && u.Regex.MinOffset >= u.Regex.EndOffset {
						d := p.report(u.At("regex_min_offset"), fmt.Sprintf("regex_min_offset %d is above regex_max_offset %d", u.Regex.MinOffset, u.Regex.EndOffset-1), "never matches")
						d.Notes = note(u.At("regex_max_offset"), "the other end")
					}
				}
			},
		},
	}
}

// uncompilable says why PCRE2 does not compile a regular expression; empty: it may. The parser knows a different
// dialect, so only those of its objections count that PCRE2 shares, and none if it would read on in the wrong place.
func uncompilable(r ir.Regex) string {
	if r.Pattern == "" || dialect.MatchString(r.Pattern) || slices.ContainsFunc(r.Options, func(o string) bool { return o == "allow_empty_class" || o == "alt_bsux" }) {
		return ""
	}
	var options syntax.RegexOptions
	if slices.Contains(r.Options, "extended") {
		options |= syntax.IgnorePatternWhitespace
	}
	_, err := syntax.Parse(r.Pattern, options)
	var objection *syntax.Error
	if !errors.As(err, &objection) {
		return ""
	}
	return map[syntax.ErrorCode]string{
		syntax.ErrMissingParen:          `a ")" is missing`,
		syntax.ErrUnexpectedParen:       `a ")" closes nothing`,
		syntax.ErrUnterminatedBracket:   `a "]" is missing`,
		syntax.ErrReversedCharRange:     "a range in [ ] ends before it begins",
		syntax.ErrMissingRepeatArgument: "there is nothing to repeat",
		syntax.ErrInvalidRepeatSize:     "a repetition ends before it begins",
		syntax.ErrIllegalEndEscape:      "a backslash ends it",
		syntax.ErrUnterminatedComment:   "a comment has no end",
	}[objection.Code]
}

// dialect finds bracket constructs that only PCRE2 has: literal text, verbs, POSIX classes.
var dialect = regexp.MustCompile(`\\Q|\(\*|\[[:.=]`)
