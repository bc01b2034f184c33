package schema

// An index finds a word in a short list. It is used for every line of a file; a map takes twice as long.
type index struct {
	slots []slot // a power of two; at least half of them are free
}

type slot struct {
	word string // "": free
	n    int    // its position in the list
}

func indexOf(words []string) index {
	size := 4
	for size < 4*len(words) {
		size *= 2
	}
	x := index{make([]slot, size)}
	for n, w := range words {
		*x.slot(w) = slot{w, n}
	}
	return x
}

// slot returns the slot of a word, or the free slot where it would go.
func (x index) slot(word string) *slot {
	mask := len(x.slots) - 1
	i := 31 * len(word)
	if len(word) > 0 {
		i += 7*int(word[0]) + 13*int(word[len(word)/2]) + int(word[len(word)-1])
	}
	for ; ; i++ {
		if s := &x.slots[i&mask]; s.word == word || s.word == "" {
			return s
		}
	}
}

// find returns the position of a word.
func (x index) find(word string) (int, bool) {
	s := x.slot(word)
	return s.n, s.word != ""
}
