package main

import (
	"io"

	"github.com/spf13/cobra"

	"keepc/compiler/cluster"
	"keepc/compiler/graph"
	"keepc/compiler/ir"
)

// A graphRun is one run of the verb graph.
type graphRun struct {
	*App
}

func (a *App) graph() *cobra.Command {
	run := &graphRun{App: a}
	c := &cobra.Command{
		Use:   "graph [files...]",
		Short: "Draw the cluster",
		Long: "Draw a cluster, one file for each director: segments, directors with their roles and what they track, the addresses that\n" +
			"move between them, virtual servers and their real servers. A file with errors is drawn as far as it can be understood.\n" +
			"Passwords and commands are not in the picture.\n\n" + bounded,
		Example: `  keepc graph lb1.conf lb2.conf > cluster.svg
  keepc graph --id lb1 --id lb2 keepalived.conf > cluster.svg
  keepc graph --format dot lb*.conf | dot -Tpng -o cluster.png`,
		Annotations: formats("svg", "mermaid", "dot"),
		RunE:        func(_ *cobra.Command, names []string) error { return run.main(names) },
	}
	return c
}

func (r *graphRun) main(names []string) error {
	write := map[string]func(io.Writer, graph.Graph) error{"svg": graph.SVG, "mermaid": graph.Mermaid, "dot": graph.DOT}[r.format]
	nodes, err := r.nodes(names, r.reading)
	if err != nil {
		return err
	}
	var list []cluster.Node
	for _, n := range nodes {
		list = append(list, cluster.Node(n))
	}
	return failed(write(r.Stdout, graph.New(cluster.New(list))))
}

// reading returns keepalived's reading of a file, and reports when that may not be what was meant.
func (r *graphRun) reading(a *App, name string) (*ir.Config, int) {
	l := a.load(name)
	if l.Config == nil {
		return nil, r.refuse(l.code, l.Refused).code
	}
	r.tell(l)
	return l.Config, 0
}
