package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// PlanVersion is the version of the JSON form of a plan; it grows when a field changes its meaning or goes.
const PlanVersion = 1

// A Plan is the JSON form of a plan, and what the screen is made from.
type Plan struct {
	Version int          `json:"version"`
	File    string       `json:"file"`
	Head    string       `json:"head"`
	Changes []PlanChange `json:"changes"`
	Summary PlanSummary  `json:"summary"`
	Notes   []string     `json:"notes,omitempty"`
}

// A PlanChange is one change of one object.
type PlanChange struct {
	Action   string            `json:"action"` // add change replace remove foreign
	Kind     string            `json:"kind"`   // address service destination timeouts
	Name     string            `json:"name"`
	Service  string            `json:"service,omitempty"` // of a destination
	Why      string            `json:"why"`
	At       *Place            `json:"at,omitempty"`
	Before   map[string]string `json:"before,omitempty"`
	After    map[string]string `json:"after,omitempty"`
	Settings []Setting         `json:"settings,omitempty"` // what differs, or all that an added object has
	Same     int               `json:"unchanged_settings,omitempty"`

	mark string
}

// A Setting is one setting of an object; Before is empty for an added one.
type Setting struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// A Place is a line of a file.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p *Place) String() string {
	if p == nil {
		return ""
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// PlanSummary counts the changes.
type PlanSummary struct {
	Add    int `json:"add"`
	Change int `json:"change"`
	Remove int `json:"remove"`
}

// NewPlan makes the model of a plan. head is the line that says what was looked at and assumed.
func NewPlan(file, head string, p plan.Plan) Plan {
	m := Plan{Version: PlanVersion, File: file, Head: head, Changes: []PlanChange{}}
	for _, c := range p {
		m.Changes = append(m.Changes, planChange(c))
		switch c.Action {
		case plan.Add:
			m.Summary.Add++
		case plan.Edit, plan.Replace:
			m.Summary.Change++
		case plan.Remove:
			m.Summary.Remove++
		}
	}
	return m
}

// Empty tells whether the plan changes nothing.
func (m Plan) Empty() bool { return m.Summary == PlanSummary{} }

func planChange(c plan.Change) PlanChange {
	m := PlanChange{Action: actionWord(c.Action), Name: c.Key.String(), Why: c.Why, At: place(c.Origin), mark: string(c.Action)}
	switch k := c.Key.(type) {
	case state.AddressKey:
		m.Kind = "address"
	case ir.ServiceKey:
		m.Kind = "service"
	case state.TimeoutsKey:
		m.Kind, m.Name = "timeouts", "of ipvs"
	case state.DestinationKey:
		m.Kind, m.Name, m.Service = "destination", k.Server.String(), k.Service.String()
	}
	m.Before, m.After = settings(c.Before), settings(c.After)
	if c.Before == nil && c.After != nil {
		for _, f := range c.After.Fields() {
			if f.Value != "" {
				m.Settings = append(m.Settings, Setting{Name: f.Name, After: f.Value})
			}
		}
		return m
	}
	differ, same := c.Differences()
	for _, d := range differ {
		m.Settings = append(m.Settings, Setting(d))
	}
	m.Same = same
	return m
}

func settings(o state.Object) map[string]string {
	if o == nil {
		return nil
	}
	m := map[string]string{}
	for _, f := range o.Fields() {
		if f.Value != "" {
			m[f.Name] = f.Value
		}
	}
	return m
}

func actionWord(a plan.Action) string {
	switch a {
	case plan.Add:
		return "add"
	case plan.Edit:
		return "change"
	case plan.Replace:
		return "replace"
	case plan.Remove:
		return "remove"
	}
	return "foreign"
}

func place(s source.Span) *Place {
	if s.IsZero() {
		return nil
	}
	p := s.Position()
	return &Place{File: p.File, Line: p.Line, Column: p.Col}
}

// PlanJSON writes the plan for programs.
func PlanJSON(w io.Writer, m Plan) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// PlanScreen writes the plan for a person. all shows foreign addresses, too.
func PlanScreen(w io.Writer, m Plan, c Colors, all bool) error {
	s := planScreen{c: c}
	s.line("", m.Head, "")
	s.line("", "", "")
	if m.Empty() {
		s.line("", "No changes. This host already matches "+m.File+".", "")
	}
	s.changes(m.Changes, all)
	if !m.Empty() {
		s.line("", fmt.Sprintf("Plan: %d to add, %d to change, %d to remove.", m.Summary.Add, m.Summary.Change, m.Summary.Remove), "")
	}
	for _, n := range m.Notes {
		s.line("", n, "")
	}
	_, err := io.WriteString(w, s.b.String())
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// placeColumn is where the right column starts: the source line that asks for a change.
const placeColumn = 72

type planScreen struct {
	b strings.Builder
	c Colors
}

// line writes one line: a coloured mark's line, with the place in the right column.
func (s *planScreen) line(mark, text, at string) {
	if at != "" {
		text += strings.Repeat(" ", max(1, placeColumn-len(text))) + at
	}
	s.b.WriteString(s.c.Mark(mark, text))
	s.b.WriteByte('\n')
}

func (s *planScreen) changes(changes []PlanChange, all bool) {
	var why string
	shown := false
	services := byService(changes)
	for _, c := range changes {
		switch {
		case c.Kind == "destination" || c.Kind == "service" && c.Action != "foreign":
			// Printed with its service, where the first of the two stands.
			name := c.Service
			if c.Kind == "service" {
				name = c.Name
			}
			if g := services[name]; g != nil {
				if shown {
					s.line("", "", "")
				}
				s.service(name, g)
				delete(services, name)
				why, shown = "", false
			}
		case c.Action == "foreign":
			if all || c.Kind == "service" {
				s.line(".", "  . "+c.Kind+" "+c.Name+" is not ours; left alone", "")
				shown = true
			}
		default:
			if c.Why != why {
				if shown {
					s.line("", "", "")
				}
				s.line("#", "  # "+c.Why, "")
				why = c.Why
			}
			s.object("  ", c)
			shown = true
		}
	}
	if shown {
		s.line("", "", "")
	}
}

// byService groups the changes of each service with those of its destinations, in the order of the plan.
func byService(changes []PlanChange) map[string][]PlanChange {
	m := map[string][]PlanChange{}
	for _, c := range changes {
		switch {
		case c.Kind == "destination":
			m[c.Service] = append(m[c.Service], c)
		case c.Kind == "service" && c.Action != "foreign":
			m[c.Name] = append(m[c.Name], c)
		}
	}
	return m
}

func (s *planScreen) service(name string, g []PlanChange) {
	head, rest := g[0], g
	if head.Kind == "service" {
		rest = g[1:]
		why := head.Why
		if head.Action == "add" {
			why = "does not exist yet"
		}
		s.line("#", "  # "+name+" "+why, "")
		s.object("  ", head)
	} else {
		s.line("#", "  # "+name+" stays; its real servers change", "")
		s.line("", "    service "+name, "")
	}
	for _, c := range rest {
		c.Kind = ""
		s.object("      ", c)
	}
	s.line("", "", "")
}

// object writes one change. An added object shows its settings in the line; a changed one shows one setting in the line, or
// several below it.
func (s *planScreen) object(indent string, c PlanChange) {
	text := indent + c.mark + " "
	if c.Kind != "" {
		text += c.Kind + " "
	}
	text += c.Name
	below := false
	switch {
	case c.Action == "add":
		for _, f := range c.Settings {
			text += "  " + f.Name + " " + f.After
		}
	case len(c.Settings) == 1 && c.Kind != "service":
		text += "  " + arrow(c.Settings[0], 0)
	default:
		below = true
	}
	if c.Kind == "" { // a destination: its reason is its own
		text += "  (" + c.Why + ")"
	}
	s.line(c.mark, text, c.At.String())
	if !below {
		return
	}
	width := 0
	for _, f := range c.Settings {
		width = max(width, len(f.Name))
	}
	for _, f := range c.Settings {
		s.line("~", indent+"    ~ "+arrow(f, width), "")
	}
	if c.Same > 0 {
		s.line("", fmt.Sprintf("%s      (%s unchanged)", indent, Count(c.Same, "setting")), "")
	}
}

func arrow(f Setting, width int) string {
	return fmt.Sprintf("%-*s  %s -> %s", width, f.Name, orNone(f.Before), orNone(f.After))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
