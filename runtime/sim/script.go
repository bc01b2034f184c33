package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/compiler/ir"
	"keepc/grammar/diag"
)

// A Script is what happens to a cluster, in order of time.
type Script struct {
	steps []step
	End   time.Duration
	// Snapshots are the times at which a run records what the nodes want.
	Snapshots []time.Duration
}

// A step is a deed or an expectation at a time; the other one is zero.
type step struct {
	at     time.Duration
	line   int
	text   string // as written, without its time
	deed   act
	expect condition
}

// A Deed is what a script does at a time, as written.
type Deed struct {
	At    time.Duration
	Words []string
}

// Deeds lists what the script does, without what it expects.
func (s Script) Deeds() (list []Deed) {
	for _, step := range s.steps {
		if step.deed.do != nil {
			list = append(list, Deed{step.at, strings.Fields(step.text)})
		}
	}
	return list
}

// A Finding is a mistake in a line of a script, or an expectation of that line that was not met.
type Finding struct {
	Line    int // from 1
	Message string
}

func (f Finding) String() string { return fmt.Sprintf("%d: %s", f.Line, f.Message) }

const (
	everybody = "all"
	nobody    = "nobody"
)

// longest is the longest script. A year is a typing error.
const longest = 7 * 24 * time.Hour

// Parse reads a script for a cluster. Statements end with a line or a semicolon; # begins a comment.
//
//	script    = { [ statement ] ( ";" | newline ) } .
//	statement = [ "at" time | "after" time ] [ deed | expectation ] .
//
// At counts from the start of the run, after from the statement before; a statement without either happens at the same time as the
// one before. Time never goes back. Deeds and expectations are told by Help. The run ends when the cluster has come to rest after the
// last statement, or with the statement "end". load reads another configuration, for reload.
func Parse(text string, c *Cluster, load func(file string) (*ir.Config, error)) (Script, []Finding) {
	p := parser{cluster: c, load: load}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		for statement := range strings.SplitSeq(line, ";") {
			words := strings.Fields(statement)
			if len(words) == 0 {
				continue
			}
			p.words = words
			if err := p.statement(number); err != nil {
				p.found = append(p.found, Finding{number, err.Error()})
			}
		}
	}
	if p.ended == 0 {
		p.script.End = min(p.last+c.Settle(), longest)
	}
	return p.script, p.found
}

// A parser reads one statement after the other.
type parser struct {
	cluster *Cluster
	load    func(string) (*ir.Config, error)
	script  Script
	found   []Finding
	words   []string      // of the current statement: those not read yet
	at      time.Duration // of the current statement
	last    time.Duration // the last time at which something happens
	ended   int           // the line of "end"
}

func (p *parser) statement(line int) error {
	if p.ended != 0 {
		return fmt.Errorf("line %d ends the script", p.ended)
	}
	if err := p.moment(); err != nil || len(p.words) == 0 {
		return err
	}
	text := strings.Join(p.words, " ")
	word := p.next()
	if word == "end" {
		p.ended, p.script.End = line, p.at
		return p.nothingMore()
	}
	s := step{at: p.at, line: line, text: text}
	p.last = max(p.last, p.at)
	var err error
	if word == "expect" {
		s.expect, err = p.condition()
		p.last = max(p.last, p.at+s.expect.within)
	} else {
		s.deed, err = p.deed(word)
	}
	if err != nil {
		return err
	}
	p.script.steps = append(p.script.steps, s)
	for _, more := range s.deed.later {
		p.later(s, more)
	}
	return nil
}

// later plans what a deed causes after a while.
func (p *parser) later(s step, more later) {
	s.at += more.after
	s.deed = more.act
	p.script.steps = append(p.script.steps, s)
	p.last = max(p.last, s.at)
}

// moment reads the time of a statement.
func (p *parser) moment() error {
	from := time.Duration(0)
	switch p.words[0] {
	case "after":
		from = p.at
	case "at":
	default:
		return nil
	}
	word := p.next()
	d, err := p.duration()
	if err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	at := from + d
	if at < p.at {
		return fmt.Errorf("at %v: it is %v already; statements must be in order of time", at, p.at)
	}
	if at > longest {
		return fmt.Errorf("%s %v: a run lasts %v at most", word, d, longest)
	}
	p.at = at
	return nil
}

// deed reads the rest of a deed.
func (p *parser) deed(word string) (act, error) {
	var words []string
	for _, v := range verbs() {
		if v.word == word {
			a, err := v.parse(p)
			if err == nil {
				err = p.nothingMore()
			}
			if err != nil {
				return act{}, fmt.Errorf("%w; write: %s", err, v.usage())
			}
			return a, nil
		}
		words = append(words, v.word)
	}
	words = append(words, "at", "after", "expect", "end")
	if best, _ := diag.Suggest(word, words); best != "" {
		return act{}, fmt.Errorf("unknown word %q; did you mean %q?", word, best)
	}
	return act{}, fmt.Errorf("unknown word %q; expected one of %s", word, strings.Join(words, ", "))
}

// next returns the next word and reads it; "" at the end.
func (p *parser) next() string {
	if len(p.words) == 0 {
		return ""
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

// takes reads the next word if it is the given one, and reports whether it was.
func (p *parser) takes(word string) bool {
	if len(p.words) == 0 || p.words[0] != word {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) nothingMore() error {
	if len(p.words) > 0 {
		return fmt.Errorf("%q is too much", strings.Join(p.words, " "))
	}
	return nil
}

// duration reads a time: "5s", "1m30s"; a bare number is seconds, as in keepalived.conf.
func (p *parser) duration() (time.Duration, error) {
	word := p.next()
	if seconds, err := strconv.ParseUint(word, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(word)
	switch {
	case word == "":
		return 0, errors.New("a time is missing")
	case err != nil:
		return 0, fmt.Errorf("%q is not a time like 5s or 1m30s", word)
	case d < 0:
		return 0, fmt.Errorf("%s is before the start", word)
	}
	return d, nil
}

// nodes reads a node, or "all".
func (p *parser) nodes() ([]int, error) {
	word := p.next()
	if word == everybody {
		return p.cluster.everybody(), nil
	}
	n, err := p.node(word)
	return []int{n}, err
}

func (p *parser) node(word string) (int, error) {
	i := p.cluster.find(word)
	if i >= 0 {
		return i, nil
	}
	names := p.cluster.Names()
	if word == "" {
		return 0, fmt.Errorf("a node is missing: %s", strings.Join(names, ", "))
	}
	if best, _ := diag.Suggest(word, names); best != "" {
		return 0, fmt.Errorf("there is no node %q; did you mean %q?", word, best)
	}
	return 0, fmt.Errorf("there is no node %q; the nodes are %s", word, strings.Join(names, ", "))
}

// segments reads "on SEGMENT"; without it, all segments are meant.
func (p *parser) segments() ([]string, error) {
	var all []string
	for _, ports := range p.cluster.ports {
		for _, port := range ports {
			if !slices.Contains(all, port.Segment) {
				all = append(all, port.Segment)
			}
		}
	}
	if !p.takes("on") {
		return all, nil
	}
	word := p.next()
	if !slices.Contains(all, word) {
		return nil, fmt.Errorf("there is no segment %q; the segments are %s", word, strings.Join(all, ", "))
	}
	return []string{word}, nil
}
