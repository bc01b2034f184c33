package grammar

import (
	"bytes"
	"fmt"
	"strings"

	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// A token is the words of a statement, or a brace, as the grammar needs them.
type token struct {
	kind  kind
	span  source.Span // of a brace; zero for one that is missing in the text
	words Words
	rest  *string // for words on an expanded line: the text after the first word
}

// maxDepth is how deep blocks may nest. The reference knows four levels.
const maxDepth = 64

// windowSize is about how many tokens exist at a time.
const windowSize = 512

// A balancer turns lines into tokens that follow the grammar whatever the text is: it ends a statement at the end of
// its line unless a brace follows, and drops or adds braces until every block has both. Each repair is a finding.
type balancer struct {
	lines  lines
	line   line // the last line read
	record *record
	tokens []token
	over   bool // there are no more lines

	words     slab[Word] // open: those of the current statement, which has neither block nor end yet
	broken    bool       // its line has ended: the next word starts a new statement
	rest      *string    // its text after the first word, if the line was expanded
	restStart int
	blocks    []openBlock // the first is the file
	literal   bool        // every brace is a token; nothing is repaired
	skipped   int         // braces open inside a block that is too deep
	row       kind        // opening or closing: the previous token was a brace of this kind without a partner
	torn      source.Span // the last quote without a partner, unless it closes the one on the line above
	tornAt    int         // the index of its finding, if that was kept

	// count is how many braces were missing and superfluous; budget is the count of an earlier reading.
	count, budget braces
	column        int         // of the first token of the line; only computed in a second reading
	margin        int         // the column of the line where the statement started
	doubt         source.Span // a closing brace that may be superfluous
	doubtColumn   int         // of its line
	nests         nesting     // see outside
	inset         bool        // closing braces are indented like the content of their block
	crooked       bool        // a block starts left of the one around it, or right of the margin of the file
}

// braces counts the missing and the superfluous braces of a text. A first reading finds both, but usually at the end
// of the file, where the count goes wrong. A second reading that knows the numbers can rely on the indentation, which
// tells where a brace was forgotten.
type braces struct{ missing, extra int }

// An openBlock is a block that has not been closed yet.
type openBlock struct {
	head  source.Span // the statement that opens it
	at    int         // the column of the head
	stray int         // opening braces in it that belong to no statement and are still open
	// margin is the column of the line that opens the block, inner that of its first line; -1 before that line is
	// read.
	margin, inner int
}

// A nesting reports whether a word can be in a block; "" is the file. It returns true for words that it does not know.
// nil allows everything.
type nesting func(outer, word string) bool

// proves reports whether a word proves that a block has ended: it belongs to the file and not to the block.
func (n nesting) proves(block, word string) bool { return n != nil && n("", word) && !n(block, word) }

// belongs reports whether a word belongs to a block and not to what surrounds it.
func (n nesting) belongs(block, outer, word string) bool {
	return n != nil && n(block, word) && !n(outer, word)
}

func newBalancer(lines lines, record *record, budget braces, nests nesting) *balancer {
	return &balancer{lines: lines, record: record, budget: budget, nests: nests, blocks: []openBlock{{at: -1, margin: -1, inner: -1}}}
}

func (b *balancer) top() *openBlock { return &b.blocks[len(b.blocks)-1] }

// next returns the tokens of the next lines, valid until the next call. The last token of a text is its end.
func (b *balancer) next() []token {
	b.tokens = b.tokens[:0]
	for len(b.tokens) < windowSize && !b.over {
		if !b.record.full() && b.lines.next(&b.line) {
			b.read(&b.line)
		} else {
			b.finish()
		}
	}
	return b.tokens
}

// read makes the tokens of a line.
func (b *balancer) read(l *line) {
	s := l.scanner()
	s.literal = b.literal
	first, unmatched := true, -1
	for {
		s.blanks()
		k, start, ok := s.next()
		if !ok {
			break
		}
		if k == remark {
			b.record.comment(l, start)
			break
		}
		at := l.span(start, s.pos)
		if b.budget != (braces{}) {
			if b.inWord(k, l.text, start) {
				b.braceInWord(l, &s, at)
				continue
			}
			b.judge(k, first, at)
		}
		switch k {
		case opening:
			b.open(at)
		case closing:
			b.close(at, first)
		case torn:
			unmatched = start
			fallthrough
		default:
			b.word(l, unquote(k, l.text[start:s.pos]), s.pos, at)
			if s.hole >= start {
				b.record.template(l.span(s.hole, s.pos))
			} else if n := s.pos - start - 2; k == quoted && n > 0 && templateEnd(l.text[start+1:s.pos-1]) == n {
				b.record.template(at)
			}
		}
		if first = false; b.row != k {
			b.row = blank
		}
	}
	b.broken = b.broken || !first
	if unmatched >= 0 || s.odd {
		b.unmatchedQuote(l, unmatched)
	}
}

// word adds a word that ends at a position of the line.
func (b *balancer) word(l *line, text string, end int, at source.Span) {
	if b.skipped > 0 {
		return
	}
	if b.broken || len(b.words.open) == 0 {
		b.endStatement()
		b.margin, b.rest, b.restStart = b.column, nil, end
	}
	b.words.add(Word{Text: text, Span: at})
	if l.pieces != nil {
		rest := strings.TrimLeft(l.text[b.restStart:end], blanks)
		b.rest = &rest
		b.record.take(wordCost, at)
	}
}

// endStatement ends the current statement, if there is one.
func (b *balancer) endStatement() {
	if n := len(b.words.open); n > 0 {
		b.record.take(stmtCost+n*wordCost, b.words.open[0].Span)
		b.tokens = append(b.tokens, token{kind: words, words: b.words.take(), rest: b.rest})
	}
	b.broken = false
}

func (b *balancer) open(at source.Span) {
	switch {
	case b.literal:
		b.endStatement()
		b.tokens = append(b.tokens, token{kind: opening, span: at})
	case b.skipped > 0:
		b.skipped++
	case len(b.words.open) == 0:
		if b.budget.missing > 0 {
			b.budget.missing--
			b.count.missing++
			b.doubleBrace(at)
			return
		}
		b.top().stray++
		b.strayBrace(at)
	case len(b.blocks) > maxDepth:
		b.endStatement()
		b.skipped = 1
		b.tooDeep(at)
	default:
		head := (&Stmt{Words: b.words.open}).Span()
		b.endStatement()
		b.record.take(blockCost, at)
		b.tokens = append(b.tokens, token{kind: opening, span: at})
		outer, place := b.top().at, max(0, int(head.Start)-b.line.at)
		b.crooked = b.crooked || place <= outer || outer < 0 && place > 0
		b.blocks = append(b.blocks, openBlock{head: head, at: place, margin: b.margin, inner: -1})
	}
}

func (b *balancer) close(at source.Span, first bool) {
	if b.skipped > 0 {
		b.skipped--
		return
	}
	b.endStatement()
	switch top := b.top(); {
	case b.literal:
		b.tokens = append(b.tokens, token{kind: closing, span: at})
	case top.stray > 0:
		top.stray--
	case len(b.blocks) == 1:
		b.extraBrace(at, true)
	case b.budget.extra > 0 && top.inner > top.margin && (first || b.column > top.margin):
		b.doubt, b.doubtColumn = at, b.column
	default:
		b.closeBlock(at)
	}
}

// closeBlock ends the innermost block; the span is zero for a brace that is missing in the text.
func (b *balancer) closeBlock(at source.Span) {
	b.tokens = append(b.tokens, token{kind: closing, span: at})
	b.blocks = b.blocks[:len(b.blocks)-1]
}

// judge looks at the indentation in a second reading, before the token is taken.
func (b *balancer) judge(k kind, first bool, at source.Span) {
	if first {
		b.column = columns(indentOf(at))
	}
	if top := b.top(); !b.doubt.IsZero() {
		// A line that continues the block which the brace before it would close shows that the brace is superfluous;
		// so does a closing brace where the block's own would be.
		if first && (k != closing && b.column >= top.inner || k == closing && b.column == top.margin && b.doubtColumn > top.margin && !b.inset) {
			b.extraBrace(b.doubt, false)
			b.budget.extra--
		} else {
			b.inset = b.inset || b.doubtColumn == top.inner
			b.closeBlock(b.doubt)
		}
		b.doubt = source.Span{}
	}
	if !first || k == opening || b.skipped > 0 {
		return
	}
	for b.budget.missing > 0 && at.Source == b.top().head.Source && b.outside(k, at.Text()) {
		b.endStatement()
		b.unclosedBlock(at)
		b.closeBlock(source.Span{})
		b.budget.missing--
	}
	if top := b.top(); k != closing && top.inner < 0 {
		top.inner = b.column
	}
}

// outside reports whether the line that starts with a k is outside the innermost block, judging by the indentation of
// a text that indents its blocks. A word that belongs to the block, and not to what surrounds it, is inside wherever
// it is.
func (b *balancer) outside(k kind, word string) bool {
	top := b.top()
	if len(b.blocks) == 1 || top.inner <= top.margin {
		return false
	}
	if k != closing {
		return b.column <= top.margin && !b.nests.belongs(keyword(top.head), keyword(b.blocks[len(b.blocks)-2].head), word)
	}
	for _, outer := range b.blocks[1 : len(b.blocks)-1] {
		if outer.margin == b.column && b.column < top.margin {
			return true
		}
	}
	return false
}

// keyword returns the first word of the statement that opens a block; empty for the file.
func keyword(head source.Span) string {
	if head.IsZero() {
		return ""
	}
	word, _, _ := strings.Cut(head.Text(), " ")
	return strings.TrimRight(word, blanks)
}

// columns returns the width of leading white space, with a tab stop every 8 columns.
func columns(indent string) int {
	n := 0
	for _, c := range []byte(indent) {
		if c == '\t' {
			n += 8 - n%8
		} else {
			n++
		}
	}
	return n
}

// finish closes what is still open at the end of the text.
func (b *balancer) finish() {
	b.over = true
	if !b.doubt.IsZero() {
		b.closeBlock(b.doubt)
	}
	b.endStatement()
	if len(b.blocks) > 1 && b.skipped == 0 {
		b.unclosedAtEnd()
	}
	for len(b.blocks) > 1 {
		b.closeBlock(source.Span{})
	}
	b.tokens = append(b.tokens, token{kind: end})
}

func (b *balancer) strayBrace(at source.Span) {
	if b.row == opening {
		return
	}
	b.row = opening
	b.record.add(diag.Diagnostic{
		Rule: "stray-brace", Severity: diag.Error, Message: `"{" without a keyword before it`,
		Span: at, Label: "a keyword opens a block",
		Notes: []diag.Note{{Message: `keepalived ignores it, and its "}" then closes the block around it`}},
	})
}

// doubleBrace reports an opening brace that has neither a keyword nor a closing brace.
func (b *balancer) doubleBrace(at source.Span) {
	b.record.add(diag.Diagnostic{
		Rule: "stray-brace", Severity: diag.Error, Message: `"{" without a keyword before it`,
		Span: at, Label: "there is no brace that closes it",
		Fixes: []diag.Fix{{Title: "delete the brace", Edits: []diag.Edit{{Span: at}}}},
	})
}

// extraBrace reports a superfluous closing brace. It is certain if no block is open; otherwise the indentation
// decides.
func (b *balancer) extraBrace(at source.Span, plain bool) {
	b.count.extra++
	if b.row == closing {
		return
	}
	b.row = closing
	d := diag.Diagnostic{
		Rule: "extra-brace", Severity: diag.Error, Kind: diag.Brace, Message: `"}" without a block to close`,
		Span: at, Label: "every open block is closed before it",
	}
	if plain {
		d.Fixes = []diag.Fix{{Title: "delete the brace", Edits: []diag.Edit{{Span: at}}}}
	} else {
		d.Label, d.Help = "too many, by the indentation of the next line", "delete the brace that closes nothing"
	}
	b.record.add(d)
}

func (b *balancer) tooDeep(at source.Span) {
	b.record.add(diag.Diagnostic{
		Rule: "nesting-too-deep", Severity: diag.Error, Message: fmt.Sprintf("blocks nest deeper than %d", maxDepth),
		Span: at, Label: "the content of this block is not read",
		Help: `look for a missing "}" above`,
	})
}

// inWord reports whether a brace without a partner is in the middle of a value.
func (b *balancer) inWord(k kind, text string, at int) bool {
	spare := k == opening && b.budget.missing > 0 || k == closing && b.budget.extra > 0
	glued := func(i int) bool { return i >= 0 && i < len(text) && classes[text[i]]&endsWord == 0 }
	return spare && len(b.words.open) > 1 && !b.broken && glued(at-1) && glued(at+1)
}

// braceInWord continues reading a word that a brace interrupts.
func (b *balancer) braceInWord(l *line, s *scanner, at source.Span) {
	if text := l.text[s.pos-1 : s.pos]; text == "{" {
		b.budget.missing--
		b.count.missing++
	} else {
		b.budget.extra--
		b.count.extra++
	}
	brace := s.pos - 1
	s.word()
	w := &b.words.open[len(b.words.open)-1]
	w.Text += l.text[brace:s.pos]
	w.Span = w.Span.To(l.span(brace, s.pos))
	d := diag.Diagnostic{
		Rule: "brace-in-word", Severity: diag.Error, Message: "a brace within a word",
		Span: at, Label: "keepalived ends the word before it",
		Help: "put the word in double quotes", Spoils: garbles(at),
	}
	if open := strings.LastIndex(w.Text, "${"); open >= 0 && nameLength(w.Text[open+2:]) == len(w.Text)-open-2 {
		d.Message, d.Help = "a reference without its closing brace", fmt.Sprintf("write %s}", w.Text[open:])
	}
	b.record.add(d)
}

// unclosedBlock reports that the innermost block should have ended before the line that starts at next.
func (b *balancer) unclosedBlock(next source.Span) {
	b.count.missing++
	top := b.top()
	place := next
	place.Start = lineStart(next)
	place.End = place.Start
	d := diag.Diagnostic{
		Rule: "unclosed-block", Severity: diag.Error, Message: fmt.Sprintf("block %s is not closed", name(top.head)),
		Span: top.head, Label: `no "}" closes it`,
		Notes: []diag.Note{{Message: "this line is outside of it, by its indentation", Span: next}},
		Help:  `add "}" where it ends: before that line, if the indentation is right`,
	}
	if b.nests.proves(keyword(top.head), next.Text()) {
		d.Notes[0].Message, d.Help = "this line cannot be in the block", `add "}" before that line`
		d.Fixes = []diag.Fix{{Title: `add "}"`, Edits: []diag.Edit{{Span: place, Text: indentOf(top.head) + "}\n"}}}}
	}
	b.record.add(d)
}

// unclosedAtEnd reports the blocks that are open at the end of the text, at the innermost.
func (b *balancer) unclosedAtEnd() {
	open := b.blocks[1:]
	b.count.missing += len(open)
	if b.record.cut {
		return
	}
	inner := open[len(open)-1]
	finding := diag.Diagnostic{
		Rule: "unclosed-block", Severity: diag.Error, Message: fmt.Sprintf("block %s is not closed", name(inner.head)),
		Span: inner.head, Label: `no "}" closes it before the file ends`,
	}
	for _, outer := range open[:len(open)-1] {
		finding.Notes = append(finding.Notes, diag.Note{Message: fmt.Sprintf("block %s is not closed either", name(outer.head)), Span: outer.head})
	}
	b.record.add(finding)
}

func (b *balancer) unmatchedQuote(l *line, start int) {
	if b.record.findings.Full(diag.Error) {
		return // a text may have millions
	}
	finding := diag.Diagnostic{
		Rule: "unmatched-quote", Severity: diag.Error, Message: "unmatched quote on the line",
		Label: "read as one word to the end of the line; keepalived drops it",
	}
	if start >= 0 {
		finding.Span = l.span(start, start+1)
	} else {
		i := strings.Index(l.text, `\"`)
		finding.Span = l.span(i, i+2)
		finding.Label = "the backslash does not make the quote a part of the word"
		finding.Notes = []diag.Note{{Message: "there are no escapes; but the search for a comment skips this quote, and takes the rest of the line as quoted"}}
	}
	b.tear(&finding)
	b.record.add(finding)
}

// tear records what a quote without a partner spoils. A quote on the next line is its partner: the two are one
// finding, and so is what the line begins with.
func (b *balancer) tear(finding *diag.Diagnostic) {
	finding.Kind = diag.Quote
	if first := b.torn; first.Source == finding.Span.Source && !first.IsZero() && diag.NextLine(first).Holds(finding.Span) {
		if l := b.record.findings.List; b.tornAt < len(l) && l[b.tornAt].Kind == diag.Quote && l[b.tornAt].Span == first { // otherwise it is superfluous
			d := &l[b.tornAt]
			d.Spoils = append(d.Spoils, diag.Spoil{Span: diag.NextLine(first), Kinds: diag.Quote | diag.Word | diag.Backslash})
		}
		b.torn = source.Span{}
		return
	}
	b.torn, b.tornAt = finding.Span, len(b.record.findings.List)
	line := finding.Span.Line()
	finding.Spoils = []diag.Spoil{{Span: finding.Span, Kinds: diag.Extra}, {Span: line, Kinds: diag.Backslash}}
}

// name returns a shortened statement for a message.
func name(head source.Span) string {
	text := strings.Join(strings.Fields(head.Text()), " ")
	if r := []rune(text); len(r) > 40 {
		text = string(r[:40]) + "..."
	}
	return fmt.Sprintf("%q", text)
}

// lineStart returns where the line of a span starts in its text.
func lineStart(at source.Span) int32 {
	return int32(bytes.LastIndexByte(at.Source.Text[:at.Start], '\n') + 1)
}

// indentOf returns the white space before the line of a span.
func indentOf(at source.Span) string {
	text := at.Source.Text[lineStart(at):at.Start]
	return string(text[:len(text)-len(bytes.TrimLeft(text, " \t"))])
}
