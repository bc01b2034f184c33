package diag

import (
	"strings"
	"testing"

	"keepc/grammar/source"
)

// TestCauses checks which findings are left when some spoil others. A finding is named by its rule.
func TestCauses(t *testing.T) {
	src := source.New("f", []byte("one $A two\nthree ${A}b\n}\n}\n"))
	at := func(text string) source.Span {
		n := strings.Index(src.String(), text)
		return src.Span(n, n+len(text))
	}
	other := source.New("g", src.Text).Span(0, 10)
	dashed := source.New("h", []byte("${A-b} $A-bc"))
	for _, c := range []struct {
		name string
		list List
		want string
	}{
		{"nothing spoiled", List{{Rule: "a", Kind: Value, Span: at("two")}}, "a"},
		{"the same words", List{{Rule: "a", Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("one $A")}}, "a"},
		{"another kind", List{{Rule: "a", Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}, {Rule: "b", Kind: Extra, Span: at("$A")}}, "a b"},
		{"another place", List{{Rule: "a", Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("two")}}, "a b"},
		{"another text", List{{Rule: "a", Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: other}}, "a b"},
		{"a later finding", List{{Rule: "a", Kind: Value, Span: at("$A")}, {Rule: "b", Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}}, "b"},
		{"not itself", List{{Rule: "a", Kind: Value, Span: at("$A"), Spoils: []Spoil{{Span: at("$A"), Kinds: Value}}}}, "a"},
		{"several lines", List{{Rule: "a", Span: at("one"), Spoils: []Spoil{{Span: src.Span(0, 20), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("three")}}, "a"},
		{"a text everywhere", List{{Rule: "a", Span: at("one"), Spoils: []Spoil{{Text: "$A", Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("$A")}, {Rule: "c", Kind: Value, Span: at("two")}}, "a c"},
		{"in braces", List{{Rule: "a", Span: at("one"), Spoils: []Spoil{{Text: "$A", Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("${A}b")}}, "a"},
		{"the start of another name", List{{Rule: "a", Span: at("one"), Spoils: []Spoil{{Text: "$", Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("$A")}}, "a b"},
		{"the first behind it", List{{Rule: "a", Span: at("one"), Spoils: Spare(at("one"))}, {Rule: "b", Kind: Brace, Span: at("}")}, {Rule: "c", Kind: Brace, Span: src.Span(25, 26)}}, "a c"},
		{"errors of the line", List{{Rule: "a", Span: at("$A"), Spoils: []Spoil{{Span: LineFrom(at("$A")), Kinds: Sense}}}, {Rule: "b", Kind: Sense, Severity: Error, Span: at("two")}, {Rule: "c", Kind: Sense, Severity: Warning, Span: at("two")}}, "a c"},
		{"each other", List{{Rule: "b", Kind: Value, Span: at("two"), Spoils: []Spoil{{Span: at("one"), Kinds: Word}}}, {Rule: "a", Kind: Word, Span: at("one"), Spoils: []Spoil{{Span: at("two"), Kinds: Value}}}}, "a"},
		{"each other, and a third", List{{Rule: "a", Kind: Word, Span: at("one"), Spoils: []Spoil{{Span: at("two"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("two"), Spoils: []Spoil{{Span: at("one"), Kinds: Word}, {Text: "$A", Kinds: Word}}}, {Rule: "c", Kind: Word, Span: at("$A")}}, "a"},
		{"in a ring of three", List{{Rule: "c", Kind: Value, Span: at("three"), Spoils: []Spoil{{Span: at("one"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("two"), Spoils: []Spoil{{Span: at("three"), Kinds: Value}}}, {Rule: "a", Kind: Value, Span: at("one"), Spoils: []Spoil{{Span: at("two"), Kinds: Value}}}}, "a"},
		{"in two rings", List{{Rule: "a", Kind: Value, Span: at("one"), Spoils: []Spoil{{Span: at("two"), Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("two"), Spoils: []Spoil{{Span: at("one"), Kinds: Value}}}, {Rule: "c", Kind: Word, Span: at("three"), Spoils: []Spoil{{Span: at("${A}"), Kinds: Word}}}, {Rule: "d", Kind: Word, Span: at("${A}"), Spoils: []Spoil{{Span: at("three"), Kinds: Word}}}}, "a c"},
		{"one after another", List{{Rule: "c", Kind: Word, Span: at("three")}, {Rule: "b", Kind: Value, Span: at("two"), Spoils: []Spoil{{Span: at("three"), Kinds: Word}}}, {Rule: "a", Span: at("one"), Spoils: []Spoil{{Span: at("two"), Kinds: Value}}}}, "a"},
		{"a name with a dash", List{{Rule: "a", Span: at("one"), Spoils: []Spoil{{Text: "$A-b", Kinds: Value}}}, {Rule: "b", Kind: Value, Span: at("$A")}, {Rule: "c", Kind: Value, Span: dashed.Span(0, 6)}, {Rule: "d", Kind: Value, Span: dashed.Span(7, 12)}}, "a b d"},
		{"a remark beside an error", List{{Rule: "a", Kind: Sense, Severity: Error, Span: at("one")}, {Rule: "b", Kind: Remark, Span: at("two")}, {Rule: "c", Kind: Remark, Span: at("three")}}, "a c"},
	} {
		var rules []string
		for _, d := range c.list.Causes() {
			rules = append(rules, d.Rule)
		}
		if got := strings.Join(rules, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestAsBad checks that what causes an error becomes an error if it has AsBad.
func TestAsBad(t *testing.T) {
	at := source.New("f", []byte("one two")).Span(0, 3)
	list := List{{Rule: "a", Severity: Warning, Span: at, AsBad: true, Spoils: []Spoil{{Span: at, Kinds: Value}}}, {Rule: "b", Severity: Error, Kind: Value | Sense, Span: at}}
	if got := list.Causes(); len(got) != 1 || got[0].Severity != Error {
		t.Errorf("%v", got)
	}
	list[1].Severity = Warning
	if got := list.Causes(); len(got) != 1 || got[0].Severity != Warning {
		t.Errorf("%v", got)
	}
}

// TestCollect checks that several findings that are one thing to do become one, at the first place.
func TestCollect(t *testing.T) {
	src := source.New("f", []byte("one two three"))
	many := [2]string{"%d words", "the first"}
	got := List{{Rule: "a", Plural: many, Span: src.Span(4, 7), More: []source.Span{src.Span(8, 13)}}, {Rule: "b"}, {Rule: "a", Plural: many, Span: src.Span(0, 3)}}.Collect()
	if len(got) != 2 || got[1].Span.Text() != "one" || len(got[1].More) != 2 || got[1].More[1].Text() != "three" {
		t.Errorf("%+v", got)
	}
}
