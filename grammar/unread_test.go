package grammar

import (
	"testing"

	"keepc/grammar/source"
)

// TestUnread checks that a window of tokens that the grammar rejects is reported, though no text makes one: here a
// brace without a line before it, which the balancer is kept from repairing.
func TestUnread(t *testing.T) {
	src, r := source.New("f", []byte("{\na\n}\nb\n")), &record{}
	p := &treeParser{in: newBalancer(newTextLines(src, r), r, braces{}, nil), record: r}
	p.in.literal = true
	p.parse()
	found := r.list()
	if len(found) != 1 || found[0].Rule != "limit-met" || found[0].Message != "keepc cannot read on from here" || found[0].Span.String() != "f:1:1" {
		t.Errorf("got %v", found)
	}
}
