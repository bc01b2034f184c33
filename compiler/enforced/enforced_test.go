package enforced

import (
	"strings"
	"testing"

	"keepc/compiler/schema"
)

// TestWhole checks that the list and the table of keywords agree: every row has exactly one answer for all values, its
// own or that of a block around it that is not enforced, or answers for some values; and every entry of the list is a
// keyword.
func TestWhole(t *testing.T) {
	count := map[string]int{} // rows for all values
	some := map[string]bool{} // rows for some
	for _, r := range list {
		if (r.where == nil) != (r.when == "") || (r.why == "") != (r.answer == Enforced) {
			t.Errorf("%s %s: a row has a reason unless it is enforced, and where and when together", r.blocks, r.words)
		}
		for _, path := range r.paths() {
			if r.where != nil {
				some[path] = true
			} else {
				count[path]++
			}
		}
	}
	known := map[string]bool{}
	schema.Walk(func(keys []*schema.Keyword) {
		path := schema.Join(keys)
		if known[path] || !current(keys) {
			return
		}
		known[path] = true
		around, always := always(path[:max(strings.LastIndexByte(path, '.'), 0)])
		inside := strings.Contains(path, ".") && always && around.Answer != Enforced
		switch {
		case inside && count[path] > 0:
			t.Errorf("%s has an answer, and so has the block around it", path)
		case !inside && count[path] == 0 && !some[path]:
			t.Errorf("%s has no answer", path)
		case count[path] > 1:
			t.Errorf("%s has %d answers", path, count[path])
		}
	})
	for path := range verdicts() {
		if !known[path] {
			t.Errorf("%s is no keyword", path)
		}
	}
}

// current reports whether keepalived knows the last of some keywords in its place.
func current(keys []*schema.Keyword) bool {
	for _, k := range keys {
		if !k.Current() {
			return false
		}
	}
	return true
}

func TestOf(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"vrrp_instance.priority", "enforced"},
		{"vrrp_instance.unicast_peer", "enforced"},
		{"vrrp_instance.use_ipvlan", "left out to a multicast group: " + onBase + "; refused over IPv4 without an address: " + speechless + "; refused with unicast_peer: " + addressless},
		{"vrrp_instance.auth_hmac", "enforced; refused without a key: " + keyless + "; refused with an active_key that is not one of its keys: " + keyless +
			"; refused with a key that is too short, too long or not hexadecimal: " + keyLength +
			"; not read before run with a key in a file: " + keyInFile},
		{"vrrp_instance.authentication.auth_type", "enforced"},
		{"vrrp_instance.nonsense", ""},
		{"nonsense", ""},
		{"virtual_server.quorum_up", "enforced"},
	} {
		var all []string
		for _, v := range Of(c.path) {
			text := v.Answer.String()
			if v.When != "" {
				text += " " + v.When
			}
			if v.Why != "" {
				text += ": " + v.Why
			}
			all = append(all, text)
		}
		if got := strings.Join(all, "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.path, got, c.want)
		}
	}
}
