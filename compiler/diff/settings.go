package diff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/schema"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/source"
)

// A Setting is one keyword that differs, or a block that is added or removed.
type Setting struct {
	Action        plan.Action // Add, Edit or Remove
	Path          string      // of the keyword: "vrrp_instance.priority"
	Block         string      // the block around it: "VI_1", "10.0.0.7:80 of tcp 10.0.0.3:80", "global_defs"; empty: it is a block itself
	Name          string      // "priority", "authentication auth_pass", "vrrp_script chk"
	Before, After string      // as a person writes it; empty: not set
	Secret        bool        // the values differ and must not be shown
	Origin        source.Span // in the new file; in the old one if it is removed
	Inherited     bool        // neither block sets it: it comes from a different one, whose line is a Setting too

	key   *schema.Keyword
	owner any // the ir.InstanceKey or state.DestinationKey of the block in the new file, or in the old one if it is removed
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

// told reports whether the kernel plan or a verdict shows the setting.
func (s Setting) told() bool {
	switch s.key.Word {
	case "vrrp_instance", "virtual_server", "real_server": // the verdict shows that one is added or removed
		return s.Action != plan.Edit
	}
	return s.key.Kernel
}

// A scope is the block being compared.
type scope struct {
	path, block, prefix string
	key                 *schema.Keyword
	owner               any
}

// compareSettings compares everything that the table knows: each half of the blocks on a goroutine, since there may be
// 100,000.
func compareSettings(before, after Side) []*Setting {
	pairs := match(nil, schema.Settings(before.Config, before.File), schema.Settings(after.Config, after.File))
	var first, second comparison
	var both sync.WaitGroup
	both.Go(func() { first.pairs(scope{}, pairs[:len(pairs)/2]) })
	second.pairs(scope{}, pairs[len(pairs)/2:])
	both.Wait()
	return append(first.found, second.found...)
}

// A comparison is what was found so far, and the memory of its levels.
type comparison struct {
	found  []*Setting
	levels []*level // by the depth of their block below the file
	depth  int
}

// A level is a block on both sides. It is overwritten by the next block of the same depth.
type level struct {
	before, after []schema.Setting
	pairs         []pair
}

// pairs compares the settings of a block.
func (c *comparison) pairs(in scope, pairs []pair) {
	for _, p := range pairs {
		switch {
		case p.after == nil:
			c.found = append(c.found, in.whole(plan.Remove, *p.before))
		case p.before == nil:
			c.found = append(c.found, in.whole(plan.Add, *p.after))
		case !p.before.Same(*p.after):
			c.found = append(c.found, in.edit(*p.before, *p.after))
		case unchanged(*p.before, *p.after):
		case p.before.Key.Block:
			c.found = append(c.found, in.renamed(*p.before, *p.after)...)
			c.inside(in.inside(*p.after), p)
		}
	}
}

// inside compares the settings inside a block that both sides have.
func (c *comparison) inside(in scope, p pair) {
	if c.depth == len(c.levels) {
		c.levels = append(c.levels, &level{})
	}
	l := c.levels[c.depth]
	l.before, l.after = p.before.Inside(l.before), p.after.Inside(l.after)
	l.pairs = match(l.pairs[:0], l.before, l.after)
	c.depth++
	c.pairs(in, l.pairs)
	c.depth--
}

// unchanged reports whether two settings are the same check: with the same text and the same inherited values. There
// may be 100,000.
func unchanged(before, after schema.Setting) bool {
	b, ok := before.Part.(*ir.Check)
	a, also := after.Part.(*ir.Check)
	return ok && also && a.Same(b) && before.Name == after.Name && sameLines(b.Line(), a.Line())
}

// sameLines reports whether two statements, and those inside them, have the same words.
func sameLines(a, b *grammar.Stmt) bool {
	if a == nil || b == nil || (a.Block == nil) != (b.Block == nil) || !slices.EqualFunc(a.Words, b.Words, func(a, b grammar.Word) bool { return a.Text == b.Text }) {
		return false
	}
	return a.Block == nil || slices.EqualFunc(a.Block.Stmts, b.Block.Stmts, sameLines)
}

func (in scope) edit(before, after schema.Setting) *Setting {
	s := in.setting(plan.Edit, after)
	s.Before, s.After = before.Value, after.Value
	s.Secret = after.Key.Secret && before.Value != "" && after.Value != ""
	s.Inherited = before.Span.IsZero() && after.Span.IsZero()
	if after.Span.IsZero() {
		s.Origin = before.Span // the removed line
	}
	return s
}

// whole reports a block or an entry that is added or removed; a value that is added or removed counts as an edit.
func (in scope) whole(a plan.Action, x schema.Setting) *Setting {
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

// renamed reports a block that was found under a different name.
func (in scope) renamed(before, after schema.Setting) []*Setting {
	if before.Name == after.Name || label(before) == label(after) {
		return nil
	}
	s := in.inside(after).setting(plan.Edit, after)
	s.Name, s.Before, s.After = "name", before.Name, after.Name
	return []*Setting{s}
}

func (in scope) setting(a plan.Action, x schema.Setting) *Setting {
	name := label(x)
	if x.Key == in.key { // an entry of a block that contains only entries
		name = x.Name
	}
	return &Setting{
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

// label returns the name of a block for people.
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

// A pair is one setting on both sides; nil if a side lacks it.
type pair struct{ before, after *schema.Setting }

// match pairs what is the same thing on both sides, as a reload does, and returns it in the order of the new side,
// followed by what is gone. Equal settings match first, then those with the same identity, then those with the same
// keyword. The list is added to an empty one.
func match(pairs []pair, before, after []schema.Setting) []pair {
	for i := range after {
		pairs = append(pairs, pair{after: &after[i]})
	}
	var free []*schema.Setting
	aligned := true // the settings until here are the same things in the same order
	for i := range before {
		if i < len(after) && (single(before[i], after[i]) || aligned && samePart(before[i], after[i])) {
			pairs[i].before = &before[i] // this holds for most
			continue
		}
		aligned = false
		free = append(free, &before[i])
	}
	if len(free) == 0 {
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

// single reports whether two settings are the only ones of their keyword.
func single(a, b schema.Setting) bool {
	return a.Key == b.Key && !a.Key.Repeat && a.Name == "" && b.Name == "" && a.Part == nil && b.Part == nil
}

// samePart reports whether two settings are the same virtual server, real server or check.
func samePart(a, b schema.Setting) bool {
	switch part := a.Part.(type) {
	case *ir.VirtualServer:
		other, ok := b.Part.(*ir.VirtualServer)
		return ok && a.Key == b.Key && part.Key == other.Key
	case *ir.RealServer:
		other, ok := b.Part.(*ir.RealServer)
		return ok && a.Key == b.Key && part.Addr == other.Addr
	case *ir.Check:
		other, ok := b.Part.(*ir.Check)
		return ok && a.Key == b.Key && part.Same(other)
	}
	return false
}

// A mark is what two settings must have in common to match.
type mark struct {
	key         *schema.Keyword
	what, value any
}

// equality returns the function that marks an entry by its value, and a check by everything that it uses.
func equality() func(schema.Setting) any {
	var checks []*ir.Check // those that differ
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

// identity is what a reload identifies a part by.
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

// likeness matches instances whose identity changed, and blocks without a name.
func likeness(x schema.Setting) any {
	switch x.Part.(type) {
	case *ir.VRRPInstance:
		return mark{x.Key, x.Name, nil}
	case *ir.Check:
		return mark{x.Key, nil, nil}
	}
	return nil
}

// A changed holds all settings that change, indexed by what they belong to.
type changed struct {
	list    []*Setting
	byOwner map[any][]*Setting
	blocks  map[string]int // those that change or contain a change, with the place of the first change
}

func index(list []*Setting) changed {
	c := changed{list, map[any][]*Setting{}, map[string]int{}}
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
