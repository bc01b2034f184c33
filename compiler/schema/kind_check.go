package schema

import (
	"fmt"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
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

// StatusCodes is one or more codes of HTTP, or ranges of them.
var StatusCodes = Kind[[]ir.StatusRange]{"100..599 or ranges, as 200-299", func(r *reader) (list []ir.StatusRange, ok bool) {
	for list == nil || len(r.rest) > 0 {
		w, ok := r.word("a status code")
		if !ok {
			return nil, false
		}
		from, to, ranged := strings.Cut(w.Text, "-")
		if !ranged {
			to = from
		}
		first, ok1 := r.int(grammar.Word{Text: from, Span: w.Span}, 100, 599, "a status code")
		if !ok1 {
			return nil, false
		}
		last, ok2 := r.int(grammar.Word{Text: to, Span: w.Span}, first, 599, "a status code")
		if !ok2 {
			return nil, false
		}
		list = append(list, ir.StatusRange{First: int(first), Last: int(last)})
	}
	return list, true
}}

// Octets is bytes in hexadecimal, with or without blanks between them.
var Octets = Kind[ir.Octets]{"bytes in hex", func(r *reader) (ir.Octets, bool) {
	if len(r.rest) == 0 {
		r.missingValue("bytes in hex")
		return nil, false
	}
	value, _, ok := r.octets("")
	return value, ok
}}

// Reply is the bytes of an answer, or nothing for any answer.
var Reply = Kind[*ir.Reply]{"[bytes in hex, x for any digit]", func(r *reader) (*ir.Reply, bool) {
	value, mask, ok := r.octets("xX")
	return &ir.Reply{Value: value, Mask: mask}, ok
}}

// octets reads the rest of the line as bytes in hexadecimal. Bits that a wildcard leaves open are 0 in the value and the mask.
func (r *reader) octets(wildcards string) (value, mask ir.Octets, ok bool) {
	for w, more := r.optional(); more; w, more = r.optional() {
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

// Pattern is a regular expression, which has quotes and escapes of its own.
var Pattern = Kind[string]{"a regular expression", func(r *reader) (string, bool) {
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

// Sizes is the first and the largest size of something that grows.
var Sizes = Kind[ir.Sizes]{"the first and the largest size", func(r *reader) (s ir.Sizes, ok bool) {
	size := Int[int](0, 1<<32-1)
	if s.Start, ok = size.read(r); ok {
		s.Max, ok = size.read(r)
	}
	return s, ok
}}

// Reference is the name of a block elsewhere in the file.
var Reference = Kind[ir.Name]{Name.Expect, func(r *reader) (ir.Name, bool) {
	w, ok := r.word(Name.Expect)
	return ir.Name{Text: w.Text, Span: w.Span}, ok
}}

// list turns one value into a list of one.
func list[V any](k Kind[V]) Kind[[]V] { return as(k, func(v V) []V { return []V{v} }) }

// pointer turns a value that may be absent into a pointer.
func pointer[V any](v V) *V { return &v }
