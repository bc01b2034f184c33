package report

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Rollout is a search for an order in which directors can get their new files one after another, with every address
// always at exactly one MASTER.
type Rollout struct {
	// Routers says whose rules were played: "keepc", or "keepalived", which drops advertisements with addresses that
	// differ from its own; "all" if both lead to the same result.
	Routers string `json:"routers"`
	Safe    bool   `json:"safe"`
	// Uncertain says that nothing goes wrong in what was played, but not everything was played that can move a role.
	Uncertain bool             `json:"uncertain,omitempty"`
	Steps     []RolloutStep    `json:"steps"`             // the safe order, or the least bad one
	Unsafe    []RolloutStep    `json:"unsafe,omitempty"`  // the safe order reversed, if that is not safe
	Instead   []RolloutStep    `json:"instead,omitempty"` // safe, but without a standby meanwhile
	Before    []RolloutTrouble `json:"before,omitempty"`  // what is wrong before the first step
	Orders    int              `json:"orders"`            // how many there are
	Tried     int              `json:"tried"`             // those that were played until one was safe, or ruled out by their first steps
}

// A RolloutStep is what is done to one director.
type RolloutStep struct {
	Director string           `json:"director"`
	Action   string           `json:"action"` // reload, stop, start
	Moves    []RolloutMove    `json:"moves,omitempty"`
	Troubles []RolloutTrouble `json:"troubles,omitempty"`
}

// A RolloutMove is an address that a different director holds after a step.
type RolloutMove struct {
	Instance     string   `json:"instance"`
	Address      string   `json:"address"`
	From         []string `json:"from"`
	To           []string `json:"to"`
	FromPriority int      `json:"from_priority,omitempty"`
	ToPriority   int      `json:"to_priority,omitempty"`
}

// A RolloutTrouble is an address that no director holds, or several do, for some seconds. Stays: until the next step.
type RolloutTrouble struct {
	Address string   `json:"address"`
	Nobody  float64  `json:"nobody,omitempty"`
	Several float64  `json:"several,omitempty"`
	Holders []string `json:"holders"` // in the end
	Stays   bool     `json:"stays,omitempty"`
}

// Consequence says what a move means for the director that reloads: "would take MASTER from lb2 (priority 120)".
func (m RolloutMove) Consequence(director string) string {
	switch {
	case len(m.To) > 1:
		return strings.Join(m.To, " and ") + " would both be MASTER"
	case len(m.To) == 0:
		return "nobody would be MASTER"
	case m.kept():
		return others(m.From, m.To[0]) + " would yield MASTER to " + m.To[0]
	case m.To[0] == director:
		return "would take MASTER from " + strings.Join(m.From, " and ") + priority(m.FromPriority)
	}
	return "would lose MASTER to " + m.To[0] + priority(m.ToPriority)
}

// kept reports whether the holder was one of the holders before.
func (m RolloutMove) kept() bool { return len(m.To) == 1 && slices.Contains(m.From, m.To[0]) }

func others(names []string, name string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == name }), " and ")
}

func priority(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (priority %d)", n)
}

// told describes a move in the words of a rollout.
func (m RolloutMove) told() string {
	switch {
	case len(m.To) == 0:
		return "nobody is MASTER of " + m.Instance
	case len(m.To) > 1:
		return strings.Join(m.To, " and ") + " are MASTER of " + m.Instance
	case len(m.From) == 0:
		return m.To[0] + " takes " + m.Address
	case m.kept():
		return others(m.From, m.To[0]) + " yields " + m.Instance + " to " + m.To[0]
	}
	return m.To[0] + " takes " + m.Instance + " from " + strings.Join(m.From, " and ") + priority(m.FromPriority)
}

// Same reports whether two rollouts are equal, whoever the routers are.
func (r Rollout) Same(o Rollout) bool {
	r.Routers = o.Routers
	return reflect.DeepEqual(r, o)
}

// keepalivedRule is what makes keepalived a different kind of router in a rollout.
const keepalivedRule = "routers with keepalived drop advertisements with other addresses than theirs (2.2.7 does)"

// rollout writes a search.
func (s *planScreen) rollout(r Rollout) {
	title := "Rollout"
	if r.Routers == "keepalived" {
		title = "Rollout with keepalived"
	}
	for _, x := range r.Before {
		s.line("~", "Before the change "+x.what()+".", "")
	}
	switch {
	case r.Uncertain:
		s.line("~", title+": "+reloads(r.Steps)+". Not known to be safe: nothing goes wrong in what is simulated, and not all is.", "")
	case r.Safe:
		s.line("#", title+": "+reloads(r.Steps)+". No address is ever without a MASTER, or has two.", "")
	case len(r.Steps) == 1:
		s.line("-", title+": not safe.", "")
	case r.Tried < r.Orders:
		s.line("-", fmt.Sprintf("%s: no safe order among %d of %d that were tried. The least bad of them:", title, r.Tried, r.Orders), "")
	default:
		s.line("-", title+": no order is safe. The least bad:", "")
	}
	if r.Routers == "keepalived" && !r.Safe {
		s.line("", "  "+keepalivedRule, "")
	}
	s.steps(r.Steps)
	if len(r.Unsafe) > 0 {
		s.line("-", "Not in the order "+order(r.Unsafe)+":", "")
		s.steps(r.Unsafe)
	}
	if len(r.Instead) > 0 {
		s.line("#", "Safe instead, without a standby meanwhile:", "")
		s.steps(r.Instead)
	}
}

func order(steps []RolloutStep) string {
	var names []string
	for _, s := range steps {
		names = append(names, s.Director)
	}
	return strings.Join(names, ", then ")
}

// reloads describes an order in words, even for a single director.
func reloads(steps []RolloutStep) string {
	if len(steps) == 1 {
		return "reload " + steps[0].Director
	}
	return order(steps)
}

func (s *planScreen) steps(steps []RolloutStep) {
	width := 0
	for _, p := range steps {
		width = max(width, Columns(p.Director))
	}
	for i, p := range steps {
		next := ""
		if i+1 < len(steps) {
			next = steps[i+1].Director
		}
		head := fmt.Sprintf("  %-6s %s", p.Action, Padded(p.Director, width))
		lines := p.lines(next)
		if len(lines) == 0 {
			lines = []mark{{"", "nothing moves"}}
		}
		for _, l := range lines {
			s.line(l.mark, head+"  "+l.text, "")
			head = strings.Repeat(" ", Columns(head))
		}
	}
}

// A mark is a line with the mark that colours it.
type mark struct{ mark, text string }

// lines says what a step does, each effect once however many addresses it concerns.
func (p RolloutStep) lines(next string) (lines []mark) {
	add := func(m mark) {
		for _, l := range lines {
			if l == m {
				return
			}
		}
		lines = append(lines, m)
	}
	for _, m := range p.Moves {
		if len(m.To) == 1 {
			add(mark{"~", m.told()})
		}
	}
	for _, x := range p.Troubles {
		add(mark{"-", "!! " + x.text(next)})
	}
	return lines
}

func (x RolloutTrouble) what() string {
	switch {
	case len(x.Holders) > 1:
		return x.Address + " is on " + strings.Join(x.Holders, " and ")
	case x.Several > 0:
		return x.Address + " is on two"
	}
	return x.Address + " is nowhere"
}

// text describes a trouble; next is the next director, whose step may end it.
func (x RolloutTrouble) text(next string) string {
	what := x.what()
	switch {
	case !x.Stays:
		return what + fmt.Sprintf(" for %.1fs", x.Several+x.Nobody)
	case next != "":
		return what + " until the turn of " + next
	}
	return what + " from then on"
}
