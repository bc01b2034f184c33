package schema

import (
	"fmt"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// Hex is n hexadecimal digits.
func Hex(n int) Kind[string] {
	expect := fmt.Sprintf("%d hexadecimal digits", n)
	return Kind[string]{expect, func(r *reader) (string, bool) {
		w, ok := r.word(expect)
		if ok && (len(w.Text) != n || strings.Trim(w.Text, "0123456789abcdefABCDEF") != "") {
			r.invalid(w, expect, expect)
			return "", false
		}
		return w.Text, ok
	}}
}

// Domain is a DNS name.
var Domain = Kind[string]{"a domain name", func(r *reader) (string, bool) {
	w, ok := r.word("a domain name")
	if ok && w.Text != "." && (strings.HasPrefix(w.Text, ".") || strings.Contains(w.Text, "..")) {
		r.invalid(w, "a domain name: a label is empty", "a name, as www.example.com")
		return "", false
	}
	return w.Text, ok
}}

// ChoiceList is one or more of the words.
func ChoiceList(words ...string) Kind[[]string] {
	one := Choice(words...)
	return Kind[[]string]{"some of " + strings.Join(words, ", "), func(r *reader) (list []string, ok bool) {
		for ok = true; ok && (list == nil || len(r.rest) > 0); {
			var w string
			w, ok = one.read(r)
			list = append(list, w)
		}
		return list, ok
	}}
}

// StatusCodes is one or more HTTP status codes or ranges of them.
var StatusCodes = Kind[[]ir.StatusRange]{"100..599 or ranges, as 200-299", func(r *reader) (list []ir.StatusRange, ok bool) {
	for list == nil || len(r.rest) > 0 {
		w, ok := r.word("a status code")
		if !ok {
			return nil, false
		}
		codes, ok := r.statusRange(w)
		if !ok {
			return nil, false
		}
		list = append(list, codes)
	}
	return list, true
}}

// statusRange reads a status code, or the first and last of a range.
func (r *reader) statusRange(w grammar.Word) (ir.StatusRange, bool) {
	const expect = "100..599 or a range, as 200-299"
	text := r.number(w)
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	first, err := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err == nil && err2 == nil && first >= 100 && last <= 599 && first <= last {
		return ir.StatusRange{First: first, Last: last}, true
	}
	if !ranged && isNumber(text) {
		r.outside(w, "100", "599", expect)
		return ir.StatusRange{}, false
	}
	d := diag.Diagnostic{Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value, Message: r.quote(w) + " is not a status code or a range", Span: w.Span, Label: "expected " + expect}
	switch list := strings.ReplaceAll(text, ",", " "); {
	case len(text) == 3 && strings.EqualFold(text[1:], "xx") && text[0] >= '1' && text[0] <= '5':
		all := text[:1] + "00-" + text[:1] + "99"
		d.Label, d.Fixes = "expected "+all, []diag.Fix{replace(w.Span, all)}
	case list != text && isNumber(strings.ReplaceAll(list, " ", "")):
		d.Label, d.Fixes = "separate codes with blanks", []diag.Fix{replace(w.Span, list)}
	}
	r.fail(d)
	return ir.StatusRange{}, false
}

// Octets is bytes in hexadecimal, with or without blanks between them.
var Octets = Kind[ir.Octets]{"bytes in hex", func(r *reader) (ir.Octets, bool) {
	if len(r.rest) == 0 {
		r.missingValue("bytes in hex")
		return nil, false
	}
	value, _, ok := r.octets("")
	return value, ok
}}

// Reply is the bytes of an answer, or nothing, which accepts any answer.
var Reply = Kind[*ir.Reply]{"[bytes in hex, x for any digit]", func(r *reader) (*ir.Reply, bool) {
	value, mask, ok := r.octets("xX")
	return &ir.Reply{Value: value, Mask: mask}, ok
}}

// octets reads the rest of the line as bytes in hexadecimal. Bits under a wildcard are 0 in both the value and the
// mask.
func (r *reader) octets(wildcards string) (value, mask ir.Octets, ok bool) {
	for w, more := r.optional(); more; w, more = r.optional() {
		r.halfOctet(w)
		for text := w.Text; text != ""; {
			n := min(2, len(text))
			var v, m byte
			for _, c := range []byte(text[:n]) {
				d := strings.IndexByte("0123456789abcdef", c|0x20)
				switch {
				case d >= 0 && (c >= 'A' || c <= '9'):
					v, m = v<<4|byte(d), m<<4|0xf
				case strings.IndexByte(wildcards, c) >= 0:
					v, m = v<<4, m<<4
				default:
					r.invalid(w, "a row of bytes in hex", "hexadecimal digits")
					return nil, nil, false
				}
			}
			value, mask, text = append(value, v), append(mask, m), text[n:]
		}
	}
	return value, mask, true
}

// halfOctet reports a row of hexadecimal digits that is not a whole number of bytes.
func (r *reader) halfOctet(w grammar.Word) {
	if len(w.Text)%2 == 0 {
		return
	}
	r.report(diag.Diagnostic{
		Rule: "half-byte", Severity: diag.Warning,
		Message: fmt.Sprintf("%s has %d digits: two make a byte", r.key.Word, len(w.Text)),
		Span:    w.Span,
		Label:   "one is missing or too many",
	})
}

// Pattern is a regular expression, which has its own rules for quotes and escapes.
var Pattern = Kind[string]{"a regular expression", func(r *reader) (string, bool) {
	r.quotes = true
	w, ok := r.word("a regular expression")
	if !ok {
		return "", false
	}
	words, err := grammar.SplitEscaped(r.stmt.Rest())
	if err != nil || len(words) != 1 {
		w.Text = r.stmt.Rest()
		r.invalid(w, "one word", "a regular expression in quotes")
		return "", false
	}
	r.rest = nil
	return words[0], true
}}

// Sizes is the initial and the maximum size of something that grows.
var Sizes = Kind[ir.Sizes]{"the first and the largest size", func(r *reader) (s ir.Sizes, ok bool) {
	size := Int[int](0, 1<<32-1)
	if s.Start, ok = size.read(r); ok {
		s.Max, ok = size.read(r)
	}
	return s, ok
}}

// Reference is the name of a block defined elsewhere in the file.
var Reference = Kind[ir.Name]{Name.Expect, func(r *reader) (ir.Name, bool) {
	w, ok := r.word(Name.Expect)
	return ir.Name{Text: w.Text, Span: w.Span}, ok
}}

// list turns one value into a list of one.
func list[V any](k Kind[V]) Kind[[]V] { return as(k, func(v V) []V { return []V{v} }) }

// pointer turns a value that may be absent into a pointer.
func pointer[V any](v V) *V { return &v }
