package diff

import (
	"keepc/compiler/plan"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/source"
)

// trapped reports values of global_defs that moved after an instance, or back before it. This is the one order of
// blocks that matters: keepalived forgets these values at a reload, because it copies them into an instance when its
// block opens.
func trapped(before, after Side) (list []Setting, notes []string) {
	const free = "before the instances"
	old, now := behind(before.File), behind(after.File)
	for _, t := range now {
		if !has(old, t) && written(before.File, t.word) {
			list = append(list, t.setting(free, "behind "+t.instance))
			notes = append(notes, "keepalived loses "+t.word+" at a reload, because it comes after "+t.instance+"; keepc does not.")
		}
	}
	for _, t := range old {
		if !has(now, t) && written(after.File, t.word) {
			s := t.setting("behind "+t.instance, free)
			s.Origin = source.Span{}
			list = append(list, s)
			notes = append(notes, "keepalived no longer loses "+t.word+" at a reload.")
		}
	}
	return list, notes
}

// A trap is a value of global_defs that an instance before it does not see.
type trap struct {
	word, instance string
	span           source.Span
}

func (t trap) setting(before, after string) Setting {
	return Setting{
		Action: plan.Edit, Path: "global_defs." + t.word, Block: "global_defs", Name: "place of " + t.word,
		Before: before, After: after, Origin: t.span, key: &schema.Keyword{Word: t.word},
	}
}

func has(list []trap, t trap) bool {
	for _, o := range list {
		if o.word == t.word {
			return true
		}
	}
	return false
}

// behind lists the values that come after an instance and that it copies.
func behind(file *grammar.File) (list []trap) {
	instance := ""
	for _, s := range file.Stmts {
		switch s.Keyword() {
		case "vrrp_instance":
			if instance == "" {
				instance = s.Keyword() + " " + s.Words[len(s.Words)-1].Text
			}
		case "global_defs":
			if instance == "" || s.Block == nil {
				continue
			}
			for _, line := range s.Block.Stmts {
				if schema.Copied(line.Keyword()) {
					list = append(list, trap{line.Keyword(), instance, line.Span()})
				}
			}
		}
	}
	return list
}

// written reports whether global_defs has the word at all.
func written(file *grammar.File, word string) bool {
	for _, s := range file.Stmts {
		if s.Keyword() == "global_defs" && s.Block.Find(word) != nil {
			return true
		}
	}
	return false
}
