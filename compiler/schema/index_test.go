package schema

import "testing"

// TestIndex looks up every word of the table, and words that almost match.
func TestIndex(t *testing.T) {
	words := []string{""} // which is in no list
	for w := range known(root.keywords()) {
		words = append(words, w)
	}
	x := indexOf(words[1:])
	for n, w := range words {
		if at, ok := x.find(w); ok != (n > 0) || ok && at != n-1 {
			t.Errorf("%q: place %d, %v", w, at, ok)
		}
		for _, other := range []string{w + "x", "x" + w, w + w} {
			if _, ok := x.find(other); ok && !knownWords[other] {
				t.Errorf("%q is found", other)
			}
		}
	}
	if _, ok := indexOf(nil).find("priority"); ok {
		t.Error("an empty list has a word")
	}
}
