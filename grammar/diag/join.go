package diag

import "slices"

// Join merges, into a sorted list, what was found in several readings of a text, one for each id. What every reading
// has appears once; what only some have names their ids.
func Join(ids []string, readings []List) List {
	if len(readings) == 1 {
		return readings[0]
	}
	type finding struct{ rule, message, at string }
	key := func(d Diagnostic) finding { return finding{d.Rule, d.Message, d.Span.String()} }
	holders := map[finding][]string{}
	for i, list := range readings {
		for _, d := range list {
			if k := key(d); !slices.Contains(holders[k], ids[i]) {
				holders[k] = append(holders[k], ids[i])
			}
		}
	}
	all := slices.Concat(readings...)
	for i := range all {
		if some := holders[key(all[i])]; len(some) < len(ids) {
			all[i].IDs = some
		}
	}
	all.Sort()
	return all
}
