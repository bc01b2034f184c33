package graph

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sizes of the layout, in pixels.
const (
	margin    = 24.0
	gap       = 28.0
	pad       = 12.0
	row       = 20.0 // one line of text in a box
	barsTop   = margin + 34
	barStep   = 36.0
	barHeight = 26.0
	directorW = 290.0
	curveH    = 64.0
	routerW   = 330.0 // without services
	spine     = 26.0  // from the left edge of a router to its virtual servers
	headW     = 236.0 // a virtual server
	arrowW    = 58.0
	poolW     = 330.0 // its real servers
	serviceW  = spine + headW + arrowW + poolW
	rowW      = 1500.0 // further routers go to the next row
	maxCurves = 24     // more lines show nothing
)

// SVG writes the picture: segments at the top, below them the directors on them, below these the virtual routers, each
// with the virtual servers on its addresses.
func SVG(w io.Writer, g Graph) error {
	if _, err := io.WriteString(w, newPicture(g).String()); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

type picture struct {
	Graph
	canvas
	back          canvas // lines, behind the boxes
	width, height float64
	directors     []box // where they were drawn
	routers       []box
}

func newPicture(g Graph) *picture {
	p := &picture{Graph: g}
	directorsW := float64(len(p.Directors))*(directorW+gap) - gap
	p.width = max(directorsW, 560, min(900, fontTitle.width(g.Summary)))
	rows := p.rows(max(p.width, rowW))
	for _, r := range rows {
		p.width = max(p.width, r.w)
	}
	p.width += 2 * margin

	p.text(fontTitle, margin, margin+14, p.width-2*margin, p.Summary)
	y := barsTop + float64(len(p.Segments))*barStep + 24
	bottom, x := y, (p.width-directorsW)/2
	for _, d := range p.Directors {
		b := p.director(x, y, d)
		p.directors = append(p.directors, b)
		bottom, x = max(bottom, b.bottom()), b.right()+gap
	}
	p.plugs()
	curves := p.holders()
	if len(rows) > 1 || curves > maxCurves {
		curves = 0
	}
	y = bottom + gap
	if curves > 0 {
		y = bottom + curveH
	}
	for _, r := range rows {
		x := (p.width - r.w) / 2
		for _, i := range r.routers {
			b := p.router(x, y, p.Routers[i])
			p.routers = append(p.routers, b)
			bottom, x = max(bottom, b.bottom()), b.right()+gap
		}
		y = bottom + gap
	}
	if curves > 0 {
		p.curves()
	}
	if curves > 1 {
		bottom = p.legend(bottom + gap)
	}
	if p.More > 0 {
		bottom += row
		p.text(fontNote, margin, bottom, p.width, more(p.More, "virtual router"))
	}
	p.height = bottom + margin
	return p
}

func (p *picture) String() string { return p.document(p.width, p.height, p.Summary, &p.back) }

// A line is routers beside each other.
type line struct {
	routers []int
	w       float64
}

// rows puts the routers into lines.
func (p *picture) rows(most float64) (rows []line) {
	for i, r := range p.Routers {
		last := len(rows) - 1
		if last < 0 || rows[last].w+gap+r.width() > most {
			rows = append(rows, line{[]int{i}, r.width()})
			continue
		}
		rows[last].routers = append(rows[last].routers, i)
		rows[last].w += gap + r.width()
	}
	return rows
}

// plugs draws the bars of the segments and the lines to the directors on them.
func (p *picture) plugs() {
	bar := func(segment int) float64 { return barsTop + float64(segment)*barStep }
	for i, s := range p.Segments {
		p.rect("bar", margin, bar(i), p.width-2*margin, barHeight, 4)
		text := "segment " + s.Name
		if len(s.Networks) > 0 {
			text += ": " + strings.Join(s.Networks, ", ")
		}
		p.text(fontBar, margin+pad, bar(i)+17, p.width-2*margin-2*pad, text)
	}
	for i, d := range p.Directors {
		b := p.directors[i]
		for k, plug := range d.Plugs {
			x := b.across(k, len(d.Plugs))
			p.plug(x, bar(plug.Segment)+barHeight, b.y)
			if plug.Interface != p.Segments[plug.Segment].Name {
				p.text(fontNote, x+5, b.y-7, directorW/float64(len(d.Plugs)+1), plug.Interface)
			}
		}
	}
}

// director draws a director with its instances and what they follow.
func (p *picture) director(x, y float64, d Director) box {
	return p.boxed("box", x, y, directorW, func(c *canvas, y float64) float64 {
		y += 24
		c.caption(x+directorW-pad, y, "director")
		c.text(fontName, x+pad, y, directorW-2*pad-60, d.Name)
		y += 10
		if len(d.Instances) == 0 {
			y += row - 6
			c.text(fontNote, x+pad, y, directorW-2*pad, "no vrrp_instance")
			y += 6
		}
		for _, m := range d.Instances {
			y = c.instance(x+pad, y, directorW-2*pad, m)
		}
		if d.More > 0 {
			y += row
			c.text(fontNote, x+pad, y-5, directorW-2*pad, more(d.More, "instance"))
		}
		return y + 6
	})
}

func (c *canvas) instance(x, y, w float64, m Instance) float64 {
	class, role := "backup", "BACKUP"
	if m.Master {
		class, role = "master", "MASTER"
	}
	left := c.badge(x, y, w, badge{class, fontChip, role}) + 8
	priority := fontText.width("priority " + m.Priority)
	c.text(fontText, x+left, y+13, w-left-priority-8, m.Name)
	c.right(fontText, x+w, y+13, priority, "priority "+m.Priority)
	var badges []badge
	if m.Sync != "" {
		badges = append(badges, badge{"tag", fontTag, "sync group " + m.Sync})
	}
	for _, t := range m.Trackers {
		badges = append(badges, badge{"badge", fontBadge, t})
	}
	return c.badges(x, y+badgeHeight+5, w, badges) + 3
}

// holders counts the lines between directors and the addresses that they hold or would take over.
func (p *picture) holders() (n int) {
	for _, r := range p.Routers {
		n += len(r.Holders)
	}
	return n
}

// curves draws lines from directors to addresses, solid where the addresses are while all is well.
func (p *picture) curves() {
	all, drawn := make([]int, len(p.Directors)), make([]int, len(p.Directors))
	for _, r := range p.Routers {
		for _, h := range r.Holders {
			all[h.Director]++
		}
	}
	for i, r := range p.Routers {
		b := p.routers[i]
		for k, h := range r.byPlace() {
			from := p.directors[h.Director]
			class := "next"
			if h.Master {
				class = "holds"
			}
			x := from.across(drawn[h.Director], all[h.Director])
			to := b.across(k, len(r.Holders))
			if len(p.Routers) == 1 && x > b.x && x < b.right() {
				to = x // straight down
			}
			p.back.curve(class, x, from.bottom(), to, b.y)
			drawn[h.Director]++
		}
	}
}

// byPlace returns the holders in the order in which directors are drawn, so that lines do not cross unnecessarily.
func (r Router) byPlace() []Holder {
	return slices.SortedFunc(slices.Values(r.Holders), func(a, b Holder) int { return cmp.Compare(a.Director, b.Director) })
}

// legend says what the curves mean.
func (p *picture) legend(y float64) float64 {
	x := margin
	for _, l := range []struct{ class, text string }{{"holds", "has the addresses while all is well"}, {"next", "takes them over"}} {
		p.line(l.class, x, y-4, x+36, y-4)
		p.text(fontNote, x+44, y, p.width, l.text)
		x += 44 + fontNote.width(l.text) + gap
	}
	return y
}
