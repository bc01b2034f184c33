// Package enforced is the one list of what keepc does about every keyword: it enforces it, starts without it, or
// refuses the file.
//
// A keyword that is not in the list is not enforced; a test checks that every row of the table is in it. To mark a
// keyword as enforced, move its word to a line that says so: tests then require a file in testdata/enforced that uses
// it, and a director that behaves differently without it.
package enforced

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// An Answer is what "keepc run" does about a keyword.
type Answer uint8

const (
	// Refused: a director without it would do harm, so the file is not started.
	Refused Answer = iota
	// LeftOut: the director works safely without it, and says so.
	LeftOut
	// Unread: it depends on something that run alone reads, and may refuse.
	Unread
	// Enforced: the director acts on it.
	Enforced
)

func (a Answer) String() string {
	return [...]string{"refused", "left out", "not read before run", "enforced"}[a]
}

// A Verdict is the answer for a keyword.
type Verdict struct {
	Answer
	Why  string // what happens without it, such as "no mail is sent"; empty: it is enforced
	When string // the values for which the answer holds, such as "AH"; empty: all of them
}

// A row of the list is a set of words with the same answer in the same blocks.
type row struct {
	blocks string // paths, such as "vrrp_instance.authentication"; empty: the top level
	words  string
	answer Answer
	why    string // as in a Verdict

	when  string                    // the values that the answer is for, in words; empty: all of them
	where func(*ir.Config) []within // the places in a file with these values
}

// A within is a place in a file with a value that has its own answer.
type within struct {
	path  string
	value string // in words, such as "AH"; empty: as the row says
	at    source.Span
}

// verdicts is the list by path.
var verdicts = sync.OnceValue(func() map[string][]Verdict {
	byPath := map[string][]Verdict{}
	for _, r := range list {
		for _, path := range r.paths() {
			byPath[path] = append(byPath[path], Verdict{r.answer, r.why, r.when})
		}
	}
	return byPath
})

// paths are those of the words of a row.
func (r row) paths() (all []string) {
	blocks := strings.Fields(r.blocks)
	if len(blocks) == 0 {
		return strings.Fields(r.words)
	}
	for _, block := range blocks {
		for _, word := range strings.Fields(r.words) {
			all = append(all, block+"."+word)
		}
	}
	return all
}

// Of returns the answers for a keyword by its path, such as "vrrp_instance.priority": that for all values and those
// for some. What is inside a block that is not enforced has the answer of the block. A keyword that is not in the list
// has none.
func Of(path string) []Verdict {
	for p, inside := path, false; p != ""; inside = true {
		if all := verdicts()[p]; len(all) > 0 {
			if inside && slices.ContainsFunc(all, func(v Verdict) bool { return v.Answer == Enforced || v.When != "" }) {
				return nil
			}
			return all
		}
		p = p[:max(strings.LastIndexByte(p, '.'), 0)]
	}
	return nil
}

// always returns the answer for all values of a keyword; false: it depends on the value.
func always(path string) (Verdict, bool) {
	all := Of(path)
	for _, v := range all {
		if v.When == "" {
			return v, true
		}
	}
	return Verdict{Why: "nobody has said what happens without it"}, len(all) == 0
}

// Judge returns what a file uses and keepc does not enforce: keywords in the order of their first use, then values.
func Judge(cfg *ir.Config) (all []ir.Unenforced) {
	for _, use := range cfg.Used {
		if v, ok := always(use.Path); ok && v.Answer != Enforced && !insideOfSuch(use.Path) {
			all = append(all, ir.Unenforced{Keyword: use.Path, At: use.Span, Refused: v.Answer == Refused, Unread: v.Answer == Unread, Why: v.Why})
		}
	}
	for _, r := range list {
		if r.where == nil {
			continue
		}
		told := map[string]bool{}
		for _, place := range r.where(cfg) {
			keyword := place.path + " " + cmp.Or(place.value, r.when)
			if !told[keyword] {
				told[keyword] = true
				all = append(all, ir.Unenforced{Keyword: keyword, At: place.at, Refused: r.answer == Refused, Unread: r.answer == Unread, Why: r.why})
			}
		}
	}
	return all
}

// insideOfSuch reports whether a block around a keyword is not enforced either, and has been reported already.
func insideOfSuch(path string) bool {
	for i := strings.LastIndexByte(path, '.'); i > 0; i = strings.LastIndexByte(path[:i], '.') {
		if v, ok := always(path[:i]); ok && v.Answer != Enforced {
			return true
		}
	}
	return false
}

// MovesRoles reports whether what is not enforced can decide who is MASTER, so that a simulation without it does not
// prove that an address has one holder: what makes peers ignore each other, what tracks, and what an owner or the
// start waits for.
func MovesRoles(u ir.Unenforced) bool {
	word := u.Keyword[strings.LastIndexByte(u.Keyword, '.')+1:]
	return u.Refused || slices.Contains([]string{
		"vrf", "linkbeat_interfaces", "linkbeat_use_polling",
	}, word)
}
