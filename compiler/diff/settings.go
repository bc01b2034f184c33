package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/source"
)

// A Setting is one keyword that differs, or a block that comes or goes.
type Setting struct {
	Action        plan.Action // Add, Edit or Remove
	Path          string      // of the keyword: "vrrp_instance.priority"
	Block         string      // that it stands in: "VI_1", "10.0.0.7:80 of tcp 10.0.0.3:80", "global_defs"; empty: it is one itself
	Name          string      // "priority", "authentication auth_pass", "vrrp_script chk"
	Before, After string      // as a person writes it; empty: not set
	Secret        bool        // the two differ, and that is all to say
	Origin        source.Span // in the new file; what goes has that of the old one
	Inherited     bool        // neither block says it: it comes from another one, whose line is a Setting too

	key   *schema.Keyword
	owner any // the ir.InstanceKey or state.DestinationKey of the block in the new file, or in the old one when it goes
}

func (s Setting) String() string {
	switch {
	case s.Secret:
		return s.Name + " differs"
	case s.Before == "" && s.After == "":
		return string(s.Action) + " " + s.Name
	}
	return fmt.Sprintf("%s %s -> %s", s.Name, orNone(s.Before), orNone(s.After))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// told tells whether the plan of the kernel or a verdict shows the setting.
func (s Setting) told() bool {
	switch s.key.Word {
	case "vrrp_instance", "virtual_server", "real_server": // that one comes or goes, its verdict tells
		return s.Action != plan.Edit
	}
	return s.key.Kernel
}

// A scope is the block that is being compared.
type scope struct {
	path, block, prefix string
	key                 *schema.Keyword
	owner               any
}

// compareSettings compares all that the table knows.
func compareSettings(before, after Side) []Setting {
	return compare(scope{}, schema.Settings(before.Config, before.File), schema.Settings(after.Config, after.File))
}

// compare compares the settings of a block.
func compare(in scope, before, after []schema.Setting) (list []Setting) {
	pairs := match(before, after)
	for _, p := range pairs {
		switch {
		case p.after == nil:
			list = append(list, in.whole(plan.Remove, *p.before))
		case p.before == nil:
			list = append(list, in.whole(plan.Add, *p.after))
		case !p.before.Same(*p.after):
			list = append(list, in.edit(*p.before, *p.after))
		case unchanged(*p.before, *p.after):
		case p.before.Key.Block:
			list = append(list, in.renamed(*p.before, *p.after)...)
			list = append(list, compare(in.inside(*p.after), p.before.Inside(), p.after.Inside())...)
		}
	}
	return list
}

// unchanged reports whether two settings are one check: with the same text, and with the same of what it inherits. There may be 100,000.
func unchanged(before, after schema.Setting) bool {
	b, ok := before.Part.(*ir.Check)
	a, also := after.Part.(*ir.Check)
	return ok && also && a.Same(b) && before.Name == after.Name && sameLines(b.Line(), a.Line())
}

// sameLines reports whether two statements have the same words, and so have those inside.
func sameLines(a, b *grammar.Stmt) bool {
	if a == nil || b == nil || (a.Block == nil) != (b.Block == nil) || !slices.EqualFunc(a.Words, b.Words, func(a, b grammar.Word) bool { return a.Text == b.Text }) {
		return false
	}
	return a.Block == nil || slices.EqualFunc(a.Block.Stmts, b.Block.Stmts, sameLines)
}

func (in scope) edit(before, after schema.Setting) Setting {
	s := in.setting(plan.Edit, after)
	s.Before, s.After = before.Value, after.Value
	s.Secret = after.Key.Secret && before.Value != "" && after.Value != ""
	s.Inherited = before.Span.IsZero() && after.Span.IsZero()
	if after.Span.IsZero() {
		s.Origin = before.Span // the line that went
	}
	return s
}

// whole is a block or an entry that comes or goes; a value that does is an edit.
func (in scope) whole(a plan.Action, x schema.Setting) Setting {
	s := in.setting(a, x)
	if a == plan.Remove {
		s.Before = x.Value
	} else {
		s.After = x.Value
	}
	if x.Name == "" && !x.Key.Block {
		s.Action = plan.Edit
	}
	return s
}

// renamed tells a block that was found again under another name.
func (in scope) renamed(before, after schema.Setting) []Setting {
	if before.Name == after.Name || label(before) == label(after) {
		return nil
	}
	s := in.inside(after).setting(plan.Edit, after)
	s.Name, s.Before, s.After = "name", before.Name, after.Name
	return []Setting{s}
}

func (in scope) setting(a plan.Action, x schema.Setting) Setting {
	name := label(x)
	if x.Key == in.key { // an entry of a block that is nothing but entries
		name = x.Name
	}
	return Setting{
		Action: a, Path: join(in.path, x.Key.Word), Block: in.block, Name: in.prefix + name, Origin: x.Span,
		key: x.Key, owner: in.owner,
	}
}

// inside is the scope of a block's content.
func (in scope) inside(x schema.Setting) scope {
	next := scope{path: join(in.path, x.Key.Word), block: in.block, prefix: in.prefix, key: x.Key, owner: in.owner}
	switch part := x.Part.(type) {
	case *ir.VRRPInstance:
		next.block, next.owner = label(x), part.Key()
	case *ir.VirtualServer:
		next.block, next.owner = label(x), part.Key
	case *ir.RealServer:
		service, _ := in.owner.(ir.ServiceKey)
		key := state.DestinationKey{Service: service, Server: part.Addr}
		next.block, next.owner = key.String(), key
	default:
		if in.block == "" {
			next.block = label(x)
		} else {
			next.prefix += label(x) + " "
		}
	}
	return next
}

func join(path, word string) string {
	if path == "" {
		return word
	}
	return path + "." + word
}

// label names a block for people.
func label(x schema.Setting) string {
	switch part := x.Part.(type) {
	case *ir.VRRPInstance:
		return part.Name
	case *ir.VirtualServer:
		return part.Key.String()
	case *ir.RealServer:
		return part.Addr.String()
	}
	return strings.TrimSpace(x.Key.Word + " " + x.Name)
}

// A pair is one setting of both sides; nil where a side has none.
type pair struct{ before, after *schema.Setting }

// match finds what is the same thing on both sides, as a reload does, and returns it in the order of the new side, then what is gone.
// What is equal in all is the same first, then what has the same identity, then what stands under the same keyword.
func match(before, after []schema.Setting) []pair {
	pairs := make([]pair, len(after))
	for i := range after {
		pairs[i].after = &after[i]
	}
	free := make([]*schema.Setting, len(before))
	left := 0
	for i := range before {
		if i < len(after) && single(before[i], after[i]) {
			pairs[i].before = &before[i] // which is so for most
			continue
		}
		free[i] = &before[i]
		left++
	}
	if left == 0 {
		return pairs
	}
	for _, same := range []func(schema.Setting) any{equality(), identity, likeness} {
		at := map[any][]int{}
		for i, f := range free {
			if f != nil && same(*f) != nil {
				at[same(*f)] = append(at[same(*f)], i)
			}
		}
		for i := range pairs {
			if pairs[i].before != nil || same(*pairs[i].after) == nil {
				continue
			}
			k := same(*pairs[i].after)
			if where := at[k]; len(where) > 0 {
				pairs[i].before, free[where[0]], at[k] = free[where[0]], nil, where[1:]
			}
		}
	}
	for _, f := range free {
		if f != nil {
			pairs = append(pairs, pair{before: f})
		}
	}
	return pairs
}

// single tells whether two settings stand for one keyword of which there is no other.
func single(a, b schema.Setting) bool {
	return a.Key == b.Key && !a.Key.Repeat && a.Name == "" && b.Name == "" && a.Part == nil && b.Part == nil
}

// A mark is what two settings must have in common.
type mark struct {
	key         *schema.Keyword
	what, value any
}

// equality returns the function that marks an entry with its value, and a check with all that it is told.
func equality() func(schema.Setting) any {
	var checks []*ir.Check // that differ
	return func(x schema.Setting) any {
		c, ok := x.Part.(*ir.Check)
		if !ok {
			return mark{x.Key, identity(x), x.Value}
		}
		i := slices.IndexFunc(checks, c.Same)
		if i < 0 {
			i, checks = len(checks), append(checks, c)
		}
		return mark{x.Key, i, nil}
	}
}

// identity is what a reload knows a part by.
func identity(x schema.Setting) any {
	switch part := x.Part.(type) {
	case *ir.VRRPInstance:
		return mark{x.Key, part.Key(), nil}
	case *ir.VirtualServer:
		return mark{x.Key, part.Key, nil}
	case *ir.RealServer:
		return mark{x.Key, part.Addr, nil}
	}
	return mark{x.Key, x.Name, nil}
}

// likeness is that of instances which changed what they are known by, and of blocks without a name.
func likeness(x schema.Setting) any {
	switch x.Part.(type) {
	case *ir.VRRPInstance:
		return mark{x.Key, x.Name, nil}
	case *ir.Check:
		return mark{x.Key, nil, nil}
	}
	return nil
}

// A changed is all settings that change, found by what they belong to.
type changed struct {
	list    []Setting
	byOwner map[any][]Setting
	blocks  map[string]int // those that change or hold what does, with the place of the first change
}

func index(list []Setting) changed {
	c := changed{list, map[any][]Setting{}, map[string]int{}}
	for i, s := range list {
		if s.owner != nil {
			c.byOwner[s.owner] = append(c.byOwner[s.owner], s)
		}
		block := cmp.Or(s.Block, s.Name)
		if _, known := c.blocks[block]; !known {
			c.blocks[block] = i
		}
	}
	return c
}
