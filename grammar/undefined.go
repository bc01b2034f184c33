package grammar

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// An undefined is a reference without a definition before it.
type undefined struct {
	reference
	at source.Span
}

// maxIDs is how many ids a message names.
const maxIDs = 20

// maxUndefined is the number of them that are kept.
const maxUndefined = 1000

// notDefined records a reference to an undefined name. The reference implementation leaves it as it is, which is
// harmless between quotes, and for $NAME within a word, where it may be meant; ${NAME} is cut at its braces.
func (e *expander) notDefined(l *line, ref reference, at source.Span) {
	inQuote := strings.Count(l.text[:ref.from], `"`)%2 == 1
	ownWord := ref.from == 0 || isBlank(l.text[ref.from-1])
	if !inQuote && (ref.braces || ownWord) && !e.seen[place{"bare-reference", at.Source.Name, at.Start}] && len(e.undefined) < maxUndefined && !e.reported("undefined-reference", at) {
		e.undefined = append(e.undefined, undefined{ref, at})
	}
}

// finish reports what is known only at the end of the text.
func (e *expander) finish() {
	for _, head := range e.heads {
		e.conditionOnBlock(head)
	}
	names := slices.Sorted(maps.Keys(e.defs))
	for _, ref := range e.undefined {
		e.undefinedReference(ref, names)
	}
	e.undefined = nil
	for _, name := range names {
		for _, l := range e.defs[name].lines {
			e.mention(l.text)
		}
	}
	for _, name := range names {
		if d := e.defs[name]; !d.used && !e.mentioned[name] && !d.at.IsZero() && name[0] != '_' {
			e.report(diag.Diagnostic{
				Rule: "unused-definition", Severity: diag.Info, Message: fmt.Sprintf("$%s is not used", name),
				Span: d.at, Label: "nothing refers to it",
			})
		}
	}
	e.defs = nil
}

func (e *expander) unsetVariable(ref reference, at source.Span) {
	e.report(diag.Diagnostic{
		Rule: "unset-variable", Severity: diag.Info, Message: fmt.Sprintf("the environment has no %s", ref.params),
		Span: at, Label: "replaced by nothing",
		Help: "set it for keepc as it is set for keepalived", Spoils: empties(at),
	})
}

func (e *expander) unreadVariable(ref reference, at source.Span) {
	e.report(diag.Diagnostic{
		Rule: "unread-variable", Severity: diag.Info, Message: fmt.Sprintf("%s of the environment is not read", ref.params),
		Span: at, Label: "replaced by nothing here",
		Help: "--allow-env reads the environment of keepc", Spoils: empties(at),
	})
}

// empties returns what a reference spoils that is replaced by nothing: its value, and the end of the line before it.
func empties(at source.Span) []diag.Spoil {
	return append(garbles(at), diag.Spoil{Span: diag.LineTo(at), Kinds: diag.Missing})
}

// garbles returns what a wrong part of a word spoils: the word.
func garbles(at source.Span) []diag.Spoil {
	return []diag.Spoil{{Span: at, Kinds: diag.Value | diag.Word}}
}

func (e *expander) undefinedReference(ref undefined, names []string) {
	d := diag.Diagnostic{
		Rule: "undefined-reference", Severity: diag.Warning, Message: fmt.Sprintf("$%s is not defined", ref.name),
		Span: ref.at, Label: "keepalived leaves it as it is, without a message",
		Kind: diag.Reference, Spoils: garbles(ref.at), AsBad: true,
	}
	if ref.braces {
		d.Severity = diag.Error
		d.Label = "keepalived leaves it as it is and takes its braces for those of a block"
	}
	if def := e.defs[ref.name]; def != nil && ref.params == "" {
		d.Message = fmt.Sprintf("$%s is used before it is defined", ref.name)
		d.Notes = []diag.Note{{Message: "its definition comes later", Span: def.at}}
		d.Help = "move the definition up"
	} else if at, ok := e.others[ref.name]; ok {
		d.Message = fmt.Sprintf("$%s is not defined for the id %q", ref.name, e.opts.ID)
		d.Notes = []diag.Note{{Message: "only other hosts have this definition", Span: at}}
		if n := len(e.ids); n > 0 && n <= maxIDs && !e.ids[e.opts.ID] { // the file is for other hosts
			d.Help, e.ids = "check with --id "+strings.Join(slices.Sorted(maps.Keys(e.ids)), " --id "), nil // only once
		}
	} else if best, sure := diag.SuggestName(ref.name, names); sure {
		d.Help = fmt.Sprintf("did you mean $%s?", best)
	}
	e.record.add(d)
}

// bareReference reports a $NAME of a definition that stays as it is, because the reference implementation replaces it
// only before a blank and the like.
func (e *expander) bareReference(l line, ref reference) {
	d := e.defs[ref.name]
	if d == nil || ref.braces || l.text[ref.to] == '=' && strings.Trim(l.text[:ref.from], " \t") == "" {
		return // nothing, or a definition within the lines of another one
	}
	d.used = true
	at := l.span(ref.from, ref.to)
	if !e.first("bare-reference", diag.Warning, at) {
		return
	}
	next := strconv.Quote(l.text[ref.to : ref.to+1])
	if l.text[ref.to] == '"' {
		next = "a quote"
	}
	e.record.add(diag.Diagnostic{
		Rule: "bare-reference", Severity: diag.Warning, Message: fmt.Sprintf("$%s is not replaced in front of %s", ref.name, next),
		Span: at, Label: fmt.Sprintf("write ${%s}", ref.name), Spoils: garbles(at), AsBad: true,
		Fixes: []diag.Fix{{Title: "put the name in braces", Edits: []diag.Edit{{Span: at, Text: "${" + ref.name + "}"}}}},
	})
}
