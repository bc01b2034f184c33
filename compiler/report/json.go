package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// JSON writes findings as one object.
func JSON(w io.Writer, c Check, _ Colors) error { return writeJSON(w, c) }

func writeJSON(w io.Writer, doc any) error {
	e := json.NewEncoder(InJSON(w))
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// InJSON returns a writer of JSON that writes as \uXXXX what a terminal or the log of a job could take for commands.
// The meaning is the same. Each Write must contain whole strings.
func InJSON(w io.Writer) io.Writer { return jsonWriter{w} }

type jsonWriter struct{ io.Writer }

func (j jsonWriter) Write(text []byte) (int, error) {
	plain := func(c rune) bool { return c < 0x7f || unicode.IsPrint(c) } // the encoder escapes the control characters of ASCII
	clean := func(b []byte) bool {
		return !bytes.ContainsFunc(b, func(c rune) bool { return !plain(c) }) && !bytes.Contains(b, []byte("##"))
	}
	if clean(text) {
		return j.Writer.Write(text)
	}
	var b bytes.Buffer
	last := rune(0)
	for _, c := range string(text) {
		switch {
		case c == '#' && last == '#', !plain(c) && c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		case !plain(c):
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(c)
		}
		last = c
	}
	if _, err := b.WriteTo(j.Writer); err != nil {
		return 0, err
	}
	return len(text), nil
}
