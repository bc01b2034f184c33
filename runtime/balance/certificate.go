package balance

import (
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
	"keepc/runtime/health"
)

// An Ending says when the certificate of a server ends.
type Ending struct {
	At   time.Time
	Soon bool // the server will be down then, and that is soon
}

// certified records the certificate that a probe of a page was shown, and reports when one of the check ends soon, and when none does any
// longer. It is a matter of the check only where certificates are verified; otherwise one that has ended is as good as any.
func (m *Machine) certified(now time.Time, c *check, seen health.Certificate) {
	h, pages := c.asks.Checker.(*ir.HTTPCheck)
	if !pages || seen.Until.IsZero() {
		return
	}
	if c.certificates == nil {
		c.certificates = make([]health.Certificate, len(h.URLs))
	}
	c.certificates[c.page] = seen
	first := c.certificate()
	if soon := h.Verification != nil && first.Ends(now, h.Verification.Lasts); soon != c.ending {
		c.ending = soon
		text, at := "its certificate ends at ", first.Until.UTC().Format("2006-01-02 15:04")+" UTC"
		if !soon {
			text = "its certificate is renewed: it ends at "
		}
		m.emit(Note{Subject: c.server.key.Server.String(), Text: fmt.Sprintf("%s%s; of %v", text, at, c.server.key.Service), Fine: !soon})
	}
}

// certificate returns the one that ends first: pages may have different names, and servers a certificate for each.
func (c *check) certificate() (first health.Certificate) {
	for _, one := range c.certificates {
		if !one.Until.IsZero() && (first.Until.IsZero() || one.Until.Before(first.Until)) {
			first = one
		}
	}
	return first
}

// Certificates returns when the certificate of each server ends that has shown one; of several, the first.
func (m *Machine) Certificates() map[state.DestinationKey]Ending {
	all := map[state.DestinationKey]Ending{}
	for _, c := range m.current.checks {
		if len(c.certificates) == 0 {
			continue
		}
		old, some := all[c.server.key]
		now := Ending{c.certificate().Until, old.Soon || c.ending}
		if some && old.At.Before(now.At) {
			now.At = old.At
		}
		all[c.server.key] = now
	}
	return all
}
