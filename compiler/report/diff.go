package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"keepc/compiler/diff"
)

// DiffVersion is the version of the JSON form of a diff; it grows when a field changes its meaning or is removed.
const DiffVersion = 1

// A Diff is the JSON form of a diff of one or several directors, from which the screen is made.
type Diff struct {
	Version   int            `json:"version"`
	Directors []DirectorDiff `json:"directors"`
	Peers     []string       `json:"peers,omitempty"` // directors that keep their files
	// Rollouts are for clusters: one that holds for all routers, or one for keepc and one for keepalived if these
	// differ.
	Rollouts []Rollout `json:"rollouts,omitempty"`
	// NotSimulated is the parts of the files that no rollout plays although they can move a role: one line for each
	// reason.
	NotSimulated []string `json:"not_simulated,omitempty"`
}

// A DirectorDiff is what changes on one director.
type DirectorDiff struct {
	Director string       `json:"director"`
	Old      string       `json:"old"`
	New      string       `json:"new"`
	Head     string       `json:"head"`
	Changes  []PlanChange `json:"changes"` // of kernel objects
	Reload
	Summary DiffSummary `json:"summary"`
	Notes   []string    `json:"notes,omitempty"`
}

// A Reload is what a reload changes besides the kernel objects, and what happens to instances and real servers.
type Reload struct {
	Settings    []SettingChange `json:"settings"`
	Instances   []Verdict       `json:"instances"`
	RealServers []Verdict       `json:"real_servers"`
}

// A SettingChange is one keyword that differs, or a block that is added or removed.
type SettingChange struct {
	Action  string `json:"action"`          // add change remove
	Keyword string `json:"keyword"`         // its path from the top level: vrrp_instance.priority
	Block   string `json:"block,omitempty"` // the block around it: VI_1, global_defs
	Name    string `json:"name"`            // priority, track_script chk_http
	Before  string `json:"before,omitempty"`
	After   string `json:"after,omitempty"`
	Secret  bool   `json:"secret,omitempty"` // the values differ and are not shown
	At      *Place `json:"at,omitempty"`

	mark string
}

// A Verdict says what happens to an instance or a real server.
type Verdict struct {
	Name    string `json:"name"`
	Service string `json:"service,omitempty"` // of a real server
	// Interface, VirtualRouterID and Family are what a reload identifies an instance by.
	Interface       string `json:"interface,omitempty"`
	VirtualRouterID int    `json:"virtual_router_id,omitempty"`
	Family          string `json:"family,omitempty"`
	// Verdict is one of: untouched, retuned in place, addresses change, re-election, restart needed; of a real server one of: kept
	// with its state, re-checked, drained, removed, added.
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	// Consequence is the effect on the other directors: "would take MASTER from lb2 (priority 120)".
	Consequence string `json:"consequence,omitempty"`
	At          *Place `json:"at,omitempty"`

	quiet bool // nothing happens to it
}

// DiffSummary counts the changes.
type DiffSummary struct {
	PlanSummary
	Settings int `json:"settings"`
}

// NewDirectorDiff builds the model of what changes on one director. head says what is compared and assumed.
func NewDirectorDiff(name, before, after, head string, d diff.Diff) DirectorDiff {
	kernel := NewPlan(after, head, d.Kernel)
	m := DirectorDiff{
		Director: name, Old: before, New: after, Head: head, Changes: kernel.Changes, Reload: NewReload(d),
		Summary: DiffSummary{kernel.Summary, len(d.Settings)}, Notes: d.Notes,
	}
	m.explain(m.Changes)
	return m
}

// NewReload builds the model of what a reload changes besides the kernel objects.
func NewReload(d diff.Diff) Reload {
	m := Reload{
		Settings:  make([]SettingChange, 0, len(d.Settings)),
		Instances: make([]Verdict, 0, len(d.Instances)), RealServers: make([]Verdict, 0, len(d.Servers)),
	}
	for _, s := range d.Settings {
		m.Settings = append(m.Settings, settingChange(s))
	}
	for _, i := range d.Instances {
		family := "IPv4"
		if i.Key.IPv6 {
			family = "IPv6"
		}
		m.Instances = append(m.Instances, Verdict{
			Name: i.Name, Interface: i.Key.Interface, VirtualRouterID: int(i.Key.VRID), Family: family,
			Verdict: string(i.Verdict), Reason: i.Reason, At: place(i.Origin), quiet: i.Verdict == diff.Untouched,
		})
	}
	for _, s := range d.Servers {
		m.RealServers = append(m.RealServers, Verdict{
			Name: s.Key.Server.String(), Service: s.Key.Service.String(), Verdict: string(s.Verdict), Reason: s.Reason, At: place(s.Origin),
			quiet: s.Verdict == diff.Kept,
		})
	}
	return m
}

// Empty reports whether a reload changes nothing besides the kernel objects.
func (m Reload) Empty() bool {
	return len(m.Settings) == 0 && !m.moves() && !slices.ContainsFunc(m.RealServers, Verdict.loud)
}

// moves reports whether something happens to an instance.
func (m Reload) moves() bool { return slices.ContainsFunc(m.Instances, Verdict.loud) }

func (v Verdict) loud() bool { return !v.quiet }

// explain sets the verdicts on real servers as the reasons of their kernel objects' changes.
func (m Reload) explain(changes []PlanChange) {
	type server struct{ name, service string }
	verdicts := make(map[server]*Verdict, len(m.RealServers))
	for i := range m.RealServers {
		v := &m.RealServers[i]
		verdicts[server{v.Name, v.Service}] = v
	}
	for i := range changes {
		c := &changes[i]
		v := verdicts[server{c.Name, c.Service}]
		if v != nil && c.Kind == "destination" && (c.Action != "add" || v.Verdict != string(diff.Kept)) { // the kernel may lack what is kept
			c.Why = v.Verdict + ": " + v.Reason
		}
	}
}

func settingChange(s diff.Setting) SettingChange {
	c := SettingChange{
		Action: actionWord(s.Action), Keyword: s.Path, Block: s.Block, Name: s.Name, At: place(s.Origin), Secret: s.Secret,
		Before: hideValue(s.Name, s.Before), After: hideValue(s.Name, s.After), mark: string(s.Action),
	}
	c.Secret = c.Secret || s.Before != s.After && c.Before == c.After
	return c
}

// hideValue hides the parts of a value that are secret by the words around them.
func hideValue(name, value string) string {
	return strings.TrimPrefix(Hide(name+" "+value), name+" ")
}

// Suffer records what a step of a rollout does to the director's instances. An instance that does not keep its role
// goes through a new election.
func (m *DirectorDiff) Suffer(s RolloutStep) {
	for _, move := range s.Moves {
		for i := range m.Instances {
			v := &m.Instances[i]
			if v.Name != move.Instance || v.Consequence != "" || v.At == nil || len(move.From) == 0 {
				continue
			}
			v.Consequence = move.Consequence(m.Director)
			if v.Verdict == string(diff.Retuned) || v.Verdict == string(diff.Addresses) {
				if keeps := move.kept() || slices.Contains(move.To, m.Director) && slices.Contains(move.From, m.Director); !keeps {
					v.Verdict, v.Reason = string(diff.Election), "with these peers it does not keep its role"
				}
			}
		}
	}
}

// Empty reports whether nothing changes.
func (m DirectorDiff) Empty() bool {
	return m.Summary == DiffSummary{} && m.Reload.Empty()
}

// alone reports whether something happens to an instance of a director whose peers are unknown.
func (m Diff) alone() bool {
	return len(m.Directors) == 1 && len(m.Peers) == 0 && m.Directors[0].moves()
}

// Empty reports whether nothing changes on any director.
func (m Diff) Empty() bool {
	return !slices.ContainsFunc(m.Directors, func(d DirectorDiff) bool { return !d.Empty() })
}

// DiffJSON writes the diff for programs.
func DiffJSON(w io.Writer, m Diff) error {
	if err := writeJSON(w, m); err != nil {
		return fmt.Errorf("write the diff: %w", err)
	}
	return nil
}

// DiffScreen writes the diff for a person. all also shows what is untouched.
func DiffScreen(w io.Writer, m Diff, c Colors, all bool) error {
	s := planScreen{c: c}
	for i, d := range m.Directors {
		if i > 0 {
			s.line("", "", "")
		}
		s.director(d, all)
	}
	for _, r := range m.Rollouts {
		s.line("", "", "")
		s.rollout(r)
	}
	for i, line := range m.NotSimulated {
		if i == 0 {
			s.line("", "", "")
		}
		s.line("!", "Not simulated: "+line+".", "")
	}
	if m.alone() {
		s.line("", "For the effect on the other directors: --peers FILES.", "")
	}
	if _, err := io.WriteString(w, s.b.String()); err != nil {
		return fmt.Errorf("write the diff: %w", err)
	}
	return nil
}

func (s *planScreen) director(d DirectorDiff, all bool) {
	s.line("", d.Head, "")
	if d.Empty() && !all {
		s.line("", "No changes. "+d.New+" configures what "+d.Old+" does.", "")
	} else {
		s.line("", "", "")
		s.changes(d.Changes, false)
		s.settings(d.Reload, all)
		s.line("", "Diff: "+d.Summary.String()+"."+d.tally(), "")
	}
	for _, n := range d.Notes {
		s.line("", n, "")
	}
}

// settings writes what is not a kernel object, block by block, under the verdict on the block.
func (s *planScreen) settings(d Reload, all bool) {
	blocks := map[string][]SettingChange{}
	var order []string
	for _, c := range d.Settings {
		if blocks[c.Block] == nil {
			order = append(order, c.Block)
		}
		blocks[c.Block] = append(blocks[c.Block], c)
	}
	group := func(title, reason, block, consequence string, at *Place) {
		s.line("#", "  # "+title, at.String())
		if reason != "" {
			s.line("", "    "+reason, "")
		}
		for _, c := range blocks[block] {
			s.setting(c)
		}
		if consequence != "" {
			s.line("~", "      "+consequence, "")
		}
		s.line("", "", "")
		delete(blocks, block)
	}
	for _, v := range d.Instances {
		if all || !v.quiet || blocks[v.Name] != nil {
			group(v.Name+": "+v.Verdict, v.Reason, v.Name, v.Consequence, v.At)
		}
	}
	for i := 0; i < len(d.RealServers); {
		n := alike(d.RealServers[i:], blocks)
		v := d.RealServers[i]
		block := v.Name + " of " + v.Service
		if blocks[v.Service] != nil {
			group(v.Service, "", v.Service, "", nil)
		}
		if all || v.Verdict == string(diff.Rechecked) || blocks[block] != nil {
			group(fmt.Sprintf("%s of %s: %s", names(d.RealServers[i:i+n]), v.Service, v.Verdict), v.Reason, block, "", v.At)
		}
		i += n
	}
	for _, b := range order {
		if blocks[b] == nil {
			continue
		}
		title := b
		if b == "" {
			title = "top level"
		}
		group(title, "", b, "", nil)
	}
}

// alike counts the first real servers that share service, verdict and reason, and have nothing else to show.
func alike(list []Verdict, blocks map[string][]SettingChange) int {
	n := 1
	same := func(v Verdict) bool {
		return v.Service == list[0].Service && v.Verdict == list[0].Verdict && v.Reason == list[0].Reason
	}
	own := func(v Verdict) bool { return blocks[v.Name+" of "+v.Service] != nil }
	for !own(list[0]) && n < len(list) && same(list[n]) && !own(list[n]) {
		n++
	}
	return n
}

// maxNames is the number of names of a kind that are listed.
const maxNames = 6

func names(list []Verdict) string {
	var all []string
	for _, v := range list[:min(len(list), maxNames)] {
		all = append(all, v.Name)
	}
	text := strings.Join(all, ", ")
	if n := len(list) - maxNames; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// setting writes one changed setting.
func (s *planScreen) setting(c SettingChange) {
	text := "  " + c.mark + " "
	if !strings.Contains(c.Block, " of ") && c.Block != "" {
		text += c.Block + " "
	}
	text += c.Name
	switch {
	case c.Secret:
		text += "  differs"
	case c.Action == "change":
		text += "  " + orNone(c.Before) + " -> " + orNone(c.After)
	case c.Before+c.After != "":
		text += "  " + c.Before + c.After
	}
	s.line(c.mark, text, c.At.String())
}

// String returns the totals.
func (s DiffSummary) String() string {
	if s.Settings > 0 {
		return s.PlanSummary.String() + "; " + Count(s.Settings, "other setting")
	}
	return s.PlanSummary.String()
}

// tally counts what happens to instances and real servers.
func (m Reload) tally() (text string) {
	if len(m.Instances) > 0 {
		text += " " + tally(m.Instances, "instance")
	}
	if len(m.RealServers) > 0 {
		text += " " + tally(m.RealServers, "real server")
	}
	return text
}

// tally counts verdicts in the order in which they appear.
func tally(list []Verdict, noun string) string {
	var order []string
	count := map[string]int{}
	for _, v := range list {
		if count[v.Verdict] == 0 {
			order = append(order, v.Verdict)
		}
		count[v.Verdict]++
	}
	var parts []string
	for _, v := range order {
		text := v
		if v == string(diff.Addresses) { // the number is of instances
			text = "change addresses"
			if count[v] == 1 {
				text = "changes addresses"
			}
		}
		parts = append(parts, fmt.Sprintf("%d %s", count[v], text))
	}
	return Count(len(list), noun) + ": " + strings.Join(parts, ", ") + "."
}
