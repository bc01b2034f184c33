package graph

import "strings"

// columns is the number of columns in which the services of a router fit on one screen.
func (r Router) columns() int {
	switch n := len(r.Services); {
	case n <= 4:
		return min(n, 1)
	case n <= 12:
		return 2
	}
	return 3
}

func (r Router) width() float64 {
	if n := float64(r.columns()); n > 0 {
		return n*serviceW + (n-1)*gap
	}
	return routerW
}

// router draws a virtual router with the services on its addresses.
func (p *picture) router(x, y float64, r Router) box {
	head := p.boxed("router", x, y, r.width(), func(c *canvas, y float64) float64 { return p.routerHead(c, x, y, r) })
	bottom, columns := head.bottom(), r.columns()
	for i := range columns {
		// Column by column, in reading order.
		from, to := i*len(r.Services)/columns, (i+1)*len(r.Services)/columns
		bottom = max(bottom, p.services(x+float64(i)*(serviceW+gap), head.bottom(), r.Services[from:to]))
	}
	if r.More > 0 {
		bottom += row
		p.text(fontNote, x, bottom, r.width(), more(r.More, "virtual server"))
	}
	return box{x, y, r.width(), bottom - y}
}

// routerHead writes the addresses, who holds them, and the settings.
func (p *picture) routerHead(c *canvas, x, y float64, r Router) float64 {
	x, w := x+pad, r.width()-2*pad
	y += 8
	if len(r.Addresses) > 0 {
		c.caption(x+w, y+12, "virtual addresses")
		y += 14
	}
	left := x
	for i, a := range r.Addresses {
		need := fontAddress.width(a) + 18
		if i > 0 && left+need > x+w {
			left, y = x, y+row
		}
		c.text(fontAddress, left, y, w, a)
		left += need
	}
	if len(r.Addresses) > 0 {
		y += 8
	}
	y = c.badges(x, y, w, p.holderBadges(r))
	if r.Name != "" {
		y += 14
		c.text(fontNote, x, y, w, r.Name+": "+strings.Join(r.Settings, ", "))
		y += 4
	}
	return y + 4
}

// holderBadges names the directors in the order in which they hold the addresses.
func (p *picture) holderBadges(r Router) (list []badge) {
	for i, h := range r.Holders {
		class := "backup"
		if h.Master {
			class = "master"
		}
		if i > 0 {
			list = append(list, badge{"", fontNote, "else"})
		}
		list = append(list, badge{class, fontChip, p.Directors[h.Director].Name})
	}
	if r.Note != "" {
		list = append(list, badge{"", fontNote, r.Note})
	}
	return list
}

// services draws services one below the other, on a line from their router.
func (p *picture) services(x, y float64, list []Service) float64 {
	left := x + spine
	right := left + headW + arrowW
	p.back.caption(left+headW, y+18, "virtual server")
	p.back.caption(right+poolW, y+18, "real servers")
	top := y
	y += 8
	for _, s := range list {
		y += 16
		head := p.boxed("box", left, y, headW, func(c *canvas, y float64) float64 { return c.serviceHead(left+pad, y, headW-2*pad, s) })
		at := head.y + 20
		p.back.line("line", x+pad, top-2, x+pad, at)
		p.arrow(x+pad, left, at)
		y = head.bottom()
		if len(s.Servers) > 0 {
			p.arrow(head.right(), right, at)
			p.text(fontNote, head.right()+10, at-6, arrowW, s.Method)
			pool := p.boxed("box", right, head.y, poolW, func(c *canvas, y float64) float64 { return c.pool(right+pad, y, s) })
			y = max(y, pool.bottom())
		}
	}
	return y
}

// maxNames is the number of services of a virtual_server_group that are named.
const maxNames = 4

func (c *canvas) serviceHead(x, y, w float64, s Service) float64 {
	y += 4
	names := s.Names
	if n := len(names); n > maxNames {
		names = append(names[:maxNames-1:maxNames-1], more(n-maxNames+1, "address"))
	}
	for _, name := range names {
		y += row
		c.text(fontName, x, y, w, name)
	}
	for _, text := range fontNote.wrap(s.Settings, w) {
		y += row - 2
		c.text(fontNote, x, y+3, w, text)
	}
	y += 12
	if len(s.Warnings) > 0 {
		var badges []badge
		for _, text := range s.Warnings {
			badges = append(badges, badge{"badge", fontBadge, text})
		}
		y = c.badges(x, y, w, badges)
	}
	return y
}

// pool writes the real servers, with their settings after the name, or below it if there is no room.
func (c *canvas) pool(x, y float64, s Service) float64 {
	const w = poolW - 2*pad
	y += 4
	for _, server := range s.Servers {
		y += row
		settings := strings.Join(server.Settings, ", ")
		name := fontText.width(server.Name)
		c.text(fontText, x, y, w, server.Name)
		if name+16+fontNote.width(settings) > w {
			y += row - 4
			c.text(fontNote, x+pad, y, w-pad, settings)
			continue
		}
		c.right(fontNote, x+w, y, w-name, settings)
	}
	return y + 10
}
