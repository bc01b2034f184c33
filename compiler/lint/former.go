package lint

import "slices"

// former is the names that rules had before they became part of another one, and the name of that one. Comments,
// settings and baselines of users still have them. They are about what they were about then: a finding has the former
// name, too.
var former = map[string]string{
	"option-family":       "route-family",
	"rule-family":         "route-family",
	"script-order":        "block-order",
	"tracker-order":       "block-order",
	"track-group-order":   "block-order",
	"check-order":         "block-order",
	"script-user-order":   "global-defs-order",
	"sorry-port":          "port-differs",
	"sorry-family":        "family-differs",
	"family-of-source":    "mixed-families",
	"unused-script":       "unused-tracker",
	"file-too-large":      "limit-met",
	"expansion-too-large": "limit-met",
}

// Find returns the rule that has a name, or had it.
func Find(name string) (Rule, bool) {
	if now, renamed := former[name]; renamed {
		name = now
	}
	all := Rules()
	if i := slices.IndexFunc(all, func(r Rule) bool { return r.Name == name }); i >= 0 {
		return all[i], true
	}
	return Rule{}, false
}
