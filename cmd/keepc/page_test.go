package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// TestPageInBrowser loads the page of a director in Chromium. Its peer is MASTER of one virtual router and has a
// different password for a second one, and its file is changed and not applied. The page must be readable in light and
// dark, narrow and wide, without an error and without horizontal scrolling, and the keyboard must reach everything
// that can be used. KEEPC_SHOTS=DIR keeps pictures.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	n := lab.New(t)
	lan := n.Segment("lan")
	hosts := []*lab.Host{n.Host("lb01", lab.On(lan, "eth0", "192.0.2.1/24")), n.Host("lb02", lab.On(lan, "eth0", "192.0.2.2/24"))}
	for _, h := range hosts {
		h.Run("ip", "link", "set", "lo", "up")
	}
	b := newBrowser(t, hosts[0])
	instance := func(name string, vrid, priority int, password string, address string) string {
		return fmt.Sprintf("vrrp_instance %s {\n\tinterface eth0\n\tvirtual_router_id %d\n\tpriority %d\n\tauthentication {\n\t\tauth_type PASS\n\t\tauth_pass %s\n\t}\n\tvirtual_ipaddress {\n\t\t%s/24\n\t}\n}\n",
			name, vrid, priority, password, address)
	}
	server := "virtual_server 192.0.2.10 80 {\n\tlb_algo rr\n\tprotocol TCP\n\treal_server 192.0.2.77 80 {\n\t\tTCP_CHECK {\n\t\t\tconnect_timeout 1\n\t\t\tretry 0\n\t\t}\n\t}\n}\n"
	texts := []string{
		instance("web", 51, 100, "one", "192.0.2.10") + instance("database_of_the_second_site", 52, 150, "two", "192.0.2.11") + instance("mail", 53, 150, "six", "192.0.2.12") + server,
		instance("web", 51, 150, "one", "192.0.2.10") + instance("database_of_the_second_site", 52, 100, "two", "192.0.2.11") + instance("mail", 53, 100, "odd", "192.0.2.12"),
	}
	var file string
	for i, h := range hosts {
		file := filepath.Join(h.Dir(), "keepalived.conf")
		if err := os.WriteFile(file, []byte(texts[i]), 0o600); err != nil {
			t.Fatal(err)
		}
		line := keepcArgs(t, "run", "--http", "127.0.0.1:9650", file)
		h.Start(line[0], line[1:]...).WaitLog("enforcing", 15*time.Second)
	}
	file = filepath.Join(hosts[0].Dir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(strings.Replace(texts[0], "192.0.2.11", "192.0.2.21", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	page := func() (text string) {
		b.open("http://127.0.0.1:9650/")
		b.eval("document.body.innerText", &text)
		return text
	}
	lab.Eventually(t, 30*time.Second, "the page shows the cluster", func() bool {
		text := page()
		return strings.Contains(text, "its advertisements are heard") && strings.Contains(text, "wrong password") && strings.Contains(text, "+ address 192.0.2.21/24 dev eth0")
	})
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{400, 1300} {
			b.look(width, scheme)
			text := page()
			b.shoot(fmt.Sprintf("%s-%d", scheme, width))
			for _, says := range []string{"192.0.2.2", "Changed and not applied", "database_of_the_second_site"} {
				if !strings.Contains(text, says) {
					t.Errorf("%s, %d px: the page lacks %q", scheme, width, says)
				}
			}
			var wide int
			b.eval("document.documentElement.scrollWidth", &wide)
			if wide > width {
				t.Errorf("%s: a window of %d px is to be scrolled sideways: the page has %d", scheme, width, wide)
			}
			var contrast []string
			b.eval(poorContrast, &contrast)
			for _, c := range contrast {
				t.Errorf("%s, %d px: hard to read: %s", scheme, width, c)
			}
		}
	}
	var reachable int
	b.eval(`document.querySelectorAll("a[href], summary, [tabindex='0']").length`, &reachable)
	b.eval(`(() => { window.reached = new Set(); document.addEventListener("focusin", e => window.reached.add(e.target)); return 0 })()`, new(int))
	for range reachable {
		b.press("Tab", 9)
	}
	var reached int
	b.eval("window.reached.size", &reached)
	if reached != reachable || reachable < 8 {
		t.Errorf("the keyboard reaches %d of %d", reached, reachable)
	}
	for _, e := range b.errors {
		t.Errorf("the console says %s", e)
	}
}

// poorContrast lists the texts of a page whose contrast with their background is less than 4.5:1 (WCAG 2.1, 1.4.3).
const poorContrast = `(() => {
	const rgb = c => c.match(/[\d.]+/g).map(Number);
	const bright = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
	const poor = new Set();
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType == 3 && n.textContent.trim())) continue;
		const a = bright(rgb(getComputedStyle(e).color).slice(0, 3)), b = bright(behind(e));
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) poor.add(e.tagName + " " + e.className + " " + ratio.toFixed(2));
	}
	return [...poor];
})()`
