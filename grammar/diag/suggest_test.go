package diag

import "testing"

func TestSuggest(t *testing.T) {
	words := []string{"authentication", "auth_hmac", "priority", "state", "interface", "TCP_CHECK", "UDP_CHECK", "weight", "lb_kind"}
	for _, c := range []struct {
		word, want string
		confident  bool
	}{
		{"autherntication", "authentication", true},
		{"authentification", "authentication", true},
		{"prioriy", "priority", true},
		{"Priority", "priority", true},
		{"lb-kind", "lb_kind", true},
		{"TCP_CHEK", "TCP_CHECK", true},
		{"XYP_CHECK", "TCP_CHECK", false}, // as near to UDP_CHECK
		{"wieght", "weight", true},
		{"router_id", "", false},
		{"x", "", false},
		{"", "", false},
	} {
		if got, sure := Suggest(c.word, words); got != c.want || sure != c.confident {
			t.Errorf("Suggest(%q) = %q, %v; want %q, %v", c.word, got, sure, c.want, c.confident)
		}
	}
}

func TestSuggestName(t *testing.T) {
	for _, c := range []struct {
		name, known, want string
		confident         bool
	}{
		{"chk_haprxy", "chk_haproxy", "chk_haproxy", true},
		{"chk-haproxy", "chk_haproxy", "chk_haproxy", true},
		{"vi_1", "VI_1", "VI_1", true},
		{"VI_Gatway1", "VI_Gateway1", "VI_Gateway1", true},
		{"a", "A", "A", true},
		{"VI_2", "VI_1", "", false}, // two of a series
		{"chk_http2", "chk_http1", "", false},
		{"chk_http", "chk_http1", "", false},
		{"C", "A", "", false},
		{"node_a", "node_b", "", false},
		{"VI_gateway_int", "VI_gateway_ext", "", false},
		{"internal", "external", "external", false}, // two typing errors, or a different name
	} {
		if got, sure := SuggestName(c.name, []string{c.known}); got != c.want || sure != c.confident {
			t.Errorf("SuggestName(%q) of %q = %q, %v; want %q, %v", c.name, c.known, got, sure, c.want, c.confident)
		}
	}
}
