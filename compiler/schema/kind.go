package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

// A Kind reads the words after a keyword as a V.
type Kind[V any] struct {
	Expect string                  // completes the sentence "expected …"; empty: no words
	read   func(*reader) (V, bool) // reports what is wrong and then returns false
}

// Flag is a keyword without a value; it means true.
var Flag = Kind[bool]{"", func(*reader) (bool, bool) { return true, true }}

// Not is a keyword without a value that undoes another one.
var Not = Kind[bool]{"", func(*reader) (bool, bool) { return false, true }}

// Bool is yes or no; the keyword alone means yes.
var Bool = Kind[bool]{"[on|off]", func(r *reader) (bool, bool) {
	w, ok := r.optional()
	if !ok {
		return true, true
	}
	switch w.Text {
	case "true", "on", "yes":
		return true, true
	case "false", "off", "no":
		return false, true
	}
	r.oneOf(w, []string{"on", "off", "true", "false", "yes", "no"})
	return false, false
}}

// String is any word.
var String = text("a word")

// Path is the name of a file or directory.
var Path = text("a path")

func text(expect string) Kind[string] {
	return Kind[string]{expect, func(r *reader) (string, bool) {
		w, ok := r.word(expect)
		r.ended(w)
		return w.Text, ok
	}}
}

// ended reports a word that ends in a semicolon, which becomes part of the word.
func (r *reader) ended(w grammar.Word) {
	bare := strings.TrimRight(w.Text, ";")
	if bare == w.Text || bare == "" || w.Span.Text() != w.Text || r.key.Secret {
		return
	}
	r.report(diag.Diagnostic{
		Rule: "stray-semicolon", Severity: diag.Warning, Kind: diag.Option,
		Message: "a semicolon does not end a line here",
		Span:    w.Span,
		Label:   "keepalived takes it for a part of the word",
		Fixes:   []diag.Fix{replace(w.Span, bare)},
	})
}

// listed reports a word of a list that ends in a comma or a semicolon.
func (r *reader) listed(w grammar.Word) {
	bare := strings.TrimRight(w.Text, ",")
	if bare == w.Text || bare == "" || w.Span.Text() != w.Text {
		r.ended(w)
		return
	}
	r.report(diag.Diagnostic{
		Rule: "stray-semicolon", Severity: diag.Warning, Kind: diag.Option,
		Message: "a comma does not end a value here",
		Span:    w.Span,
		Label:   "keepalived takes it for a part of the word",
		Fixes:   []diag.Fix{replace(w.Span, bare)},
	})
}

// Name is the name of a block, shown in messages.
var Name = text("a name")

// Short is a word of at most n bytes.
func Short(n int) Kind[string] {
	expect := fmt.Sprintf("a word of at most %d bytes", n)
	return Kind[string]{expect, func(r *reader) (string, bool) {
		w, ok := r.word(expect)
		if ok && len(w.Text) > n {
			r.invalid(w, expect, expect)
			return "", false
		}
		return w.Text, ok
	}}
}

// Interface is the name of a network interface.
var Interface = Kind[string]{"an interface name", func(r *reader) (string, bool) {
	w, ok := r.word("an interface name")
	if !ok || isInterface(w.Text) {
		return w.Text, ok
	}
	d := diag.Diagnostic{
		Rule: "invalid-value", Severity: diag.Error, Kind: diag.Value,
		Message: r.quote(w) + " is not an interface name",
		Span:    w.Span,
		Label:   "expected 1 to 15 bytes without a slash or blank",
	}
	switch bare := strings.Trim(w.Text, "',;<>()[]"); {
	case isAddr(strings.TrimRight(w.Text, "/0123456789")) || isAddr(w.Text):
		d.Label = "expected a name such as eth0, not an address"
	case bare != w.Text && isInterface(bare):
		d.Label = fmt.Sprintf("expected %s", bare)
		if !strings.ContainsAny(w.Text, "<>()[]") { // a name in brackets is a placeholder
			d.Fixes = r.bared(w, bare, isInterface)
		}
	case strings.Contains(bare, ","):
		d.Label = "expected one interface"
	case strings.Index(bare, "@") > 0:
		name, _, _ := strings.Cut(bare, "@")
		d.Label = fmt.Sprintf("expected %s: the name ends before the @ of ip link", name)
		d.Fixes = r.bared(w, name, isInterface)
	}
	r.fail(d)
	return "", false
}}

// isInterface reports whether an interface can have the name, unless the name looks like something else.
func isInterface(name string) bool {
	return len(name) > 0 && len(name) <= 15 && !strings.ContainsAny(name, "/ \t',;<>()[]@") && !isAddr(name)
}

// Words is one or more words.
func Words(expect string) Kind[[]string] {
	return Kind[[]string]{expect, func(r *reader) ([]string, bool) {
		w, ok := r.word(expect)
		if !ok {
			return nil, false
		}
		words := []string{w.Text}
		for w, ok := r.optional(); ok; w, ok = r.optional() {
			words = append(words, w.Text)
		}
		return words, true
	}}
}

// AnyWords is any number of words that keepc does not check, possibly none.
func AnyWords(expect string) Kind[[]string] {
	return Kind[[]string]{expect, func(r *reader) ([]string, bool) {
		var words []string
		for w, ok := r.optional(); ok; w, ok = r.optional() {
			words = append(words, w.Text)
		}
		return words, true
	}}
}

// Optional is a kind whose value may be left out.
func Optional[V any](k Kind[V], absent V) Kind[V] {
	return Kind[V]{"[" + k.Expect + "]", func(r *reader) (V, bool) {
		if len(r.rest) == 0 {
			return absent, true
		}
		return k.read(r)
	}}
}

// Choice is one of the words.
func Choice(words ...string) Kind[string] {
	expect := or(words)
	return Kind[string]{expect, func(r *reader) (string, bool) {
		w, ok := r.word(expect)
		if !ok {
			return "", false
		}
		for _, c := range words {
			if c == w.Text {
				return c, true
			}
		}
		r.oneOf(w, words)
		return "", false
	}}
}

// FoldedChoice is one of the words, in upper or lower case.
func FoldedChoice(words ...string) Kind[string] {
	strict := Choice(words...)
	return Kind[string]{strict.Expect, func(r *reader) (string, bool) {
		for _, c := range words {
			if strings.EqualFold(c, r.peek()) {
				r.optional()
				return c, true
			}
		}
		return strict.read(r)
	}}
}

// Enum is one of the values, written as their String, in the given order.
func Enum[V fmt.Stringer](values ...V) Kind[V] {
	var words []string
	for _, v := range values {
		words = append(words, v.String())
	}
	return as(Choice(words...), func(s string) V { return values[slices.Index(words, s)] })
}

// FoldedEnum is one of the values, written as their String in upper or lower case.
func FoldedEnum[V fmt.Stringer](values ...V) Kind[V] {
	var words []string
	for _, v := range values {
		words = append(words, strings.ToUpper(v.String()))
	}
	return as(FoldedChoice(words...), func(s string) V { return values[slices.Index(words, s)] })
}

// as converts the values of a kind.
func as[V, W any](k Kind[V], turn func(V) W) Kind[W] {
	return Kind[W]{k.Expect, func(r *reader) (w W, ok bool) {
		v, ok := k.read(r)
		if ok {
			w = turn(v)
		}
		return w, ok
	}}
}

// integer is any type of whole numbers.
type integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Int is a whole number in a range, both ends included.
func Int[N integer](lo, hi int64) Kind[N] {
	expect := fmt.Sprintf("%d..%d", lo, hi)
	return Kind[N]{expect, func(r *reader) (N, bool) {
		w, ok := r.word(expect)
		if !ok {
			return 0, false
		}
		n, ok := r.int(w, lo, hi, expect)
		return N(n), ok
	}}
}

// int reads a word as a whole number in a range.
func (r *reader) int(w grammar.Word, lo, hi int64, expect string) (int64, bool) {
	text := r.number(w)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil && !isNumber(text):
		r.invalid(w, "a whole number", expect)
	case err != nil || n < lo || n > hi:
		r.outside(w, strconv.FormatInt(lo, 10), strconv.FormatInt(hi, 10), expect)
	default:
		return n, true
	}
	return 0, false
}

// number returns the digits of a word; it reports and removes a semicolon after them.
func (r *reader) number(w grammar.Word) string {
	if isNumber(w.Text) {
		return w.Text
	}
	text := strings.TrimLeft(w.Text, " \t")
	digits := strings.TrimRight(text, ";,")
	if digits == text || digits == "" || r.literal {
		return text
	}
	d := diag.Diagnostic{
		Rule: "stray-semicolon", Severity: diag.Error,
		Message: "a semicolon does not end a line here",
		Span:    w.Span,
		Label:   fmt.Sprintf("expected %s", short(digits)),
	}
	if strings.HasSuffix(text, ",") {
		d.Message = "a comma does not end a value here"
	}
	if w.Span.Text() == w.Text {
		d.Fixes = []diag.Fix{replace(w.Span, digits)}
	}
	r.report(d)
	return digits
}

// isNumber reports whether the text is a whole number, however large.
func isNumber(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// Seconds is a time in whole seconds.
func Seconds(lo, hi int64) Kind[time.Duration] {
	k := as(Int[uint32](lo, hi), seconds)
	k.Expect += " seconds"
	return k
}

// Microseconds is a time in whole microseconds.
func Microseconds(lo, hi int64) Kind[time.Duration] {
	k := as(Int[int64](lo, hi), func(n int64) time.Duration { return time.Duration(n) * time.Microsecond })
	k.Expect += " microseconds"
	return k
}

// forever is the upper bound of times that the reference does not limit on 64-bit machines.
const forever = 9e9

// Decimal is a time in seconds with up to six decimal places.
func Decimal(lo, hi float64) Kind[time.Duration] { return decimal("seconds", time.Second, 6, lo, hi) }

// CoarseDecimal is a time in seconds with up to three decimal places.
func CoarseDecimal(lo, hi float64) Kind[time.Duration] {
	return decimal("seconds", time.Second, 3, lo, hi)
}

// Milliseconds is a time in milliseconds with up to three decimal places.
func Milliseconds(lo, hi float64) Kind[time.Duration] {
	return decimal("milliseconds", time.Millisecond, 3, lo, hi)
}

func decimal(unit string, one time.Duration, places int, lo, hi float64) Kind[time.Duration] {
	from, to := strconv.FormatFloat(lo, 'f', -1, 64), strconv.FormatFloat(hi, 'f', -1, 64)
	expect := fmt.Sprintf("%s..%s %s", from, to, unit)
	if hi == forever {
		expect = fmt.Sprintf("at least %s %s", from, unit)
	}
	steps := math.Pow10(places)
	return Kind[time.Duration]{expect, func(r *reader) (time.Duration, bool) {
		w, ok := r.word(expect)
		if !ok {
			return 0, false
		}
		text := strings.TrimPrefix(r.number(w), "+")
		whole, fraction, _ := strings.Cut(text, ".")
		if !isNumber(whole+fraction) || text[0] == '-' || text[0] == '+' {
			r.invalid(w, "a number of "+unit, expect)
			return 0, false
		}
		if len(strings.TrimRight(fraction, "0")) > places {
			r.report(diag.Diagnostic{
				Rule: "too-precise", Severity: diag.Warning,
				Message: fmt.Sprintf("%s %s has more than %d digits behind the point", r.key.Word, short(text), places),
				Span:    w.Span,
				Label:   "keepalived rounds it",
			})
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < lo || f > hi {
			r.outside(w, from, to, expect)
			return 0, false
		}
		return time.Duration(math.Round(f*steps)) * (one / time.Duration(steps)), true
	}}
}

// AllSeconds is a time in seconds, optionally after the word all.
func AllSeconds(lo, hi int64) Kind[ir.ExtraGARP] {
	seconds := Seconds(lo, hi)
	return Kind[ir.ExtraGARP]{"[all] " + seconds.Expect, func(r *reader) (e ir.ExtraGARP, ok bool) {
		if e.All = r.peek() == "all"; e.All {
			r.optional()
		}
		e.Every, ok = seconds.read(r)
		return e, ok
	}}
}
