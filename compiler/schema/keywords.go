package schema

import (
	"slices"
	"strings"
)

// Walk calls visit for every keyword of the table, with the keywords of the blocks around it: outermost first, itself last.
func Walk(visit func(path []*Keyword)) { walk(nil, root.keywords(), visit) }

// WalkSettings does the same for the keywords of .keepc.conf.
func WalkSettings(visit func(path []*Keyword)) { walk(nil, settings.keywords(), visit) }

func walk(path []*Keyword, words []*Keyword, visit func([]*Keyword)) {
	for _, k := range words {
		path := append(path[:len(path):len(path)], k)
		visit(path)
		walk(path, k.Words, visit)
	}
}

// Secretive tells whether what stands behind a word is not to be shown: a secret of the table, or what may be a misspelt
// one or a definition of one.
func Secretive(word string) bool { return secretive(secretWords, word) }

// secretWords is every word whose value is secret.
var secretWords = secrets(root.keywords())

func secretive(secrets []string, word string) bool {
	if slices.Contains(secrets, word) {
		return true
	}
	if strings.Contains(word, "/") {
		return false // a path
	}
	lower := strings.ToLower(word)
	return strings.Contains(lower, "pass") || strings.Contains(lower, "secret") || strings.HasPrefix(word, "$") && strings.Contains(lower, "key")
}

// secrets lists the words whose values are secret.
func secrets(table []*Keyword) (words []string) {
	walk(nil, table, func(path []*Keyword) {
		if k := path[len(path)-1]; k.Secret && !slices.Contains(words, k.Word) {
			words = append(words, k.Word)
		}
	})
	return words
}

// Join writes the way from the top level to a keyword, as "vrrp_instance.priority".
func Join(path []*Keyword) string {
	words := make([]string, len(path))
	for i, k := range path {
		words[i] = k.Word
	}
	return strings.Join(words, ".")
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
