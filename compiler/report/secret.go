package report

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"

	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// Hide returns a line without its secrets.
func Hide(line string) string { return hideParts(line, secretParts(line)) }

// HideArgs returns the words of a command without its secrets; their number does not change.
func HideArgs(args []string) []string {
	parts := secretParts(strings.Join(args, " "))
	if len(parts) == 0 {
		return args
	}
	shown, at := make([]string, len(args)), 0
	for i, arg := range args {
		var here []part
		for _, p := range parts {
			if from, to := max(p.from-at, 0), min(p.to-at, len(arg)); from < to {
				if !strings.ContainsAny(arg[:from], " \t?") && !strings.Contains(arg[:from], "://") {
					to = len(arg) // it is one value, whatever is in it; a shell or an address has others behind it
				}
				here = join(here, part{from, to})
			}
		}
		shown[i] = hideParts(arg, here)
		at += len(arg) + 1
	}
	return shown
}

func hideParts(line string, parts []part) string {
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(b.from, a.from) })
	for _, p := range parts {
		line = line[:p.from] + hidden + line[p.to:]
	}
	return line
}

// HideLines returns the lines of a text, each with its end, without their secrets: those found by the words of a line,
// those at the given places of a text with this name and these bytes, and the definitions that such lines refer to.
func HideLines(name string, text []byte, places []source.Span) []string {
	var here []source.Span
	for _, s := range places {
		if s.Source.Name == name && bytes.Equal(s.Source.Text, text) {
			here = append(here, s)
		}
	}
	slices.SortFunc(here, func(a, b source.Span) int { return cmp.Compare(a.Start, b.Start) })
	lines := strings.SplitAfter(string(text), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	parts := make([][]part, len(lines))
	defined := map[string]bool{} // the names of definitions that hold secrets
	for i, at := 0, 0; i < len(lines); i++ {
		line := strings.TrimRight(lines[i], "\r\n")
		parts[i] = secretParts(line)
		for ; len(here) > 0 && int(here[0].Start) < at+len(lines[i]); here = here[1:] {
			parts[i] = join(parts[i], part{int(here[0].Start) - at, min(int(here[0].End)-at, len(line))})
		}
		for _, p := range parts[i] {
			for _, m := range reference.FindAllStringSubmatch(line[p.from:p.to], -1) {
				defined[m[1]] = true
			}
		}
		at += len(lines[i])
	}
	for i, line := range lines {
		if m := definition.FindStringSubmatchIndex(line); m != nil && defined[line[m[2]:m[3]]] {
			parts[i] = join(parts[i], part{m[4], m[5]})
		}
		lines[i] = hideParts(line, parts[i])
	}
	return lines
}

var (
	reference  = regexp.MustCompile(`\$\{?(\w+)`)
	definition = regexp.MustCompile(`^\s*(?:@\S+\s+)?\$(\w+)[ \t]*=[ \t]*([^\r\n]+)`)
)

// hideWords joins words, without those that are secret by their place or by the words before them.
func hideWords(words []grammar.Word, secret func(source.Span) bool) string {
	var texts []string
	for _, w := range words {
		if !secret(w.Span) {
			texts = append(texts, w.Text)
		} else if len(texts) == 0 || texts[len(texts)-1] != hidden {
			texts = append(texts, hidden)
		}
	}
	return Hide(strings.Join(texts, " "))
}

// hideStatement writes a statement in one line without its secrets.
func hideStatement(s *grammar.Stmt, secret func(source.Span) bool) string {
	if slices.ContainsFunc(s.Words, func(w grammar.Word) bool { return secret(w.Span) }) {
		return hideWords(s.Words, secret)
	}
	return Hide(s.String())
}

// secretPlaces returns a function that reports which places in a file are secret.
func secretPlaces(file *grammar.File) func(source.Span) bool {
	set := map[source.Span]bool{}
	for _, s := range schema.SecretWords(file.Stmts) {
		set[s] = true
	}
	return func(at source.Span) bool { return set[at] }
}

// secretParts finds what must not be shown in a line, only by its words: what follows a word that names a secret, up
// to the next brace, and passwords in commands and addresses. It also serves lines that could not be read, and hides
// too much rather than too little.
func secretParts(line string) (parts []part) {
	for at := 0; at < len(line); {
		end := len(line)
		if n := strings.IndexAny(line[at:], "{}"); n >= 0 {
			end = at + n
		}
		if p := afterSecretWord(line[:end], at); p.from < p.to {
			parts = append(parts, p)
		}
		at = end + 1
	}
	if !strings.ContainsAny(line, "=-:") {
		return parts
	}
	for _, form := range inCommand {
		for _, at := range form.FindAllStringSubmatchIndex(line, -1) {
			if p := (part{at[4], at[5]}); !isPort(line, p) {
				parts = join(parts, p)
			}
		}
	}
	return parts
}

// inCommand finds passwords in commands and addresses: password=X, ?token=X, -p X, //user:X@, curl -u user:X, mysql -pX, redis-cli -a X.
var inCommand = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(\b(?:token|secret|password|passwd|pass|api_?key|key)=|(?:^|[\s"'])(?:-p|--pass|--password)\s+)([^\s"'&;]+)`),
	regexp.MustCompile(`(://[^\s/:@]*:)([^\s/@]+)@`),
	regexp.MustCompile(`((?:^|\s)(?:-u|--user)[\s=]*[^\s:"']+:)([^\s"']+)`),
	regexp.MustCompile(`(\bmysql\w*\s(?:[^"']*\s)?)(-p[^\s"']+)`),
	regexp.MustCompile(`(\bredis-cli\s(?:[^"']*\s)?-a\s+)([^\s"']+)`),
}

// isPort reports whether a value in a command is more likely a port than a password: -p 80, or -u 192.0.2.1:80 of
// ipvsadm.
func isPort(line string, value part) bool {
	text, before, after := line[value.from:value.to], line[:value.from], line[value.to:]
	if len(text) > 5 || strings.Trim(text, "0123456789") != "" || !ended.MatchString(after) {
		return false
	}
	return portFlag.MatchString(before)
}

var (
	portFlag = regexp.MustCompile(`(?:^|[\s"'])-p\s+$|(?:^|[\s"'/])ipvsadm\s[^;&|]*-u[\s=]*[0-9.]+:$`)
	ended    = regexp.MustCompile(`^["';&|]*(?:\s|$)`) // the value does not go on
)

// afterSecretWord returns what follows the first word from a position on that names a secret. The secret may be in the
// word itself, as in auth_pass1234.
func afterSecretWord(line string, at int) part {
	for at < len(line) {
		at = len(line) - len(strings.TrimLeft(line[at:], wordEnds))
		end := len(line)
		if n := strings.IndexAny(line[at:], wordEnds); n >= 0 {
			end = at + n
		}
		next, _, _ := strings.Cut(strings.TrimLeft(line[end:], wordEnds), " ")
		if word := line[at:end]; schema.Secretive(word) && !schema.Leads(word, next) {
			if n := strings.IndexAny(word, "0123456789;:,"); strings.HasPrefix(word, "auth_pass") && n >= 0 {
				end = at + n
			}
			if number := strings.TrimLeft(line[end:], " \t"); word == "key" && schema.IsKeyNumber(next) && strings.HasPrefix(number, next+" ") {
				end = len(line) - len(number) + len(next)
			}
			return part{len(line) - len(strings.TrimLeft(line[end:], wordEnds)), len(strings.TrimRight(line, " \t"))}
		}
		at = end
	}
	return part{}
}

// wordEnds are the characters between words, and between the name and the value of a definition.
const wordEnds = " \t="
