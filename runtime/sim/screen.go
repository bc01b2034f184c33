package sim

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"keepc/compiler/report"
)

// Head lists who is on which segment, with which address.
func (c *Cluster) Head() string {
	var segments []string
	lines := map[string][]string{}
	for i, ports := range c.ports {
		for _, p := range ports {
			if lines[p.Segment] == nil {
				segments = append(segments, p.Segment)
			}
			text := c.nodes[i].Name
			if p.Interface != p.Segment {
				text += " " + p.Interface
			}
			for _, a := range p.Sources {
				text += " " + a.String()
			}
			if p.Assumed {
				text += " (assumed)"
			}
			lines[p.Segment] = append(lines[p.Segment], text)
		}
	}
	var b strings.Builder
	for _, s := range segments {
		fmt.Fprintf(&b, "%s: %s\n", s, strings.Join(lines[s], ", "))
	}
	return b.String()
}

// Screen writes a run for a person: what happened, then a sentence about each address.
func (c *Cluster) Screen(w io.Writer, r Run, colors report.Colors) error {
	t := table{colors: colors}
	t.text("", c.Head())
	t.space()
	for _, l := range layout(r.Trace) {
		t.text(l.mark, l.text+"\n")
	}
	t.space()
	t.text("", summary(c, r))
	if n := len(r.Failed); n > 0 {
		t.text("-", fmt.Sprintf("%d of %s failed.\n", n, report.Count(r.Expected, "expectation")))
	} else if r.Expected > 0 {
		t.text("+", fmt.Sprintf("%s met.\n", report.Count(r.Expected, "expectation")))
	}
	return t.write(w)
}

// A table is a screen under construction.
type table struct {
	colors report.Colors
	b      strings.Builder
}

func (t *table) text(mark, text string) {
	text, end := strings.CutSuffix(text, "\n")
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = report.Printable(lines[i])
	}
	text = strings.Join(lines, "\n")
	t.b.WriteString(t.colors.Mark(mark, text))
	if end {
		t.b.WriteString("\n")
	}
}

// space starts a part with an empty line, unless it is the first.
func (t *table) space() {
	if t.b.Len() > 0 {
		t.b.WriteString("\n")
	}
}

func (t *table) write(w io.Writer) error {
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write the simulation: %w", err)
	}
	return nil
}

type line struct{ mark, text string }

// layout formats lines of a trace in columns: time, who, state, addresses, why.
func layout(trace []Entry) (lines []line) {
	type row struct{ who, state, addresses, why string }
	rows := make([]row, len(trace))
	var who, state, addresses int
	for i, e := range trace {
		r := row{strings.TrimSpace(e.Node + " " + e.Subject), e.State, moves(e), e.Text}
		switch e.Kind {
		case Done, Gap, Overlap, Expected:
			continue
		case Priority:
			r.state = "priority" // the text has the old and the new value
		case Noted, Advert, Probe, Quorum:
			r.state = strings.TrimSpace(map[Kind]string{Noted: "note", Advert: "sends", Probe: "probe", Quorum: "quorum"}[e.Kind] + " " + e.State)
		}
		rows[i] = r
		who, state, addresses = max(who, report.Columns(r.who)), max(state, report.Columns(r.state)), max(addresses, report.Columns(r.addresses))
	}
	for i, e := range trace {
		at := fmt.Sprintf("%8.3fs  ", time.Duration(e.At).Seconds())
		l := line{e.mark(), at}
		switch e.Kind {
		case Done:
			l.text += "--- " + e.Text + " ---"
		case Gap:
			l.text = fmt.Sprintf("%11s!! %s nowhere for %s", "", are(e.Address), length(time.Duration(e.For)))
		case Overlap:
			l.text = fmt.Sprintf("%11s!! %s on %s for %s", "", are(e.Address), and(e.Holders), length(time.Duration(e.For)))
		case Expected:
			l.text += e.State + ": " + e.Text
		default:
			r := rows[i]
			l.text = strings.TrimRight(fmt.Sprintf("%s%s  %s  %s  %s", at, report.Padded(r.who, who), report.Padded(r.state, state), report.Padded(r.addresses, addresses), r.why), " ")
		}
		lines = append(lines, l)
	}
	return lines
}

// mark colours entries as a plan colours its lines.
func (e Entry) mark() string {
	switch e.Kind {
	case Done:
		return "#"
	case Gap:
		return "~"
	case Overlap:
		return "-"
	case Noted, Advert, Probe:
		return "."
	case Expected:
		if e.State == "met" {
			return "+"
		}
		return "-"
	}
	return ""
}

// moves lists which addresses came and went.
func moves(e Entry) string {
	var parts []string
	if len(e.Gained) > 0 {
		parts = append(parts, "+ "+some(e.Gained))
	}
	if len(e.Lost) > 0 {
		parts = append(parts, "- "+some(e.Lost))
	}
	return strings.Join(parts, " ")
}

// some names a few addresses, and counts many.
func some(list []netip.Addr) string {
	if len(list) > 2 {
		return fmt.Sprintf("%v and %d more", list[0], len(list)-1)
	}
	var names []string
	for _, a := range list {
		names = append(names, a.String())
	}
	return and(names)
}

// are returns the addresses with their verb.
func are(list []netip.Addr) string {
	if len(list) == 1 {
		return some(list) + " is"
	}
	return some(list) + " are"
}

// summary says for every address when it had no holder or several, and who has it in the end. Addresses with the same
// outcome share a sentence.
func summary(c *Cluster, r Run) string {
	var order []string
	same := map[string][]netip.Addr{}
	for _, h := range r.History {
		text := fare(c, r, h)
		if same[text] == nil {
			order = append(order, text)
		}
		same[text] = append(same[text], h.Address)
	}
	var b strings.Builder
	for _, text := range order {
		fmt.Fprintf(&b, "%s: %s\n", some(same[text]), text)
	}
	return b.String()
}

// fare describes the outcome for an address, with the last deed before each trouble.
func fare(c *Cluster, r Run, h AddressHistory) string {
	var troubles []string
	times := map[string]int{}
	for _, s := range h.Spans {
		d := s.To - s.From
		if d < brief || len(s.Nodes) == 1 {
			continue
		}
		holders := "no holder"
		if n := len(s.Nodes); n > 1 {
			holders = fmt.Sprintf("%s holders", [...]string{"two", "three", "many"}[min(n, 4)-2])
		}
		text := fmt.Sprintf("%s for %s (%s", holders, length(d), before(r.Trace, s.From))
		if times[text]++; times[text] == 1 {
			troubles = append(troubles, text)
		}
	}
	for i, text := range troubles {
		if n := times[text]; n > 1 {
			troubles[i] += fmt.Sprintf("; %d times", n)
		}
		troubles[i] += ")"
	}
	last := h.Spans[len(h.Spans)-1]
	end := fmt.Sprintf("; in the end on %s.", and(pick(c.Names(), last.Nodes)))
	switch n := len(troubles); {
	case n == 0:
		return "always one holder" + end
	case n > mostTroubles:
		troubles = append(troubles[:mostTroubles], fmt.Sprintf("and %d more of this kind", n-mostTroubles))
	}
	return strings.Join(troubles, ", ") + ", otherwise one" + end
}

// mostTroubles is how many a sentence names.
const mostTroubles = 6

// before returns the last deed at a time.
func before(trace []Entry, at time.Duration) string {
	text := "start"
	for _, e := range trace {
		if time.Duration(e.At) > at {
			break
		}
		if e.Kind == Done {
			text = e.Text
		}
	}
	return text
}

// CasesScreen writes the results of cases, one line for each; all: and one for each address.
func (c *Cluster) CasesScreen(w io.Writer, verdicts []Verdict, colors report.Colors, all bool) error {
	t := table{colors: colors}
	t.text("", c.Head())
	width := len("real server")
	for _, v := range verdicts {
		width = max(width, report.Columns(v.Title))
	}
	t.directors(c.Names(), verdicts, width, all)
	t.servers(verdicts, width)
	return t.write(w)
}

func (t *table) directors(names []string, verdicts []Verdict, width int, all bool) {
	held := len("held by")
	for _, v := range verdicts {
		held = max(held, report.Columns(holders(names, v.Failed)))
	}
	first := true
	for _, v := range verdicts {
		if v.Server {
			continue
		}
		if first {
			t.space()
			t.text("#", fmt.Sprintf("%-*s  %7s  %7s  %5s  %-*s  %s\n", width, "case", "gap", "overlap", "flaps", held, "held by", "after the repair"))
			first = false
		}
		remark := ""
		if v.Dead {
			remark = "its weight moves no address"
		}
		t.outcome(names, v.Title, v.Failed, v.Repaired, remark, width, held)
		if !all {
			continue
		}
		for i, o := range v.Failed {
			var repaired []Outcome
			if i < len(v.Repaired) {
				repaired = v.Repaired[i : i+1]
			}
			t.outcome(names, "  "+o.Address.String(), v.Failed[i:i+1], repaired, "", width, held)
		}
	}
}

func (t *table) outcome(names []string, title string, failed, repaired []Outcome, remark string, width, held int) {
	f := worst(failed)
	text := fmt.Sprintf("%s  %7s  %7s  %5s  %s", report.Padded(title, width), orDash(f.gap), orDash(f.overlap), orDash(f.flaps), report.Padded(holders(names, failed), held))
	if len(repaired) > 0 {
		r := worst(repaired)
		text += "  " + holders(names, repaired)
		for _, x := range []struct{ what, value string }{{"gap", r.gap}, {"overlap", r.overlap}, {"flaps", r.flaps}} {
			if x.value != "" {
				text += ", " + x.what + " " + x.value
			}
		}
	}
	if remark != "" {
		text += "; " + remark
	}
	mark := ""
	if f.gap == stays || f.overlap == stays {
		mark = "~"
	}
	t.text(mark, strings.TrimRight(text, " ")+"\n")
}

// stays is the length of a gap or overlap that does not end.
const stays = "stays"

// A fate is the worst of some outcomes as text; empty: none.
type fate struct{ gap, overlap, flaps string }

func worst(list []Outcome) (f fate) {
	var gap, overlap time.Duration
	var flaps int
	for _, o := range list {
		gap, overlap, flaps = max(gap, o.Gap), max(overlap, o.Overlap), max(flaps, o.Flaps)
		switch n := len(o.Holders); {
		case n == 0:
			f.gap = stays
		case n > 1:
			f.overlap = stays
		}
	}
	if gap > 0 {
		f.gap = cmp.Or(f.gap, length(gap))
	}
	if overlap > 0 {
		f.overlap = cmp.Or(f.overlap, length(overlap))
	}
	if flaps > 0 {
		f.flaps = fmt.Sprint(flaps)
	}
	return f
}

func orDash(s string) string { return cmp.Or(s, "-") }

// holders names who has the addresses in the end: all holders, those of each address if there are few, or how many
// each node has.
func holders(names []string, list []Outcome) string {
	var order []string
	by := map[string][]string{}
	for _, o := range list {
		who := cmp.Or(strings.Join(pick(names, o.Holders), "+"), nobody)
		if by[who] == nil {
			order = append(order, who)
		}
		by[who] = append(by[who], o.Address.String())
	}
	if len(order) == 1 {
		return order[0]
	}
	slices.Sort(order)
	var parts []string
	for _, who := range order {
		if len(list) <= 4 {
			parts = append(parts, who+" "+strings.Join(by[who], " "))
		} else {
			parts = append(parts, fmt.Sprintf("%s %d", who, len(by[who])))
		}
	}
	return strings.Join(parts, ", ")
}

func (t *table) servers(verdicts []Verdict, width int) {
	first := true
	for _, v := range verdicts {
		if !v.Server {
			continue
		}
		if first {
			t.space()
			t.text("#", fmt.Sprintf("%-*s  %9s  %10s  %s\n", width, "real server", "out after", "back after", "meanwhile"))
			first = false
		}
		var serving []string
		for _, a := range v.Serving {
			serving = append(serving, a.String())
		}
		t.text("", fmt.Sprintf("%s  %9s  %10s  %s\n", report.Padded(v.Title, width), lengthOrNever(v.Out), lengthOrNever(v.Back), cmp.Or(strings.Join(serving, " "), nobody)))
	}
}

func lengthOrNever(d time.Duration) string {
	if d == never {
		return "never"
	}
	return length(d)
}

// and joins names for people.
func and(names []string) string {
	switch n := len(names); n {
	case 0:
		return nobody
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// length is a time as people read it: "3.6s", "40ms".
func length(d time.Duration) string {
	if d < 100*time.Millisecond {
		return d.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%.1fs", d.Seconds())
}
