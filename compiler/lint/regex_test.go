package lint

import (
	"errors"
	"os/exec"
	"testing"

	"keepc/compiler/ir"
)

// TestUncompilable compares the judgement of regular expressions with PCRE2 itself (grep -P): nothing is refused that
// PCRE2 compiles.
func TestUncompilable(t *testing.T) {
	_, err := exec.LookPath("grep")
	oracle := err == nil && compiles(t, "a")
	if !oracle {
		t.Log("no grep -P here: only what is written in the table is held")
	}
	for pattern, want := range map[string]string{
		`(ok`:            `a ")" is missing`,
		`(a|(b)`:         `a ")" is missing`,
		`ok)`:            `a ")" closes nothing`,
		`[a-z`:           `a "]" is missing`,
		`[]`:             `a "]" is missing`,
		`[z-a]`:          "a range in [ ] ends before it begins",
		`*ok`:            "there is nothing to repeat",
		`a|+b`:           "there is nothing to repeat",
		`(?:+)`:          "there is nothing to repeat",
		`a{3,2}`:         "a repetition ends before it begins",
		`ok\`:            "a backslash ends it",
		`(?#no end`:      "a comment has no end",
		`a**`:            "", // PCRE2 refuses it, but not a++
		`(?<=a*)b`:       "", // only PCRE2 refuses it
		`^*a`:            "",
		`\b+a`:           "",
		`a{2}{3}`:        "",
		`[\d-z]`:         "",
		`\1`:             "",
		`[[:nonsense:]]`: "",
	} {
		if got := uncompilable(ir.Regex{Pattern: pattern}); got != want {
			t.Errorf("%s: got %q, want %q", pattern, got, want)
		}
		if oracle && compiles(t, pattern) {
			t.Errorf("%s: PCRE2 compiles it", pattern)
		}
	}
	for _, pattern := range []string{
		`^ok$`, `(?i)ok`, `a+?b`, `a++b`, `a*+`, `a?+`, `a{2}+`, `a{,3}`, `a{`, `a{x}`, `{`, `}`, `]`, `[]a]`, `[^]a]`, `[a\]b]`, `[a-]`, `[-a]`, `[[a]`,
		`(?>a+)b`, `(a)\1`, `(?<n>a)\k<n>`, `(?<n>a)\k{n}`, `(?'n'a)\k'n'`, `(?P<n>a)(?P=n)`, `(?P<n>a)(?P>n)`, `(a)\g1\g{-1}`, `(a(?1)?b)`, `(?R)?a`, `(?&n)(?<n>a)`,
		`(?|(a)|(b))`, `(?(DEFINE)(?<n>a))(?&n)`, `(?(1)a|b)(c)`, `(?=a)*b`, `(?!a)b`, `(?<=a|bc)d`, `\Q(\E`, `\Qa[\E]`, `a\Kb`, `\h\H\R\X\N\v`, `\x{41}`, `\o{101}`, `\x4`,
		`\cA`, `\e`, `\011`, `\11`, `\p{L}`, `\pL`, `\p{Greek}`, `\P{^Lu}`, `[[:alpha:](]`, `[^[:space:]()]+`, `[[:^digit:]]`, `[[:<:]]a`, `(*SKIP)a`, `(*UTF)a`, `a(*ACCEPT)b`, `(*atomic:a)`,
		`(?C1)a`, `(?#a comment)b`, `(?x) a # (`, `(?xx)[a b]`, `(?^)a`, `(?U)a+`, `(?J)a`, `(?s-i:a)`, `a{0}`, `()`, `|`, `a||b`, `(|a)`, `[a&&b]`, `[a-z-[aeiou]]`, `[\w-]`, `[\Qa]\E]`, `[\b]`, `\A\z\Z\G`,
		`IBM.*up`, `BUILD: rpm-.{3,50} :: DATE: ../../.... .{12}`, `\/\-\"\<`, "a\tb", "caf\xc3\xa9",
	} {
		if oracle && !compiles(t, pattern) {
			t.Errorf("%s: PCRE2 does not compile it: it belongs above", pattern)
		}
		if why := uncompilable(ir.Regex{Pattern: pattern}); why != "" {
			t.Errorf("%s: %s", pattern, why)
		}
	}
	if why := uncompilable(ir.Regex{Pattern: "a # (", Options: []string{"extended"}}); why != "" {
		t.Error("a comment of extended:", why)
	}
}

// compiles asks PCRE2.
func compiles(t *testing.T, pattern string) bool {
	t.Helper()
	err := exec.Command("grep", "-qP", "-e", pattern, "/dev/null").Run()
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 1 // nothing matches
}
