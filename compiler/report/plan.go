package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/diff"
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/state"
	"keepc/grammar/source"
)

// PlanVersion is the version of the JSON form of a plan; it grows when a field changes its meaning or is removed.
const PlanVersion = 1

// A Plan is the JSON form of a plan, from which the screen is made.
type Plan struct {
	Version int          `json:"version"`
	File    string       `json:"file"`
	Head    string       `json:"head"`
	Changes []PlanChange `json:"changes"`
	*Reload              // nil: what is in force is unknown, or no director runs
	// Uncertain says that a director runs and what it has in force is unknown: it may change and remove more than is
	// shown.
	Uncertain bool          `json:"uncertain,omitempty"`
	Summary   PlanSummary   `json:"summary"`
	Restart   []StartChange `json:"restart,omitempty"` // what takes effect only after a restart of the running daemon
	Notes     []string      `json:"notes,omitempty"`
}

// A StartChange is a setting that the running daemon keeps until it ends.
type StartChange struct {
	Keyword string `json:"keyword"` // global_defs.dynamic_interfaces
	Before  string `json:"before"`
	After   string `json:"after"`
	At      *Place `json:"at,omitempty"`
}

// A PlanChange is one change of one object.
type PlanChange struct {
	Action   string    `json:"action"` // add change replace remove foreign
	Kind     string    `json:"kind"`   // the name of a state.Kind: address route rule service destination …
	Name     string    `json:"name"`
	Service  string    `json:"service,omitempty"` // of a destination
	Devices  []string  `json:"devices,omitempty"` // the interfaces that an address or a route needs
	Why      string    `json:"why"`
	At       *Place    `json:"at,omitempty"`
	Before   Values    `json:"before,omitzero"`
	After    Values    `json:"after,omitzero"`
	Settings []Setting `json:"settings,omitempty"` // what differs, or everything that an added object has
	Same     int       `json:"unchanged_settings,omitempty"`

	mark  string
	about state.Traits
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

// String returns the totals.
func (s PlanSummary) String() string {
	return fmt.Sprintf("%d to add, %d to change, %d to remove", s.Add, s.Change, s.Remove)
}

// NewPlan builds the model of a plan. head is the line that says what was examined and assumed.
func NewPlan(file, head string, p plan.Plan) Plan {
	m := Plan{Version: PlanVersion, File: file, Head: head, Changes: make([]PlanChange, 0, len(p))}
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

// Empty reports whether the plan changes nothing.
func (m Plan) Empty() bool {
	return m.Summary == PlanSummary{} && len(m.Restart) == 0 && (m.Reload == nil || m.Reload.Empty())
}

// Moves reports whether something happens to an instance, which may affect the other directors.
func (m Plan) Moves() bool { return m.Reload != nil && m.moves() }

// AddReload adds what a reload changes besides the kernel objects.
func (m *Plan) AddReload(d diff.Diff) {
	r := NewReload(d)
	r.Settings = slices.DeleteFunc(r.Settings, func(c SettingChange) bool {
		return slices.ContainsFunc(m.Restart, func(s StartChange) bool { return s.Keyword == c.Keyword })
	})
	r.explain(m.Changes)
	m.Reload, m.Notes = &r, append(m.Notes, d.Notes...)
}

// NeedRestart adds what takes effect only after a restart: the settings that differ from those with which a daemon
// started, by keyword.
func (m *Plan) NeedRestart(running map[string]string, wanted []ir.StartSetting) {
	gone := maps.Clone(running)
	for _, w := range wanted {
		if was, set := running[w.Path]; !set || was != w.Value {
			m.Restart = append(m.Restart, StartChange{w.Path, startValue(was, set), startValue(w.Value, true), place(w.Span)})
		}
		delete(gone, w.Path)
	}
	for _, path := range slices.Sorted(maps.Keys(gone)) {
		m.Restart = append(m.Restart, StartChange{Keyword: path, Before: startValue(gone[path], true)})
	}
}

// startValue is the value of a setting that may have none.
func startValue(value string, set bool) string {
	if set && value == "" {
		return "on"
	}
	return value
}

func planChange(c plan.Change) PlanChange {
	about := c.Kind.About()
	m := PlanChange{
		Action: actionWord(c.Action), Kind: about.Name, Name: c.Kind.TitleOf(c.Key), Devices: c.Kind.DevicesOf(c.Key, c.After), Why: c.Why, At: place(c.Origin),
		mark: string(c.Action), about: about,
	}
	if parent := c.Kind.ParentOf(c.Key); parent != nil {
		m.Service = parent.String()
	}
	m.Before, m.After = Values{c.Before}, Values{c.After}
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

// Values are the settings that an object has, in JSON by their names. The screen of 50,000 changes needs none.
type Values struct{ object state.Object }

// IsZero reports whether there are none.
func (v Values) IsZero() bool { return len(v.settings()) == 0 }

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) { return json.Marshal(v.settings()) }

func (v Values) settings() map[string]string {
	m := map[string]string{}
	if v.object != nil {
		for _, f := range v.object.Fields() {
			if f.Value != "" {
				m[f.Name] = f.Value
			}
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
	if err := writeJSON(w, m); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// PlanScreen writes the plan for a person. all also shows foreign addresses; verbose explains the marks.
func PlanScreen(w io.Writer, m Plan, c Colors, all, verbose bool) error {
	s := planScreen{c: c}
	s.line("", m.Head, "")
	s.line("", "", "")
	switch {
	case m.Empty() && m.Uncertain:
		s.line("", "Nothing that "+m.File+" names changes in the kernel. What else changes, or goes, is not known.", "")
	case m.Empty():
		s.line("", "No changes. This host already matches "+m.File+".", "")
	}
	s.changes(m.Changes, all)
	if m.Reload != nil {
		s.settings(*m.Reload, false)
	}
	s.restart(m.Restart)
	if verbose {
		s.legend()
	}
	if !m.Empty() {
		total := DiffSummary{PlanSummary: m.Summary}
		if m.Reload != nil {
			total.Settings = len(m.Settings)
		}
		text := "Plan: " + total.String() + "."
		switch n := len(m.Restart); {
		case n == 1:
			text += " 1 needs a restart."
		case n > 1:
			text += fmt.Sprintf(" %d need a restart.", n)
		}
		if m.Reload != nil {
			text += m.tally()
		}
		s.line("", text, "")
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
	b     strings.Builder
	c     Colors
	marks []string // of the lines so far
}

// line writes one line: a coloured mark and its text, with the place in the right column.
func (s *planScreen) line(mark, text, at string) {
	if text = printable(text); at != "" {
		text = Padded(text+"  ", placeColumn) + printable(at)
	}
	s.marks = append(s.marks, mark)
	s.b.WriteString(s.c.Mark(mark, text))
	s.b.WriteByte('\n')
}

// changes writes what changes, in groups with one reason each: all changes of a group come where its first one is.
func (s *planScreen) changes(changes []PlanChange, all bool) {
	var groups []string
	members := map[string][]*PlanChange{}
	for i := range changes {
		c := &changes[i]
		group := "# " + c.Why
		switch {
		case c.Action == "foreign" && (c.Service != "" || c.about.Common && !all):
			continue
		case c.Action == "foreign":
			group = "."
		case c.Service != "":
			group = c.Service
		case c.about.Whole:
			group = c.Name
		}
		if members[group] == nil {
			groups = append(groups, group)
		}
		members[group] = append(members[group], c)
	}
	for _, group := range groups {
		g := members[group]
		switch {
		case group == ".":
			for _, c := range g {
				s.line(".", "  . "+c.Kind+" "+c.Name+" is "+c.Why, "")
			}
		case strings.HasPrefix(group, "# "):
			s.line("#", "  "+group, "")
			for _, c := range g {
				s.object("  ", c.Kind, c)
			}
		default:
			s.service(group, g)
			continue
		}
		s.line("", "", "")
	}
}

// restart writes what waits for a restart.
func (s *planScreen) restart(changes []StartChange) {
	for _, c := range changes {
		s.line("!", fmt.Sprintf("  ! %s %s -> %s: takes effect only after a restart", c.Keyword, orNone(c.Before), orNone(c.After)), c.At.String())
	}
	if len(changes) > 0 {
		s.line("", "", "")
	}
}

// legend explains the marks that occur.
func (s *planScreen) legend() {
	var words []string
	for _, e := range []struct{ mark, text string }{
		{"+", "add"}, {"~", "change in place"}, {"-/+", "remove and add again"}, {"-", "remove"}, {"!", "needs a restart"}, {".", "not ours"},
	} {
		if slices.Contains(s.marks, e.mark) {
			words = append(words, e.mark+" "+e.text)
		}
	}
	if len(words) > 0 {
		s.line("", strings.Join(words, "   "), "")
		s.line("", "", "")
	}
}

func (s *planScreen) service(name string, g []*PlanChange) {
	head, rest := g[0], g
	if head.about.Whole {
		rest = g[1:]
		why := head.Why
		if head.Action == "add" {
			why = "does not exist yet"
		}
		s.line("#", "  # "+name+" "+why, "")
		s.object("  ", head.Kind, head)
	} else {
		s.line("#", "  # "+name+" stays; its real servers change", "")
		s.line("", "    service "+name, "")
	}
	for _, c := range rest {
		s.object("      ", "", c)
	}
	s.line("", "", "")
}

// object writes one change, with its kind unless that is plain. An added object shows its settings in the line; a changed one shows one setting in the line, or
// several below it.
func (s *planScreen) object(indent, kind string, c *PlanChange) {
	text := indent + c.mark + " "
	if kind != "" {
		text += kind + " "
	}
	text += c.Name
	below := false
	switch {
	case c.Action == "add":
		for _, f := range c.Settings {
			text += "  " + c.label(f.Name) + f.After
		}
	case len(c.Settings) == 1 && !c.about.Whole:
		text += "  " + arrow(c.Settings[0], 0)
	default:
		below = true
	}
	if kind == "" { // a destination has its own reason
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

// label is what is written before the value of a setting: its name, unless the value is plain by itself.
func (c *PlanChange) label(name string) string {
	if slices.Contains(c.about.Bare, name) {
		return ""
	}
	return name + " "
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
