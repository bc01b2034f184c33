package schema

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Script is a command and the user who runs it.
var Script = Kind[ir.Command]{`"program arguments" [user [group]]`, func(r *reader) (ir.Command, bool) {
	c, ok := r.command()
	if !ok || len(r.rest) == 0 {
		return c, ok
	}
	if w := r.rest[0]; !r.literal && (noUser(w.Text) || len(r.rest) > 2) {
		r.looseArguments(fmt.Sprintf("%s is taken for the user that runs the script", r.quote(w)))
		return c, true
	}
	if r.rest[0].Text == userBackup {
		d := r.loose(`"backup" is taken for the user that runs the script`)
		d.Severity = diag.Warning // a user may be meant
		r.report(d)
	}
	c.User, ok = Account.read(r)
	r.commands[len(r.commands)-1].User = c.User
	return c, ok
}}

// noUser reports whether a word after a command is more likely an argument than a user.
func noUser(word string) bool {
	switch strings.ToLower(word) {
	case "primary", "master", "slave", "up", "down", "fault", "start", "stop":
		return true
	case userBackup:
		return word != userBackup // in lower case it may be meant as a user
	}
	return isNumber(word) || strings.HasPrefix(word, "-") || strings.ContainsAny(word, "/:=,@%&|><;()*?")
}

// userBackup is a user that Debian and other distributions have, and a word that scripts get as an argument.
const userBackup = "backup"

// Program is a command without a user.
var Program = Kind[ir.Command]{`"program arguments"`, func(r *reader) (ir.Command, bool) {
	c, ok := r.command()
	if ok && len(r.rest) > 0 {
		r.looseArguments(fmt.Sprintf("%s is not an argument of the script and is dropped", r.quoteAll(r.rest)))
	}
	return c, ok
}}

// command reads a program with its arguments. Scripts have their own rules for quotes and escapes, and only the first
// word is the command: its arguments are in the same quotes.
func (r *reader) command() (ir.Command, bool) {
	r.quotes = true
	w, ok := r.word("a program, with its arguments in quotes")
	if !ok {
		return ir.Command{}, false
	}
	argv, more, err := grammar.SplitScript(r.stmt.Rest())
	if err != nil && strings.Count(r.stmt.Rest(), `"`)%2 == 1 {
		r.rest = nil
		return ir.Command{}, false // a quote without a partner is reported already
	}
	if err != nil {
		r.invalid(w, "a command: "+err.Error(), `"program arguments"`)
		return ir.Command{}, false
	}
	if len(argv) == 0 || argv[0] == "" {
		r.invalid(w, "a command: it is empty", `"program arguments"`)
		return ir.Command{}, false
	}
	r.rest = behind(r.rest, more)
	c := ir.Command{Origin: ir.Origin{Stmt: r.stmt}, Args: argv}
	r.commands = append(r.commands, &c)
	return c, true
}

// behind returns the last of some words: those that remain after the command when the quotes of scripts, which join
// words, are applied.
func behind(rest []grammar.Word, more []string) []grammar.Word {
	from := max(0, len(rest)-len(more))
	if len(more) > 0 && len(rest) > 0 && rest[from].Text != more[0] {
		if i := slices.IndexFunc(rest, func(w grammar.Word) bool { return w.Text == more[0] }); i >= 0 {
			from = i
		}
	}
	return rest[from:]
}

// looseArguments reports arguments of a script that are outside the quotes.
func (r *reader) looseArguments(message string) {
	if slices.ContainsFunc(r.stmt.Args(), func(w grammar.Word) bool { return strings.ContainsAny(w.Text, quotes) }) {
		r.rest = nil // typographic quotes do not quote, and are reported already
		return
	}
	r.fail(r.loose(message))
}

// loose is the finding about the remaining words of a script.
func (r *reader) loose(message string) diag.Diagnostic {
	d := diag.Diagnostic{
		Rule: "script-arguments", Severity: diag.Error,
		Message: message,
		Span:    r.rest[0].Span.To(r.rest[len(r.rest)-1].Span),
		Label:   "only the first word is the command",
		Help:    "put the command and its arguments in double quotes",
	}
	if rest := r.stmt.Rest(); !strings.ContainsAny(rest, `"'\\`) {
		all := r.stmt.Words[1].Span.To(d.Span)
		if all.Text() == rest {
			begin, end := all.Source.Span(int(all.Start), int(all.Start)), all.Source.Span(int(all.End), int(all.End))
			d.Fixes = []diag.Fix{{Title: "add the quotes", Edits: []diag.Edit{{Span: begin, Text: `"`}, {Span: end, Text: `"`}}}}
		}
	}
	return d
}

// Account is a user and a group.
var Account = Kind[ir.User]{"a user [and a group]", func(r *reader) (u ir.User, ok bool) {
	w, ok := r.word("a user")
	if !ok {
		return u, false
	}
	if user, group, cut := strings.Cut(w.Text, ":"); cut {
		d := diag.Diagnostic{
			Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
			Message: r.quote(w) + " is not a user",
			Span:    w.Span,
			Label:   fmt.Sprintf("expected %s %s: user and group are two words", user, group),
		}
		r.fail(d)
		return u, false
	}
	r.ended(w)
	u.Name = w.Text
	if w, ok := r.optional(); ok {
		if w.Text == ":" && (r.version == "" || !Older(newestKnown, r.version)) {
			r.fail(diag.Diagnostic{
				Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
				Message: `":" is not a group`,
				Span:    w.Span,
				Label:   "expected a group, or nothing: keepalived " + newestKnown + " and older refuse the user",
			})
			return u, false
		}
		r.ended(w)
		u.Group = w.Text
	}
	return u, true
}}

// newestKnown is the newest keepalived whose reading is known here.
const newestKnown = "2.4.3"

// FIFO is the path of a named pipe and who owns it.
var FIFO = Kind[ir.FIFO]{"a path [user [group]]", func(r *reader) (f ir.FIFO, ok bool) {
	f.Path, ok = Path.read(r)
	if ok && len(r.rest) > 0 {
		f.User, ok = Account.read(r)
	}
	return f, ok
}}

// Weighted is what a tracker adds to a priority, and whether its result is reversed.
func Weighted(lo, hi int64) Kind[ir.Weight] {
	number := Int[int](lo, hi)
	return Kind[ir.Weight]{number.Expect + " [reverse]", func(r *reader) (w ir.Weight, ok bool) {
		if w.N, ok = number.read(r); !ok {
			return w, false
		}
		switch r.peek() {
		case "reverse":
			w.Reverse = true
			r.optional()
		case "noreverse":
			r.optional()
		}
		return w, true
	}}
}

// Password is the password of VRRP version 2; packets carry eight bytes of it.
var Password = Kind[ir.Secret]{"a word of at most 8 bytes", func(r *reader) (ir.Secret, bool) {
	w, ok := r.word("a word of at most 8 bytes")
	if !ok {
		return ir.Secret{}, false
	}
	r.secrets = append(r.secrets, w.Span)
	if w.Text == "" {
		r.fail(diag.Diagnostic{
			Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
			Message: r.key.Word + " is empty",
			Span:    w.Span,
			Label:   "expected a word of at most 8 bytes",
		})
		return ir.Secret{}, false
	}
	if commented(w) {
		r.report(diag.Diagnostic{
			Rule: "password-cut", Severity: diag.Error, Kind: diag.Value,
			Spoils:  []diag.Spoil{{Span: w.Span.Source.Span(int(w.Span.End), int(w.Span.End)), Kinds: diag.Comment}},
			Message: r.key.Word + " ends where a comment begins",
			Span:    w.Span,
			Label:   "the rest is a comment",
			Help:    "put the password in double quotes, which is all that saves # and !",
		})
	}
	if len(w.Text) > 8 {
		r.report(diag.Diagnostic{
			Rule: "password-cut", Severity: diag.Error, Kind: diag.Value,
			Message: r.key.Word + " is longer than 8 bytes",
			Span:    w.Span,
			Label:   "only the first 8 count",
			Notes:   []diag.Note{{Message: "a router that is told another ending of the same beginning is let in"}},
			Help:    "write 8 bytes or fewer",
		})
		w.Text = w.Text[:8]
	}
	return ir.NewSecret(w.Text), true
}}

// commented reports whether a comment begins directly after a word, which then was meant to be longer.
func commented(w grammar.Word) bool {
	if w.Text == "" || w.Span.IsZero() || w.Span.Text() != w.Text {
		return false
	}
	text, end := w.Span.Source.Text, int(w.Span.End)
	return end < len(text) && (text[end] == '#' || text[end] == '!')
}

// Secret is a word that is never shown.
var Secret = Kind[ir.Secret]{"a word", func(r *reader) (ir.Secret, bool) {
	w, ok := r.word("a word")
	if ok {
		r.secrets = append(r.secrets, w.Span)
	}
	return ir.NewSecret(w.Text), ok
}}
