package report

import (
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/cluster"
	"keepc/compiler/lint"
	"keepc/grammar/diag"
)

// A Group is a virtual router of a cluster with its members side by side.
type Group struct {
	Name      string   `json:"name"` // of the first member
	VRID      uint8    `json:"virtual_router_id"`
	Family    string   `json:"family"`
	Interface string   `json:"interface"`
	Nodes     []string `json:"nodes"`
	Rows      []Row    `json:"settings"`
}

// A Row is what the members say about one setting, in the order of the nodes; empty: nothing.
type Row struct {
	Setting string   `json:"setting"`
	Values  []string `json:"values"`
	Same    bool     `json:"same"`
	Found   bool     `json:"found"` // a finding is about it
}

// Found reports whether a finding is about the group.
func (g Group) Found() bool { return slices.ContainsFunc(g.Rows, func(r Row) bool { return r.Found }) }

// NewGroups builds the tables of the virtual routers of a cluster. shown reports whether a finding of the comparison
// is shown.
func NewGroups(c *cluster.Cluster, found lint.Comparison, shown func(diag.Diagnostic) bool) (groups []Group) {
	for _, g := range found.Groups {
		m := g.Members[0]
		one := Group{Name: printable(m.Name), VRID: m.VRID, Family: "IPv4", Interface: printable(m.Interface)}
		if m.IPv6() {
			one.Family = "IPv6"
		}
		for _, m := range g.Members {
			one.Nodes = append(one.Nodes, printable(c.Nodes[m.Node].Name))
		}
		for _, s := range lint.Settings() {
			row := Row{Setting: s.Word, Same: true}
			said := false
			for _, m := range g.Members {
				text := s.Text(m)
				said = said || text != ""
				row.Same = row.Same && s.Key(m) == s.Key(g.Members[0]) && text == s.Text(g.Members[0])
				if s.Secret && text != "" {
					text = hidden
				}
				row.Values = append(row.Values, printable(text))
			}
			row.Found = said && slices.ContainsFunc(g.Findings, func(d diag.Diagnostic) bool { return slices.Contains(s.Rules, d.Rule) && shown(d) })
			if said {
				one.Rows = append(one.Rows, row)
			}
		}
		groups = append(groups, one)
	}
	return groups
}

// group writes the table of a virtual router: a line for each setting, a column for each member, and a mark for each
// finding.
func (s *screen) group(g Group) {
	cells := [][]string{append([]string{g.title()}, g.Nodes...)}
	for _, r := range g.Rows {
		cells = append(cells, append([]string{"  " + r.Setting}, r.Values...))
	}
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for i := range line {
			if line[i] == "" {
				line[i] = "-"
			}
			line[i] = short(line[i])
			widths[i] = max(widths[i], Columns(line[i]))
		}
	}
	for i, line := range cells {
		for k, cell := range line {
			line[k] = Padded(cell, widths[k]+3)
		}
		text := strings.Join(line, "")
		switch {
		case i == 0:
			s.line(s.c.paint(bold, trimRight(text)))
		case g.Rows[i-1].Found:
			s.line(text, s.c.paint(yellow, agreement(g.Rows[i-1])+" !"))
		default:
			s.line(text, s.c.paint(dim, agreement(g.Rows[i-1])))
		}
	}
	s.line()
}

func (g Group) title() string {
	family := ""
	if g.Family == "IPv6" {
		family = ", IPv6"
	}
	return fmt.Sprintf("%s (VRID %d on %s%s)", g.Name, g.VRID, g.Interface, family)
}

func agreement(r Row) string {
	if r.Same {
		return "same"
	}
	return "differs"
}

// short cuts text that is too long for a column.
func short(cell string) string {
	const longest = 40
	if r := []rune(cell); len(r) > longest {
		return string(r[:longest-3]) + "..."
	}
	return cell
}
