package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"

	"keepc/compiler/report"
)

// Version is the version of the JSON forms; it grows when a field changes its meaning or is removed.
const Version = 1

// head is the first line of both JSON forms.
type head struct {
	Event   string     `json:"event"` // "start"
	Version int        `json:"version"`
	Nodes   []jsonNode `json:"nodes"`
}

type jsonNode struct {
	Name       string     `json:"name"`
	Interfaces []jsonPort `json:"interfaces"`
}

type jsonPort struct {
	Name      string       `json:"name"`
	Segment   string       `json:"segment"`
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Assumed   bool         `json:"assumed,omitempty"` // the addresses are made up
}

// jsonOutcome is an Outcome with names.
type jsonOutcome struct {
	Address netip.Addr `json:"address"`
	Gap     Seconds    `json:"gap"`
	Overlap Seconds    `json:"overlap"`
	Flaps   int        `json:"flaps"`
	Holders []string   `json:"holders"` // in the end
}

// jsonEnd is the last line of a run.
type jsonEnd struct {
	At           Seconds       `json:"at"`
	Event        string        `json:"event"` // "end"
	Addresses    []jsonOutcome `json:"addresses"`
	Expectations int           `json:"expectations"`
	Failed       int           `json:"failed"`
}

// jsonCase is a Verdict.
type jsonCase struct {
	Event    string           `json:"event"` // "case"
	Case     string           `json:"case"`
	Failed   []jsonOutcome    `json:"failed,omitempty"`
	Repaired []jsonOutcome    `json:"repaired,omitempty"`
	Dead     bool             `json:"dead_weight,omitempty"` // the failure lowers a priority and moves nothing
	Out      *Seconds         `json:"out,omitempty"`
	Back     *Seconds         `json:"back,omitempty"`
	Serving  []netip.AddrPort `json:"serving,omitempty"`
}

// JSON writes a run as JSON Lines: the segments and addresses, the trace, and the outcomes for the addresses.
func (c *Cluster) JSON(w io.Writer, r Run) error {
	lines := []any{c.jsonHead()}
	for _, e := range r.Trace {
		lines = append(lines, e)
	}
	end := jsonEnd{
		At: Seconds(r.End), Event: "end", Addresses: c.jsonOutcomes(r.Outcomes()), Expectations: r.Expected, Failed: len(r.Failed),
	}
	return writeLines(w, append(lines, end))
}

// CasesJSON writes the results of cases as JSON Lines: the segments and addresses, then each case.
func (c *Cluster) CasesJSON(w io.Writer, verdicts []Verdict) error {
	lines := []any{c.jsonHead()}
	for _, v := range verdicts {
		k := jsonCase{Event: "case", Case: v.Title, Failed: c.jsonOutcomes(v.Failed), Repaired: c.jsonOutcomes(v.Repaired), Dead: v.Dead, Serving: v.Serving}
		if v.Server {
			k.Out, k.Back = happened(v.Out), happened(v.Back)
		}
		lines = append(lines, k)
	}
	return writeLines(w, lines)
}

// happened is a time that may never have come.
func happened(d time.Duration) *Seconds {
	if d == never {
		return nil
	}
	s := Seconds(d)
	return &s
}

func (c *Cluster) jsonHead() head {
	h := head{Event: "start", Version: Version}
	for i, n := range c.nodes {
		j := jsonNode{Name: n.Name, Interfaces: []jsonPort{}}
		for _, p := range c.ports[i] {
			j.Interfaces = append(j.Interfaces, jsonPort{p.Interface, p.Segment, p.Sources, p.Assumed})
		}
		h.Nodes = append(h.Nodes, j)
	}
	return h
}

func (c *Cluster) jsonOutcomes(list []Outcome) []jsonOutcome {
	all := make([]jsonOutcome, 0, len(list))
	for _, o := range list {
		j := jsonOutcome{o.Address, Seconds(o.Gap), Seconds(o.Overlap), o.Flaps, []string{}}
		j.Holders = append(j.Holders, pick(c.Names(), o.Holders)...)
		all = append(all, j)
	}
	return all
}

func writeLines(w io.Writer, lines []any) error {
	e := json.NewEncoder(report.InJSON(w))
	e.SetEscapeHTML(false)
	for _, l := range lines {
		if err := e.Encode(l); err != nil {
			return fmt.Errorf("write the simulation: %w", err)
		}
	}
	return nil
}
