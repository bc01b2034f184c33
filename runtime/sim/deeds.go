package sim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"keepc/runtime/track"
)

// An act is something that happens to the cluster.
type act struct {
	text  string // for people: "lb1 is cut off"
	do    func(*world)
	later []later
}

// A later is an act that another one causes after a delay.
type later struct {
	after time.Duration
	act   act
}

// A verb is a word for a deed.
type verb struct {
	word, takes string
	help        string
	parse       func(*parser) (act, error)
}

func (v verb) usage() string { return v.word + " " + v.takes }

// verbs lists the deeds of the language. NODE may be "all".
func verbs() []verb {
	return []verb{
		{"kill", "NODE", "it loses power, and its addresses with it", ofNodes(kill)},
		{"crash", "NODE", "its daemon dies without a farewell; the addresses stay", ofNodes(crash)},
		{"stop", "NODE", "its daemon stops and says farewell", ofNodes(stop)},
		{"start", "NODE", "it works again after kill, crash or stop", ofNodes(start)},
		{"reboot", "NODE", fmt.Sprintf("kill, and start %v later", reboot), ofNodes(restart)},
		{"pause", "NODE", "its daemon gets no CPU time", ofNodes(pause)},
		{"resume", "NODE", "it gets CPU time again", ofNodes(resume)},
		{"reload", "NODE FILE", "it gets a different file", parseReload},
		{"down", "NODE INTERFACE", "the interface loses its carrier", parseLink(false)},
		{"up", "NODE INTERFACE", "the interface has its carrier again", parseLink(true)},
		{"cut", "NODE [to NODE] [on SEGMENT]", "packets get lost while links stay up; with \"to\" in this direction alone", parseCut(true)},
		{"heal", "NODE [to NODE] [on SEGMENT]", "packets get through again", parseCut(false)},
		{"fail", "ADDRESS[:PORT] | NODE NAME", "a real server refuses connections, or is gone without a port; or a node's script, process or BFD session fails", parseFail(true)},
		{"mend", "ADDRESS[:PORT] | NODE NAME", "it is well again", parseFail(false)},
		{"drain", "NODE NAME|ADDRESS[:PORT]", "an announcement goes to drain_table, and is withdrawn; a real server gets weight 0", parseDrain(true)},
		{"enable", "NODE NAME|ADDRESS[:PORT]", "the file counts again", parseDrain(false)},
		{"write", "NODE FILE NUMBER", "a track_file of the node has the number from now on", parseWrite},
	}
}

// Help describes the language, one form per line.
func Help() string {
	var b strings.Builder
	line := func(form, help string) { fmt.Fprintf(&b, "  %-35s %s\n", form, help) }
	line("at TIME, after TIME", "when: from the start, from the statement before")
	for _, v := range verbs() {
		line(v.usage(), v.help)
	}
	for _, f := range conditionForms() {
		line("expect "+f.form, f.help)
	}
	line("... within TIME", "the expectation may come true that much later")
	line("end", "of the run")
	return b.String()
}

func ofNodes(one func(c *Cluster, node int) act) func(*parser) (act, error) {
	return func(p *parser) (act, error) {
		nodes, err := p.nodes()
		if err != nil {
			return act{}, err
		}
		return several(p.cluster, nodes, one), nil
	}
}

// several combines the acts of some nodes, which happen at the same instant, into one.
func several(c *Cluster, nodes []int, one func(c *Cluster, node int) act) act {
	if len(nodes) == 1 {
		return one(c, nodes[0])
	}
	var texts []string
	var all act
	var acts []act
	for _, n := range nodes {
		a := one(c, n)
		texts, acts = append(texts, a.text), append(acts, a)
		all.later = append(all.later, a.later...)
	}
	all.text = strings.Join(texts, ", ")
	all.do = func(w *world) {
		for _, a := range acts {
			a.do(w)
		}
	}
	return all
}

func kill(c *Cluster, node int) act  { return ofNode(c, node, " loses power", (*world).kill) }
func crash(c *Cluster, node int) act { return ofNode(c, node, "'s daemon crashes", (*world).crash) }
func stop(c *Cluster, node int) act  { return ofNode(c, node, " stops", (*world).stop) }
func start(c *Cluster, node int) act { return ofNode(c, node, " starts", (*world).start) }
func pause(c *Cluster, node int) act { return ofNode(c, node, " gets no CPU time", (*world).pause) }
func resume(c *Cluster, node int) act {
	return ofNode(c, node, " gets CPU time again", (*world).resume)
}

func ofNode(c *Cluster, i int, text string, do func(*world, *node)) act {
	return act{text: c.nodes[i].Name + text, do: func(w *world) { do(w, w.nodes[i]) }}
}

func restart(c *Cluster, node int) act {
	a := ofNode(c, node, " reboots", (*world).kill)
	a.later = []later{{reboot, start(c, node)}}
	return a
}

func parseReload(p *parser) (act, error) {
	nodes, err := p.nodes()
	if err != nil {
		return act{}, err
	}
	file := p.next()
	switch {
	case file == "":
		return act{}, errors.New("a file is missing")
	case p.load == nil:
		return act{}, errors.New("there are no files here")
	}
	cfg, err := p.load(file)
	if err != nil {
		return act{}, err
	}
	return several(p.cluster, nodes, func(c *Cluster, node int) act {
		return act{text: c.nodes[node].Name + " reloads " + file, do: func(w *world) { w.reload(w.nodes[node], cfg) }}
	}), nil
}

func parseLink(up bool) func(*parser) (act, error) {
	return func(p *parser) (act, error) {
		nodes, err := p.nodes()
		if err != nil {
			return act{}, err
		}
		name := p.next()
		for _, n := range nodes {
			if p.cluster.port(n, name) == nil {
				var names []string
				for _, q := range p.cluster.ports[n] {
					names = append(names, q.Interface)
				}
				return act{}, fmt.Errorf("the file of %s has no interface %q; it has %s", p.cluster.nodes[n].Name, name, strings.Join(names, ", "))
			}
		}
		return several(p.cluster, nodes, func(c *Cluster, node int) act { return link(c, node, name, up) }), nil
	}
}

func link(c *Cluster, node int, name string, up bool) act {
	text := " goes down"
	if up {
		text = " comes up"
	}
	return act{
		text: c.nodes[node].Name + "'s " + name + text,
		do:   func(w *world) { w.setLink(w.nodes[node], w.nodes[node].port(name), up) },
	}
}

func parseCut(lost bool) func(*parser) (act, error) {
	return func(p *parser) (act, error) {
		from, err := p.nodes()
		if err != nil {
			return act{}, err
		}
		oneWay := p.takes("to")
		to := p.cluster.everybody()
		if oneWay {
			if to, err = p.nodes(); err != nil {
				return act{}, err
			}
		}
		named := len(p.words) > 0
		segments, err := p.segments()
		if err != nil {
			return act{}, err
		}
		a := cut(p.cluster, from, to, oneWay, segments, lost)
		if named {
			a.text += " on " + strings.Join(segments, " and ")
		}
		return a, nil
	}
}

// cut loses what nodes send to others and, unless it is one way, what these send back. The rest of the segment, real
// servers and clients, counts as one of the others for every node.
func cut(c *Cluster, from, to []int, oneWay bool, segments []string, lost bool) act {
	all := len(c.nodes)
	a := act{text: cutText(c, from, to, oneWay, lost)}
	if len(to) == all {
		to = append(to[:all:all], theRest)
	}
	if len(from) == all {
		from = append(from[:all:all], theRest)
	}
	a.do = func(w *world) {
		w.block(lost, from, to, segments)
		if !oneWay {
			w.block(lost, to, from, segments)
		}
	}
	return a
}

func cutText(c *Cluster, from, to []int, oneWay, lost bool) string {
	text := func(cut, healed string, who []int) string {
		name := "everybody"
		if len(who) == 1 {
			name = c.nodes[who[0]].Name
		}
		if lost {
			return name + cut
		}
		return name + healed
	}
	switch {
	case !oneWay:
		return text(" is cut off", " is back", from)
	case len(from) == 1 && len(to) == 1:
		from := c.nodes[from[0]].Name
		return text(" does not hear "+from, " hears "+from+" again", to)
	case len(from) == 1:
		return text(" is not heard", " is heard again", from)
	}
	return text(" hears nobody", " hears again", to)
}

// parseFail reads what fails: a real server, or what a node tracks.
func parseFail(fails bool) func(*parser) (act, error) {
	return func(p *parser) (act, error) {
		if len(p.words) > 1 {
			return parseThing(p, fails)
		}
		word := p.next()
		if a, err := netip.ParseAddr(word); err == nil {
			return host(a, fails), nil
		}
		a, err := netip.ParseAddrPort(word)
		if err != nil {
			return act{}, fmt.Errorf("%q is not an address like 10.0.0.7 or 10.0.0.7:80", word)
		}
		return server(a, fails), nil
	}
}

func host(a netip.Addr, fails bool) act {
	if fails {
		return act{text: a.String() + " is gone", do: func(w *world) { w.broken[a] = true }}
	}
	return act{text: a.String() + " is back", do: func(w *world) { delete(w.broken, a) }}
}

func server(a netip.AddrPort, fails bool) act {
	if fails {
		return act{text: a.String() + " refuses connections", do: func(w *world) { w.refusing[a] = true }}
	}
	return act{text: a.String() + " answers again", do: func(w *world) { delete(w.refusing, a) }}
}

func parseThing(p *parser, fails bool) (act, error) {
	nodes, err := p.nodes()
	if err != nil {
		return act{}, err
	}
	name := p.next()
	things := make([]track.Thing, len(p.cluster.nodes))
	for _, n := range nodes {
		if things[n], err = p.thing(n, name, track.Script, track.Process, track.BFD); err != nil {
			return act{}, err
		}
	}
	return several(p.cluster, nodes, func(c *Cluster, node int) act { return fail(c, node, things[node], fails) }), nil
}

// thing returns what a node tracks, by name.
func (p *parser) thing(node int, name string, kinds ...track.Kind) (track.Thing, error) {
	var names []string
	for _, t := range things(p.cluster.nodes[node].Config) {
		switch {
		case !slices.Contains(kinds, t.Kind):
		case t.Name == name:
			return t.Thing, nil
		default:
			names = append(names, t.Name)
		}
	}
	what := "script, process or BFD session"
	if kinds[0] == track.File {
		what = "file"
	}
	if len(names) == 0 {
		return track.Thing{}, fmt.Errorf("the instances of %s track no %s", p.cluster.nodes[node].Name, what)
	}
	return track.Thing{}, fmt.Errorf("the instances of %s track no %s %q; they track %s", p.cluster.nodes[node].Name, what, name, strings.Join(names, ", "))
}

func fail(c *Cluster, node int, t track.Thing, fails bool) act {
	text := map[bool]string{false: " succeeds", true: " fails"}[fails]
	if t.Kind == track.BFD {
		text = map[bool]string{false: " can be up again", true: " is down"}[fails]
	}
	return act{
		text: fmt.Sprintf("%s's %v%s", c.nodes[node].Name, t, text),
		do:   func(w *world) { w.setThing(w.nodes[node], t, track.Status{Known: true, Good: !fails}) },
	}
}

func parseWrite(p *parser) (act, error) {
	nodes, err := p.nodes()
	if err != nil {
		return act{}, err
	}
	name, number := p.next(), p.next()
	things := make([]track.Thing, len(p.cluster.nodes))
	for _, n := range nodes {
		if things[n], err = p.thing(n, name, track.File); err != nil {
			return act{}, err
		}
	}
	value, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return act{}, fmt.Errorf("%q is not a whole number", number)
	}
	return several(p.cluster, nodes, func(c *Cluster, node int) act { return write(c, node, things[node], int(value)) }), nil
}

func write(c *Cluster, node int, t track.Thing, value int) act {
	return act{
		text: fmt.Sprintf("%s's %v says %d", c.nodes[node].Name, t, value),
		do:   func(w *world) { w.setThing(w.nodes[node], t, track.Status{Known: true, Value: value}) },
	}
}
