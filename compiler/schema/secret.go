package schema

import (
	"maps"
	"slices"
	"strings"

	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// Secretive reports whether what follows a word must not be shown, wherever the word is: a secret of the table, or
// what may be a misspelling or a definition of one.
func Secretive(word string) bool {
	if slices.Contains(secretWords, word) {
		return true
	}
	switch {
	case speaks(word):
		return true
	case strings.Contains(word, "/") || knownWords[word]:
		return false
	}
	word = strings.TrimLeft(word, `"#!@`)
	if lower := strings.ToLower(word); strings.HasPrefix(lower, "auth_") || strings.HasPrefix(lower, "auth-") {
		return !knownWords[word]
	}
	best, _ := diag.Suggest(word, longSecretWords)
	return best != ""
}

// speaks reports whether a word plainly names a secret. Paths and other words of the table do not.
func speaks(word string) bool {
	if !lettered(word) {
		return false // most words are numbers and addresses
	}
	lower := strings.ToLower(word)
	if _, long := longSecrets.find(word); long {
		return true
	}
	return !strings.Contains(word, "/") && !knownWords[word] &&
		(strings.Contains(lower, "pass") || strings.Contains(lower, "secret") || strings.HasPrefix(word, "$") && strings.Contains(lower, "key") ||
			slices.ContainsFunc(strings.FieldsFunc(lower, notLetter), func(part string) bool { return part == "pw" || part == "pwd" }))
}

// withSecret reports whether a word contains a secret keyword and the secret itself, without a blank between them. A
// possible misspelling of a keyword, such as auth_password, does not count.
func withSecret(word string) bool {
	for _, w := range longSecretWords {
		if rest, ok := strings.CutPrefix(word, w); ok && rest != "" && !knownWords[word] {
			return !strings.ContainsAny(rest[:1], "=:;,0123456789") && !slices.Contains([]string{"w", "wd", "word", "wrd", "phrase", "s", "es", "e", "d", "ed"}, rest)
		}
	}
	return false
}

// Leads reports whether a word that names a secret is only the type of authentication, so that the word after it
// precedes the secret.
func Leads(word, next string) bool { return strings.EqualFold(word, "PASS") && next == "auth_pass" }

func notLetter(c rune) bool { return c < 'a' || c > 'z' }

// lettered reports whether a word has characters other than those of numbers and IPv4 addresses.
func lettered(word string) bool {
	for i := range len(word) {
		if c := word[i]; c < '.' || c > ':' {
			return true
		}
	}
	return false
}

var (
	// secretWords is every word whose value is secret.
	secretWords = secrets(root.keywords())
	// longSecretWords are those that nothing else is likely to resemble.
	longSecretWords = slices.DeleteFunc(slices.Clone(secretWords), func(w string) bool { return len(w) < 6 })
	longSecrets     = indexOf(longSecretWords)
	// guarded is every block that holds secrets and almost nothing else.
	guarded = holders(root.keywords(), "auth_pass", "key")
	// quietWords are the words of the table that have no secrets, neither after them nor in their block.
	quietWords = indexOf(quiet(root.keywords()))
	// knownWords is every word of the table.
	knownWords = known(root.keywords())
)

// secrets lists the words whose values are secret.
func secrets(table []*Keyword) (words []string) {
	walk(nil, table, func(path []*Keyword) {
		if k := path[len(path)-1]; k.Secret && !slices.Contains(words, k.Word) {
			words = append(words, k.Word)
		}
	})
	return words
}

// holders lists the blocks that contain secret words.
func holders(table []*Keyword, words ...string) (blocks []*Keyword) {
	walk(nil, table, func(path []*Keyword) {
		k := path[len(path)-1]
		if slices.ContainsFunc(k.Words, func(w *Keyword) bool { return w.Secret && slices.Contains(words, w.Word) }) {
			blocks = append(blocks, k)
		}
	})
	return blocks
}

func known(table []*Keyword) map[string]bool {
	words := map[string]bool{}
	walk(nil, table, func(path []*Keyword) { words[path[len(path)-1].Word] = true })
	return words
}

func quiet(table []*Keyword) []string {
	words := known(table)
	for _, w := range secrets(table) {
		delete(words, w)
	}
	for _, k := range holders(table, "auth_pass", "key") {
		delete(words, k.Word)
	}
	return slices.Collect(maps.Keys(words))
}

// SecretWords finds the words of statements that must not be shown, by their places, before anything is understood:
// what follows a word that names a secret, also on the next line, and in a block for secrets everything that is
// neither a word of the block nor a plain value of one. It hides too much rather than too little.
func SecretWords(stmts []*grammar.Stmt) (places []source.Span) {
	hide := func(words ...grammar.Word) {
		for _, w := range words {
			if !w.Span.IsZero() {
				places = append(places, w.Span)
			}
		}
	}
	var read func(stmts []*grammar.Stmt, in *Keyword)
	read = func(stmts []*grammar.Stmt, in *Keyword) {
		waits := false // the previous line is a secret word without its value
		for _, s := range stmts {
			word, inside := s.Keyword(), in
			for n, w := range s.Args() {
				if rest := s.Args()[n+1:]; speaks(w.Text) && (len(rest) == 0 || !Leads(w.Text, rest[0].Text)) {
					hide(rest...)
					break
				}
			}
			if _, quiet := quietWords.find(word); quiet && in == nil {
				waits = false
				if s.Block != nil {
					read(s.Block.Stmts, nil)
				}
				continue
			}
			if withSecret(word) {
				hide(s.Words[0])
			}
			first := word
			if parts := strings.Fields(word); len(parts) > 0 {
				first = parts[0]
			}
			own := in.find(word)
			switch isKnown := knownWords[word]; {
			case own == nil && !isKnown && first != word && Secretive(first):
				hide(s.Words...) // quotes around everything
			case guard(word, s.Block != nil) != nil:
				inside = guard(word, s.Block != nil)
				hide(s.Args()...)
			case own != nil && !own.Secret:
				if words := odd(own, s.Args()); in.find("key") == nil || slices.ContainsFunc(words, mayBeKey) {
					hide(words...)
				}
			case own != nil && word == "key" && len(s.Words) > 2 && IsKeyNumber(s.Words[1].Text):
				hide(s.Args()[1:]...)
			case waits && !isKnown:
				hide(s.Words...)
			case Secretive(word):
				hide(s.Args()...)
				if in != nil && own == nil && !isKnown && !in.means(word) { // a secret that looks like a word for one
					hide(s.Words[0])
				}
				if waits = len(s.Words) == 1 && s.Block == nil && !strings.ContainsAny(strings.TrimRight(word, "=:"), "=:"); waits {
					continue
				}
				if s.Block != nil {
					grammar.Walk(s.Block.Stmts, func(s *grammar.Stmt, _ int) { hide(s.Words...) })
					continue
				}
			case in != nil && isKnown:
				inside = nil // the brace before it is missing
				hide(s.Args()...)
			case in != nil:
				if len(s.Words) == 1 || in.misspells(word) == "" {
					hide(s.Words[0])
				}
				hide(s.Args()...)
			}
			waits = false
			if s.Block != nil {
				read(s.Block.Stmts, inside)
			} else if inside != in && inside != nil {
				in = inside // its brace is missing
			} else if in != nil && inside == nil {
				in = nil
			}
		}
	}
	read(stmts, nil)
	return places
}

// mayBeKey reports whether a word in auth_hmac may be a key, or a part of one: a key has at least 32 bytes, so that a
// few small letters are a mistaken word.
func mayBeKey(w grammar.Word) bool {
	return len(w.Text) >= 16 || strings.Trim(w.Text, "abcdefghijklmnopqrstuvwxyz-") != ""
}

// IsKeyNumber reports whether the first word after key in auth_hmac is a number of a key, even if it is too large.
func IsKeyNumber(word string) bool { return len(word) <= 3 && strings.Trim(word, "0123456789") == "" }

// find returns the word of the block, if the block has it.
func (k *Keyword) find(word string) *Keyword {
	if k == nil {
		return nil
	}
	if i := slices.IndexFunc(k.Words, func(w *Keyword) bool { return w.Word == word }); i >= 0 {
		return k.Words[i]
	}
	return nil
}

// misspells returns the word of the block that a word may be a misspelling of.
func (k *Keyword) misspells(word string) string {
	var words []string
	for _, w := range k.Words {
		words = append(words, w.Word)
	}
	best, _ := diag.Suggest(word, words)
	return best
}

// means reports whether a word is a misspelled word of the block, or one with a value attached, which is hidden by
// itself.
func (k *Keyword) means(word string) bool {
	head := word
	if i := strings.IndexAny(word, "=:;"); i >= 0 {
		head = word[:i]
	}
	return k.find(head) != nil || k.misspells(word) != "" ||
		slices.ContainsFunc(k.Words, func(w *Keyword) bool { return w.Secret && strings.HasPrefix(word, w.Word) })
}

// guard returns the block for secrets that a word names or misspells.
func guard(word string, block bool) *Keyword {
	for _, k := range guarded {
		if k.Word == word {
			return k
		}
	}
	if !block || knownWords[word] {
		return nil
	}
	for _, k := range guarded {
		if best, _ := diag.Suggest(word, []string{k.Word}); best != "" {
			return k
		}
	}
	return nil
}

// odd returns the words after a keyword that are not plain values of it: a plain value is one that its row names, or a
// number. Words of the table and names of other kinds of authentication are not odd either, though they are wrong
// there.
func odd(k *Keyword, words []grammar.Word) []grammar.Word {
	plain := strings.FieldsFunc(k.Expect, func(c rune) bool { return strings.ContainsRune(" ,|[]", c) })
	plain = append(plain, "PASSWORD", "SIMPLE", "NONE", "NO_AUTH", "NULL", "TEXT", "MD5", "SHA1", "HMAC")
	for i, w := range words {
		number := strings.Contains(k.Expect, "..") && len(w.Text) <= 4 && strings.Trim(w.Text, ".0123456789") == ""
		if !number && !slices.ContainsFunc(plain, func(p string) bool { return strings.EqualFold(p, strings.TrimRight(w.Text, ";")) }) && w.Text != "=" {
			if knownWords[w.Text] {
				i++
			}
			return words[i:]
		}
	}
	return nil
}
