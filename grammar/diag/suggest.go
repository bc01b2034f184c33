package diag

import (
	"strings"
	"unicode"
)

// longest is the length above which a word is noise rather than a misspelled keyword; crowd is the number of
// candidates above which the nearest one means nothing.
const (
	longest = 64
	crowd   = 4000
)

// Suggest returns the candidate that a person most likely meant by word, or "" if none is near. confident is true if
// no other candidate is as near and the difference is small compared with the length of the word, so that it is safe
// to read one for the other.
func Suggest(word string, candidates []string) (best string, confident bool) {
	if len(word) > longest || len(candidates) > crowd {
		return "", false
	}
	nearest, second := longest, longest
	for _, c := range candidates {
		if far := len(c) - len(word); far > len(c)/3 || -far > len(c)/3 || len(c) > longest {
			continue
		}
		switch d := distance(fold(word), fold(c)); {
		case d < nearest:
			best, nearest, second = c, d, nearest
		case d < second:
			second = d
		}
	}
	if best == "" || nearest > max(1, min(len(word), len(best))/3) {
		return "", false
	}
	return best, nearest < second && nearest <= max(1, len(best)/4)
}

// SuggestName is Suggest for names that people choose. It does not take a name for another if they differ as the names
// of two things do, and is confident only about a single typing error.
func SuggestName(name string, candidates []string) (best string, confident bool) {
	best, confident = Suggest(name, candidates)
	if best == "" || Apart(name, best) {
		return "", false
	}
	return best, confident && distance(fold(name), fold(best)) <= 1
}

// fewLetters is the length up to which a part of a name distinguishes things, as in VI_int and VI_ext.
const fewLetters = 3

// Apart reports whether two names differ as those of two things do: in a number, or in a short part.
func Apart(a, b string) bool {
	one, two := strings.FieldsFunc(fold(a), noLetter), strings.FieldsFunc(fold(b), noLetter)
	if strings.Map(digit, a) != strings.Map(digit, b) {
		return true
	}
	if len(one) != len(two) {
		return false
	}
	for i := range one {
		if one[i] != two[i] && min(len(one[i]), len(two[i])) <= fewLetters {
			return true
		}
	}
	return false
}

func noLetter(c rune) bool { return !unicode.IsLetter(c) }

// digit keeps the digits of a text.
func digit(c rune) rune {
	if unicode.IsDigit(c) {
		return c
	}
	return -1
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that lead from a to b (optimal string
// alignment).
func distance(a, b string) int {
	var rows [3][longest + 1]int
	two, one, row := &rows[0], &rows[1], &rows[2]
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}

// fold removes what makes a word wrong but not a different word: case, and - for _.
func fold(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
