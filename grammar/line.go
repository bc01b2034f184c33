package grammar

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A line is one line of text without its newline, and where it came from.
type line struct {
	text string
	src  *source.Source
	at   int  // the position of text in src
	dull bool // it has neither a $ nor a backslash

	// pieces are the origins of a line that was put together; nil if src and at are its origin.
	pieces []piece
}

// A piece is a part of a line up to the next piece, and where it was written.
type piece struct {
	at   int
	span source.Span
	made bool // the text is not that of the span but was made from it, such as a number for ${NUMBER}
}

// span returns where the bytes [from, to) of the line were written. Bytes from several texts have the span that
// brought them together.
func (l *line) span(from, to int) source.Span {
	if l.pieces == nil {
		return l.src.Span(l.at+from, l.at+to)
	}
	return join(l.byteSpan(from), l.byteSpan(max(from, to-1)))
}

// scanner cuts the line.
func (l *line) scanner() scanner {
	if l.dull {
		return scanner{text: l.text, cut: -1, hole: -1}
	}
	return newScanner(l.text)
}

// byteSpan returns where a byte of a line with pieces was written.
func (l *line) byteSpan(i int) source.Span {
	n := sort.Search(len(l.pieces), func(n int) bool { return l.pieces[n].at > i }) - 1
	p := l.pieces[n]
	if !p.made {
		p.span.Start = min(p.span.Start+int32(i-p.at), p.span.End)
		p.span.End = min(p.span.Start+1, p.span.End)
	}
	return p.span
}

// join returns the shortest span that contains both, or brought both in.
func join(a, b source.Span) source.Span {
	for a.Source != b.Source {
		switch da, db := depth(a.Source), depth(b.Source); {
		case da == 0 && db == 0:
			return a
		case da >= db:
			a = a.Source.Via
		default:
			b = b.Source.Via
		}
	}
	a.Start, a.End = min(a.Start, b.Start), max(a.End, b.End)
	return a
}

// depth returns the number of places through which a text was brought in.
func depth(s *source.Source) int {
	n := 0
	for ; !s.Via.IsZero(); s = s.Via.Source {
		n++
	}
	return n
}

// sub returns the bytes [from, to) of the line as a line.
func (l *line) sub(from, to int) line {
	part := line{text: l.text[from:to], src: l.src, at: l.at + from, pieces: l.pieces}
	switch {
	case from == to:
		part.pieces = nil
	case l.pieces != nil && len(part.text) < len(l.text):
		part.pieces = l.appendTo(make([]piece, 0, len(l.pieces)), from, to, 0)
	}
	return part
}

// appendTo appends the pieces of the bytes [from, to) of the line to those of a line in which these bytes go to a
// position.
func (l *line) appendTo(pieces []piece, from, to, at int) []piece {
	if l.pieces == nil && from < to {
		return append(pieces, piece{at: at, span: l.src.Span(l.at+from, l.at+to)})
	}
	for i, p := range l.pieces {
		next := len(l.text)
		if i+1 < len(l.pieces) {
			next = l.pieces[i+1].at
		}
		if next <= from || p.at >= to {
			continue
		}
		if cut := from - p.at; cut > 0 {
			if p.at = from; !p.made {
				p.span.Start += int32(cut)
			}
		}
		p.at += at - from
		pieces = append(pieces, p)
	}
	return pieces
}

// trimmed returns where the bytes [from, to) of the line start and end without the white space that the reference
// removes.
func (l *line) trimmed(from, to int) (int, int) {
	text := strings.TrimRight(l.text[from:to], " \t")
	to = from + len(text)
	return to - len(strings.TrimLeft(text, " \t")), to
}

// trim returns the line without white space at its ends.
func (l *line) trim() line { return l.sub(l.trimmed(0, len(l.text))) }

// splice returns the line with the bytes [from, to) replaced by another line.
func (l *line) splice(from, to int, with line) line {
	pieces := make([]piece, 0, len(l.pieces)+len(with.pieces)+3)
	pieces = l.appendTo(pieces, 0, from, 0)
	pieces = with.appendTo(pieces, 0, len(with.text), from)
	pieces = l.appendTo(pieces, to, len(l.text), from+len(with.text))
	if len(pieces) == 0 {
		pieces = nil
	}
	return line{text: l.text[:from] + with.text + l.text[to:], src: l.src, at: l.at, pieces: pieces}
}

// lines is the input of a parse: a text, or a text with its includes and definitions expanded.
type lines interface {
	// next sets a line to the next one; false after the last.
	next(*line) bool
}

// maxLine is the longest line in bytes that the reference can read: its buffer has 1024 bytes including the newline
// and a zero.
const maxLine = 1022

// maxText is the size above which a text is not a configuration.
const maxText = 128 << 20

// A textLines reads the lines of one text unchanged.
type textLines struct {
	src     *source.Source
	rest    string
	at      int  // where rest starts
	dull    bool // see line
	hasNULs bool
	record  *record
}

// newTextLines checks what concerns the text as a whole.
func newTextLines(src *source.Source, record *record) *textLines {
	t := &textLines{src: src, record: record}
	if len(src.Text) > maxText {
		record.add(diag.Diagnostic{
			Rule: "limit-met", Former: "file-too-large", Severity: diag.Error,
			Message: fmt.Sprintf("%s has %d bytes and is not read", src.Name, len(src.Text)),
			Span:    src.Span(0, 0), Label: "at most 128 MiB is",
		})
		return t
	}
	t.rest = src.String()
	t.dropMark()
	t.carriageReturns()
	t.nulBytes()
	t.dull = strings.IndexByte(t.rest, '$') < 0 && strings.IndexByte(t.rest, '\\') < 0
	return t
}

func (t *textLines) skip(n int) { t.rest, t.at = t.rest[n:], t.at+n }

const utf8Mark = "\ufeff"

// byteOrderMark returns the mark at the start of a text, if any. All but utf8Mark mean UTF-16.
func byteOrderMark(text []byte) string {
	for _, mark := range []string{utf8Mark, "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return mark
		}
	}
	return ""
}

// dropMark reports and drops a byte order mark, and a whole text in UTF-16, in which the reference finds no word.
func (t *textLines) dropMark() {
	mark := byteOrderMark(t.src.Text)
	finding := diag.Diagnostic{Rule: "byte-order-mark", Severity: diag.Error, Span: t.src.Span(0, len(mark))}
	switch mark {
	case "":
		return
	case utf8Mark:
		finding.Message = "byte order mark before the first word"
		finding.Label = "keepalived takes it for a part of the word"
		finding.Fixes = []diag.Fix{{Title: "delete the mark", Edits: []diag.Edit{{Span: finding.Span}}}}
		t.skip(len(mark))
	default:
		finding.Message = t.src.Name + " is UTF-16 text"
		finding.Label = "keepalived reads single bytes and finds no word here"
		finding.Help = "save the file as UTF-8 without a byte order mark"
		t.skip(len(t.rest))
	}
	t.record.add(finding)
}

// carriageReturns reports and drops a text whose lines end only with carriage returns: the reference takes it for one
// line.
func (t *textLines) carriageReturns() {
	if !endsWithReturns(t.rest) {
		return
	}
	n := strings.IndexByte(t.rest, '\r')
	t.record.add(diag.Diagnostic{
		Rule: "carriage-return", Severity: diag.Error,
		Message: t.src.Name + " is one line to keepalived",
		Span:    t.src.Span(t.at+n, t.at+n+1), Label: "a carriage return does not end a line",
		Help: "end lines with a newline",
	})
	t.skip(len(t.rest))
}

// endsWithReturns reports whether the lines of a text seem to end only with carriage returns.
func endsWithReturns(text string) bool {
	return strings.IndexByte(text, '\n') < 0 && strings.Count(text, "\r") >= 3
}

// nulBytes reports the lines with NUL bytes, all in one finding.
func (t *textLines) nulBytes() {
	first := strings.IndexByte(t.rest, 0)
	if first < 0 {
		return
	}
	t.hasNULs = true
	count := strings.Count(t.rest, "\x00")
	finding := diag.Diagnostic{
		Rule: "nul-byte", Severity: diag.Error, Message: "NUL byte in the text",
		Span: t.src.Span(t.at+first, t.at+first+1), Label: "keepalived drops the line, or what follows",
	}
	if count > 1 {
		finding.Message = fmt.Sprintf("%d NUL bytes in the text", count)
		finding.Label = "keepalived drops every line that has one, or what follows"
	}
	t.record.add(finding)
}

// next implements lines; it returns a line with NUL bytes as empty, since the reference drops it.
func (t *textLines) next(l *line) bool {
	if len(t.rest) == 0 {
		return false
	}
	at, text := t.at, t.rest
	if n := strings.IndexByte(text, '\n'); n >= 0 {
		text = text[:n]
		t.skip(n + 1)
	} else {
		t.skip(len(text))
	}
	if len(text) > maxLine {
		t.tooLong(at, len(text))
	}
	text = strings.TrimRight(text, "\r")
	if len(text) > maxExpandedLine {
		n := len(text) - len(strings.TrimLeft(text, " \t"))
		at, text = at+n, text[n:]
		text = text[:min(len(text), maxExpandedLine)]
	}
	if t.hasNULs && strings.IndexByte(text, 0) >= 0 {
		text = ""
	}
	*l = line{text: text, src: t.src, at: at, dull: t.dull}
	return true
}

func (t *textLines) tooLong(at, n int) {
	t.record.add(tooLong(t.src.Span(at+maxLine, at+maxLine+1), n))
}

// tooLong is the finding about a line that is too long.
func tooLong(at source.Span, n int) diag.Diagnostic {
	return diag.Diagnostic{
		Rule: "line-too-long", Severity: diag.Error,
		Message: fmt.Sprintf("line of %d bytes", n),
		Span:    at,
		Label:   fmt.Sprintf("keepalived reads %d bytes at most", maxLine),
		Notes:   []diag.Note{{Message: "the rest is read as a line of its own; newer versions drop what is before it"}},
		Help:    "write one value a line",
	}
}
