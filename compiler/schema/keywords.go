package schema

import (
	"slices"
	"strings"
	"sync"

	"keepc/grammar"
)

// Walk calls visit for every keyword of the table, with the keywords of the blocks around it: outermost first, itself last.
func Walk(visit func(path []*Keyword)) { walk(nil, root.keywords(), visit) }

// WalkSettings does the same for the keywords of .keepc.conf.
func WalkSettings(visit func(path []*Keyword)) { walk(nil, settings.keywords(), visit) }

// IsSetting reports whether a keyword at the top level is one of .keepc.conf.
func IsSetting(k *Keyword) bool { return slices.Contains(settings.keywords(), k) }

func walk(path []*Keyword, words []*Keyword, visit func([]*Keyword)) {
	for _, k := range words {
		path := append(path[:len(path):len(path)], k)
		visit(path)
		walk(path, k.Words, visit)
	}
}

// Join writes the path from the top level to a keyword, such as "vrrp_instance.priority".
func Join(path []*Keyword) string {
	words := make([]string, len(path))
	for i, k := range path {
		words[i] = k.Word
	}
	return strings.Join(words, ".")
}

// Below returns the words that are in blocks within a block, and not in the block itself.
func Below(block string) map[string]bool {
	words := map[string]bool{}
	for _, path := range Find(block) {
		key := path[len(path)-1]
		for _, k := range key.Words {
			for _, l := range k.Words {
				words[l.Word] = true
			}
		}
		for _, k := range key.Words {
			if k.Current() {
				delete(words, k.Word)
			}
		}
	}
	return words
}

// Find returns the keywords whose path is, or ends with, the given one.
func Find(path string) (found [][]*Keyword) {
	visit := func(p []*Keyword) {
		if full := Join(p); full == path || strings.HasSuffix(full, "."+path) {
			found = append(found, p)
		}
	}
	Walk(visit)
	WalkSettings(visit)
	return found
}

// Nests returns a function that reports whether a keyword can be in a block; "" is the top level. It returns true for
// unknown words, and for words that are in no block of the table.
func Nests() func(outer, word string) bool {
	blocks := map[string]bool{}
	within := sync.OnceValue(func() map[string][]string {
		outers := map[string][]string{}
		walk(nil, root.keywords(), func(path []*Keyword) {
			outer := ""
			if n := len(path) - 2; n >= 0 {
				outer = path[n].Word
			}
			k := path[len(path)-1]
			outers[k.Word] = append(outers[k.Word], outer)
			blocks[k.Word] = blocks[k.Word] || k.Block
		})
		return outers
	})
	return func(outer, word string) bool {
		outers, known := within()[word]
		return !known || !blocks[outer] && outer != "" || slices.Contains(outers, outer)
	}
}

// Nesting describes how keepalived nests blocks: by its keywords, with separate ones for the checkers.
func Nesting() grammar.Nesting {
	within, lists := map[[2]string]bool{}, map[[2]string]bool{}
	walk(nil, root.keywords(), func(path []*Keyword) {
		outer := ""
		if n := len(path) - 2; n >= 0 {
			outer = path[n].Word
		}
		if k := path[len(path)-1]; k.Block && k.Current() {
			within[[2]string{outer, k.Word}] = true
			lists[[2]string{outer, k.Word}] = k.Lines != "" && !k.Bare
		}
	})
	checked := []string{"virtual_server", "virtual_server_group", "SSL"}
	return grammar.Nesting{
		Opens: func(outer, word string) bool { return within[[2]string{outer, word}] },
		Lists: func(outer, word string) bool { return lists[[2]string{outer, word}] },
		Apart: func(word string) bool { return slices.Contains(checked, word) },
	}
}

// AtTop reports whether a word is a keyword at the top level.
func AtTop(word string) bool {
	_, known := root.index.find(word)
	return known
}
