package graph

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Mermaid writes the picture as a flowchart for Mermaid, which GitHub and GitLab render in Markdown.
func Mermaid(w io.Writer, g Graph) error {
	return write(w, g, "flowchart TB\n", "", mermaid{})
}

// DOT writes the picture as a graph for Graphviz.
func DOT(w io.Writer, g Graph) error {
	return write(w, g, "digraph cluster {\n\tnode [shape=box, style=rounded, fontname=\"sans-serif\"];\n\tedge [fontname=\"sans-serif\"];\n", "}\n", dot{})
}

// Kinds of nodes and edges of a picture in text form.
type kind int

const (
	segmentNode kind = iota
	directorNode
	routerNode
	serviceNode
	serverNode
	plain    // an edge
	holds    // an edge to the addresses that a director has while all is well
	takeOver // an edge to those that it takes over
)

// A notation is the language of a layout program.
type notation interface {
	node(k kind, id string, lines []string) string
	edge(k kind, from, to, label string) string
}

func write(w io.Writer, g Graph, head, tail string, n notation) error {
	var b strings.Builder
	b.WriteString(head)
	node := func(k kind, id string, lines []string) { b.WriteString("\t" + n.node(k, id, lines) + "\n") }
	edge := func(k kind, from, to, label string) { b.WriteString("\t" + n.edge(k, from, to, label) + "\n") }
	for i, s := range g.Segments {
		node(segmentNode, fmt.Sprint("segment", i), append([]string{"segment " + s.Name}, s.Networks...))
	}
	for i, d := range g.Directors {
		id := fmt.Sprint("director", i)
		node(directorNode, id, d.lines())
		for _, p := range d.Plugs {
			label := p.Interface
			if label == g.Segments[p.Segment].Name {
				label = ""
			}
			edge(plain, fmt.Sprint("segment", p.Segment), id, label)
		}
	}
	for i, r := range g.Routers {
		id := fmt.Sprint("router", i)
		node(routerNode, id, g.routerLines(r))
		for _, h := range r.byPlace() {
			how := takeOver
			if h.Master {
				how = holds
			}
			edge(how, fmt.Sprint("director", h.Director), id, "")
		}
		for k, s := range r.Services {
			service := fmt.Sprintf("service%d_%d", i, k)
			node(serviceNode, service, append(slices.Clone(s.Names), strings.Join(slices.Concat(s.Settings, s.Warnings), ", ")))
			edge(plain, id, service, "")
			if lines := s.lines(); len(lines) > 0 {
				pool := fmt.Sprintf("servers%d_%d", i, k)
				node(serverNode, pool, lines)
				edge(plain, service, pool, s.Method)
			}
		}
		if r.More > 0 {
			rest := fmt.Sprintf("more%d", i)
			node(serviceNode, rest, []string{more(r.More, "virtual server")})
			edge(plain, id, rest, "")
		}
	}
	b.WriteString(tail)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func (d Director) lines() []string {
	lines := []string{d.Name}
	for _, m := range d.Instances {
		role := "BACKUP"
		if m.Master {
			role = "MASTER"
		}
		text := fmt.Sprintf("%s: %s, priority %s", m.Name, role, m.Priority)
		if m.Sync != "" {
			text += ", sync group " + m.Sync
		}
		lines = append(append(lines, text), m.Trackers...)
	}
	if d.More > 0 {
		lines = append(lines, more(d.More, "instance"))
	}
	return lines
}

func (g Graph) routerLines(r Router) []string {
	lines := slices.Clone(r.Addresses)
	var held []string
	for i, h := range r.Holders {
		text := g.Directors[h.Director].Name
		switch {
		case h.Master:
			text = "on " + text
		case i > 0:
			text = "else " + text
		}
		held = append(held, text)
	}
	if r.Note != "" {
		held = append(held, r.Note)
	}
	lines = append(lines, strings.Join(held, ", "))
	if r.Name != "" {
		lines = append(lines, r.Name+": "+strings.Join(r.Settings, ", "))
	}
	return lines
}

func (s Service) lines() (lines []string) {
	for _, server := range s.Servers {
		lines = append(lines, strings.Join(append([]string{server.Name}, server.Settings...), ", "))
	}
	return lines
}

type mermaid struct{}

func (mermaid) node(k kind, id string, lines []string) string {
	shape := [...][2]string{segmentNode: {"[[", "]]"}, directorNode: {"[", "]"}, routerNode: {"([", "])"}, serviceNode: {"(", ")"}, serverNode: {"[", "]"}}[k]
	var escaped []string
	for _, l := range lines {
		// Mermaid writes entities without the ampersand.
		escaped = append(escaped, strings.NewReplacer("#", "#35;", "&", "#amp;", "<", "#lt;", ">", "#gt;", `"`, "#quot;", "`", "#96;").Replace(printable(l)))
	}
	return id + shape[0] + `"` + strings.Join(escaped, "<br>") + `"` + shape[1]
}

func (mermaid) edge(k kind, from, to, label string) string {
	line := map[kind]string{plain: "-->", holds: "==>", takeOver: "-.->"}[k]
	if label != "" {
		line += "|\"" + strings.NewReplacer(`"`, "#quot;", "#", "#35;").Replace(printable(label)) + "\"|"
	}
	return from + " " + line + " " + to
}

type dot struct{}

func (dot) node(k kind, id string, lines []string) string {
	attrs := ""
	switch k {
	case segmentNode:
		attrs = `, shape=box, style=filled, fillcolor="#56636f", fontcolor=white`
	case routerNode:
		attrs = `, style="rounded,filled", fillcolor="#e6f0fa"`
	case serverNode:
		attrs = `, style=solid`
	}
	return id + " [label=" + dotText(strings.Join(lines, "\n")) + attrs + "];"
}

func (dot) edge(k kind, from, to, label string) string {
	var attrs []string
	switch k {
	case holds:
		attrs = append(attrs, "penwidth=3")
	case takeOver:
		attrs = append(attrs, "style=dashed")
	}
	if label != "" {
		attrs = append(attrs, "label="+dotText(label))
	}
	text := from + " -> " + to
	if len(attrs) > 0 {
		text += " [" + strings.Join(attrs, ", ") + "]"
	}
	return text + ";"
}

// dotText quotes a text of several lines.
func dotText(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(l))
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
