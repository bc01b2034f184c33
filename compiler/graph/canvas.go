package graph

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A canvas collects the shapes of an SVG picture. Positions and sizes are in pixels from the upper left corner.
type canvas struct{ b strings.Builder }

// A font is a text's class in the style sheet, with what is needed to measure it.
type font struct {
	class string
	size  float64
	bold  bool
}

// Fonts of the picture. What a person looks for first is bold.
var (
	fontTitle   = font{"ink title", 16, true}
	fontName    = font{"ink name", 14, true}
	fontAddress = font{"address name", 14, true}
	fontText    = font{"ink text", 12, false}
	fontNote    = font{"soft text", 12, false}
	fontBadge   = font{"badge-text small", 11, false}
	fontBar     = font{"bar-text text", 12, false}
	fontCaption = font{"soft small", 11, false}
	fontTag     = font{"soft small", 11, false}
	fontChip    = font{"chip-text small", 11, true}
)

// style has colours for light and dark backgrounds. No information is carried by colour alone.
const style = `
text{font-family:"DejaVu Sans",Verdana,"Segoe UI",Helvetica,Arial,sans-serif}
.title{font-size:16px;font-weight:bold}.name{font-size:14px;font-weight:bold}.text{font-size:12px}.small{font-size:11px}
.paper{fill:#fbfbf9}.ink{fill:#20262d}.soft{fill:#5b6670}.address{fill:#14508c}
.box{fill:#fff;stroke:#b9c2ca}.bar{fill:#56636f}.bar-text{fill:#fff}
.router{fill:#e6f0fa;stroke:#8db3d9}.sorry{stroke-dasharray:4 3}
.master{fill:#0b6b5b}.chip-text{fill:#fff}.backup{fill:#66727d}
.tag{fill:#eef1f3;stroke:#b9c2ca}.badge{fill:#fcf1d6;stroke:#d9bd7a}.badge-text{fill:#6b4a05}
.line{stroke:#8a96a1;stroke-width:1.5;fill:none}.holds{stroke:#0b6b5b;stroke-width:3;fill:none}
.next{stroke:#66727d;stroke-width:1.5;stroke-dasharray:6 5;fill:none}.tip{fill:#8a96a1}
@media (prefers-color-scheme:dark){
.paper{fill:#171b20}.ink{fill:#e5e9ed}.soft{fill:#a3aeb8}.address{fill:#9cc7f2}
.box{fill:#22282f;stroke:#46515b}.bar{fill:#4a5763}.router{fill:#1b2d40;stroke:#3f6890}
.master{fill:#11806d}.tag{fill:#2b323a;stroke:#46515b}.badge{fill:#3a2f15;stroke:#7a6432}.badge-text{fill:#f0d9a0}.holds{stroke:#2aa78f}
}
`

// document is the whole file; back is drawn behind the rest.
func (c *canvas) document(width, height float64, title string, back *canvas) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escape(title), style)
	b.WriteString(`<rect class="paper" width="100%" height="100%"/>` + "\n")
	b.WriteString(back.b.String())
	b.WriteString(c.b.String())
	b.WriteString("</svg>\n")
	return b.String()
}

func (c *canvas) rect(class string, x, y, w, h, radius float64) {
	fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.0f"/>`+"\n", class, x, y, w, h, radius)
}

// A box is the position and size of what was drawn.
type box struct{ x, y, w, h float64 }

func (b box) right() float64  { return b.x + b.w }
func (b box) bottom() float64 { return b.y + b.h }

// across returns the i-th of n positions along the width of the box, i from 0.
func (b box) across(i, n int) float64 { return b.x + b.w*float64(i+1)/float64(n+1) }

// boxed draws a box around its content, which starts below y and returns where it ends.
func (c *canvas) boxed(class string, x, y, w float64, content func(c *canvas, y float64) float64) box {
	var inside canvas
	b := box{x, y, w, content(&inside, y) - y}
	c.rect(class, b.x, b.y, b.w, b.h, 6)
	c.b.WriteString(inside.b.String())
	return b
}

// text writes a line with its baseline at y, cut to width; the full text becomes its tooltip.
func (c *canvas) text(f font, x, y, width float64, s string) { c.aligned("start", f, x, y, width, s) }

// right writes a line that ends at x.
func (c *canvas) right(f font, x, y, width float64, s string) { c.aligned("end", f, x, y, width, s) }

// caption labels a box in its upper right corner.
func (c *canvas) caption(x, y float64, s string) { c.right(fontCaption, x, y, 200, s) }

func (c *canvas) aligned(anchor string, f font, x, y, width float64, s string) {
	cut := f.fit(s, width)
	if cut != s {
		fmt.Fprintf(&c.b, "<g><title>%s</title>", escape(s))
		defer c.b.WriteString("</g>\n")
	}
	fmt.Fprintf(&c.b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", f.class, x, y, anchor, escape(cut))
}

// A badge is a short text on a small rounded background, or without one if it has no class.
type badge struct {
	class string
	font
	text string
}

func (b badge) width() float64 { return b.font.width(b.text) + 14 }

const badgeHeight = 18.0

// badge draws a badge, at most most wide, and returns its width.
func (c *canvas) badge(x, y, most float64, b badge) float64 {
	w := min(most, b.width())
	if b.class == "" {
		c.text(b.font, x+3, y+13, w, b.text)
		return w - 4
	}
	c.rect(b.class, x, y, w, badgeHeight, badgeHeight/2)
	c.aligned("middle", b.font, x+w/2, y+13, w-10, b.text)
	return w
}

// badges draws badges in as many lines as they need and returns where they end.
func (c *canvas) badges(x, y, w float64, list []badge) float64 {
	left := x
	for i, b := range list {
		if i > 0 && left+min(w, b.width()) > x+w {
			left, y = x, y+badgeHeight+4
		}
		left += c.badge(left, y, w, b) + 5
	}
	if len(list) > 0 {
		y += badgeHeight + 4
	}
	return y
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&c.b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x1, y1, x2, y2)
}

// plug is a line down from a bar, with a dot where it leaves it.
func (c *canvas) plug(x, y1, y2 float64) {
	c.line("line", x, y1, x, y2)
	fmt.Fprintf(&c.b, `<circle class="tip" cx="%.1f" cy="%.1f" r="4"/>`+"\n", x, y1)
}

// arrow is a horizontal line with a tip.
func (c *canvas) arrow(x1, x2, y float64) {
	c.line("line", x1, y, x2-6, y)
	fmt.Fprintf(&c.b, `<path class="tip" d="M%.1f %.1f l-8 -4 v8 z"/>`+"\n", x2, y)
}

// curve leads from above to below.
func (c *canvas) curve(class string, x1, y1, x2, y2 float64) {
	m := (y1 + y2) / 2
	fmt.Fprintf(&c.b, `<path class="%s" d="M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f"/>`+"\n", class, x1, y1, x1, m, x2, m, x2, y2)
}

// width estimates the width of a text. It is rather too wide, because fonts differ.
func (f font) width(s string) float64 {
	var em float64
	for _, r := range s {
		switch {
		case strings.ContainsRune("iljtfrI.,:;'|!()[] ", r):
			em += 0.40
		case strings.ContainsRune("mwMW@%", r):
			em += 0.95
		case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana):
			em++
		default:
			em += 0.65
		}
	}
	if f.bold {
		em *= 1.08
	}
	return em * f.size
}

// fit cuts the middle out of a text that is wider than width.
func (f font) fit(s string, width float64) string {
	if f.width(s) <= width {
		return s
	}
	r := []rune(s)
	for n := len(r) - 1; n > 1; n-- {
		head := (n + 1) / 2
		if cut := string(r[:head]) + "…" + string(r[len(r)-n+head:]); f.width(cut) <= width {
			return cut
		}
	}
	return "…"
}

// wrap joins words with commas into lines that fit into width.
func (f font) wrap(words []string, width float64) (lines []string) {
	for _, w := range words {
		if last := len(lines) - 1; last >= 0 && f.width(lines[last]+", "+w) <= width {
			lines[last] += ", " + w
			continue
		}
		lines = append(lines, w)
	}
	return lines
}

// escape makes a text valid in XML, which has no control characters.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(printable(s))
}

// printable replaces characters that no picture can show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}
