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
