package grammar

import (
	"bytes"
	"strings"
)

// Format returns a configuration in its canonical layout: a tab for each open block, one statement per line, the
// opening brace after its keyword, at most one blank line. It reads the text without expanding it, and changes only
// white space that the reference ignores: words, quotes, comments and the lines of definitions stay. It accepts every
// text, and returns its own output unchanged.
func Format(text []byte) []byte {
	if mark := byteOrderMark(bytes.TrimLeft(text, blanks+"\n")); mark != "" && (mark != utf8Mark || !bytes.HasPrefix(text, []byte(mark))) {
		return text // UTF-16; or a text that would get a byte order mark when the blanks before it are removed
	}
	f := &formatter{out: make([]byte, 0, len(text)+len(text)/8)}
	rest := string(text)
	if tail, ok := strings.CutPrefix(rest, utf8Mark); ok {
		f.out = append(f.out, utf8Mark...)
		f.start = len(f.out)
		rest = tail
	}
	if endsWithReturns(rest) {
		return text // its lines are not read
	}
	for len(rest) > 0 {
		var l string
		l, rest, _ = strings.Cut(rest, "\n")
		f.line(strings.TrimRight(l, "\r"))
	}
	return f.out
}

// maxIndent bounds the size of the output.
const maxIndent = 16

// A formatter writes one line after the other.
type formatter struct {
	out   []byte
	start int // where the text starts, after a byte order mark
	depth int

	blank    bool // a blank line is due before the next line
	opened   bool // the last line opened a block
	head     bool // the last line was a statement that a brace may follow
	choice   bool // the last line opened a block under a condition
	defining bool // a definition continues
	gap      bool // and has a blank line in it
}

func (f *formatter) line(raw string) {
	text := strings.TrimLeft(raw, " \t")
	if strings.IndexByte(raw, 0) >= 0 {
		f.out = append(append(f.out, raw...), '\n') // the reference drops the line
		f.head = false
		return
	}
	cut, odd := commentStart(text)
	code := strings.TrimRight(text[:cut], " \t")
	continued := continuation(text, f.defining) >= 0
	if f.defining && !(f.gap && code != "" && swallows(text, continued)) {
		f.out = append(append(f.out, raw...), '\n')
		f.defining = continued || code == ""
		f.gap = f.gap && f.defining && !continued || code == "" && !continued
		return
	}
	swallowed := f.defining // by a definition that ends before this line, as long as its braces stay together
	f.defining, f.gap = false, false
	switch {
	case strings.Trim(text, blanks) == "":
		f.blank = true
	case isDefinition(code):
		f.put(text)
		f.defining = continued
	case cut == 0:
		f.put(text)
	default:
		if pieces, ok := f.pieces(text, code); ok && !odd && !swallowed {
			f.write(pieces)
		} else {
			f.verbatim(text, code)
		}
	}
}

// isDefinition reports whether a line is a definition, possibly conditional.
func isDefinition(code string) bool {
	if strings.HasPrefix(code, "@") {
		n := strings.IndexAny(code, " \t")
		code = strings.TrimLeft(code[max(n, 0):], " \t")
	}
	if !strings.HasPrefix(code, "$") {
		return false
	}
	n := nameLength(code[1:])
	return n > 0 && strings.HasPrefix(strings.TrimLeft(code[1+n:], " \t"), "=")
}

// A written is a token, and whether white space was before it.
type written struct {
	kind   kind
	text   string
	spaced bool
}

// pieces returns the tokens of a line that can be formatted; false if its white space may have a meaning: in
// expansions, which work on whole lines, and between single quotes or after a backslash, which keywords of scripts
// use.
func (f *formatter) pieces(text, code string) (pieces []written, ok bool) {
	if strings.ContainsAny(text, "$'\\") || len(strings.TrimRight(text, blanks)) > maxLine || isBlank(text[0]) {
		return nil, false
	}
	s := newScanner(text)
	spaced, starts := false, true
	for {
		k, at, ok := s.next()
		if !ok {
			return pieces, true
		}
		token := text[at:s.pos]
		if k == blank {
			spaced = true
			continue
		}
		if k == torn || starts && (strings.IndexByte("@~", token[0]) >= 0 || strings.HasPrefix(token, "include")) {
			return nil, false
		}
		pieces = append(pieces, written{k, token, spaced})
		spaced, starts = false, k == opening || k == closing
	}
}

// write formats tokens, each statement and each closing brace on a line of its own.
func (f *formatter) write(pieces []written) {
	var statement strings.Builder
	flush := func() {
		if statement.Len() > 0 {
			f.put(statement.String())
			f.head = true
			statement.Reset()
		}
	}
	for i, p := range pieces {
		switch p.kind {
		case opening:
			switch {
			case statement.Len() > 0:
				f.put(statement.String() + " {")
				statement.Reset()
			case f.head && len(f.out)-f.lastLine() < maxLine-2:
				f.out = append(f.out[:len(f.out)-1], " {\n"...)
				f.blank = false
			default:
				f.put("{")
			}
			f.open(1)
		case closing:
			flush()
			f.close(1)
			f.put("}")
		case remark:
			flush()
			f.out = f.out[:len(f.out)-1]
			if p.spaced || pieces[i-1].kind == opening || pieces[i-1].kind == closing {
				f.out = append(f.out, ' ')
			}
			f.out = append(append(f.out, trimRight(p.text)...), '\n')
			f.head = false
		default:
			if p.spaced && statement.Len() > 0 {
				statement.WriteByte(' ')
			}
			statement.WriteString(p.text)
		}
	}
	flush()
}

// verbatim writes a line unchanged except for its indentation.
func (f *formatter) verbatim(text, code string) {
	opened, closed, leading := 0, 0, 0
	if !strings.HasPrefix(code, "~") && !strings.HasPrefix(code, "include") {
		opened, closed, leading = braceCount(text)
	}
	chosen := code != "" && code[0] == '@' && opened > closed
	again := chosen && f.choice // the alternative for a block that is open already
	if again {
		f.close(opened - closed)
	}
	f.close(leading)
	f.put(text)
	f.close(max(0, closed-leading-opened))
	if opened > closed-leading {
		f.open(opened - (closed - leading))
	}
	f.choice = chosen
}

// braceCount counts the braces of a line, and the closing ones that it starts with.
func braceCount(text string) (opened, closed, leading int) {
	s, first := newScanner(text), true
	for {
		k, _, ok := s.next()
		if !ok {
			return opened, closed, leading
		}
		switch k {
		case opening:
			opened++
		case closing:
			closed++
		}
		if k != closing && k != blank {
			first = false
		}
		if first {
			leading = closed
		}
	}
}

func (f *formatter) open(n int) {
	f.depth += n
	f.opened, f.head = true, false
}

func (f *formatter) close(n int) { f.depth = max(0, f.depth-n) }

// put writes a line at the current depth.
func (f *formatter) put(text string) {
	if f.blank && len(f.out) > f.start && !f.opened && text != "}" {
		f.out = append(f.out, '\n')
	}
	for range min(f.depth, maxIndent) {
		f.out = append(f.out, '\t')
	}
	f.out = append(append(f.out, trimRight(text)...), '\n')
	f.blank, f.opened, f.head, f.choice = false, false, false, false
}

// lastLine returns where the last line of the output starts.
func (f *formatter) lastLine() int {
	return bytes.LastIndexByte(f.out[:len(f.out)-1], '\n') + 1
}

// trimRight removes the blanks at the end of a line, unless that would expose a backslash or a carriage return to the
// reader of lines.
func trimRight(text string) string {
	trimmed := strings.TrimRight(text, " \t")
	if strings.HasSuffix(trimmed, `\`) || strings.HasSuffix(trimmed, "\r") {
		return text
	}
	return trimmed
}
