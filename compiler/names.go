package compiler

import (
	"bufio"
	"bytes"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// Names are the numbers of the names that a machine has for routing tables, realms and so on, from the files of
// iproute2.
type Names struct {
	fsys  fs.FS
	dirs  []string
	known map[string]map[string]uint32
}

// NewNames reads names below directories of a file system, such as "etc/iproute2", on demand. If several have a name,
// the last one counts.
func NewNames(fsys fs.FS, dirs ...string) *Names {
	return &Names{fsys, dirs, map[string]map[string]uint32{}}
}

// number looks up a name in a file, such as rt_tables. Its folder, rt_tables.d, is read after it.
func (n *Names) number(file, name string) (uint32, bool) {
	if n.known[file] == nil {
		all := map[string]uint32{}
		for _, dir := range n.dirs {
			paths, _ := fs.Glob(n.fsys, path.Join(dir, file+".d", "*.conf")) // the pattern is valid
			for _, p := range append([]string{path.Join(dir, file)}, paths...) {
				if text, err := fs.ReadFile(n.fsys, p); err == nil { // the file is optional
					readNames(text, all)
				}
			}
		}
		n.known[file] = all
	}
	number, ok := n.known[file][name]
	return number, ok
}

// readNames reads lines of a number and a name. Other lines are ignored, as by ip(8).
func readNames(text []byte, all map[string]uint32) {
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		if f := strings.Fields(line); len(f) == 2 {
			if number, err := strconv.ParseUint(f[0], 0, 32); err == nil {
				all[f[1]] = uint32(number)
			}
		}
	}
}

// Localize resolves the names that routes and rules leave to their host. It changes the configuration, which must not
// be in use yet.
func Localize(cfg *ir.Config, n *Names) {
	number := func(x *ir.Number, file string) {
		if x.Name == "" {
			return
		}
		if v, ok := n.number(file, x.Name); ok {
			*x = ir.Number{N: v}
		}
	}
	realms := func(text *string) {
		parts := strings.Split(*text, "/")
		for i, p := range parts {
			if v, ok := n.number("rt_realms", p); ok {
				parts[i] = strconv.FormatUint(uint64(v), 10)
			}
		}
		*text = strings.Join(parts, "/")
	}
	routes := func(all []ir.Route) {
		for i := range all {
			r := &all[i]
			number(&r.Table, "rt_tables")
			number(&r.TOS, "rt_dsfield")
			number(&r.Protocol, "rt_protos")
			realms(&r.Realms)
			for j := range r.Nexthops {
				realms(&r.Nexthops[j].Realms)
			}
		}
	}
	rules := func(all []ir.Rule) {
		for i := range all {
			r := &all[i]
			number(&r.Table, "rt_tables")
			number(&r.TOS, "rt_dsfield")
			number(&r.Protocol, "rt_protos")
			realms(&r.Realms)
			if r.SuppressGroup != nil {
				number(r.SuppressGroup, "group")
			}
		}
	}
	routes(cfg.StaticRoutes)
	rules(cfg.StaticRules)
	for _, v := range cfg.Instances {
		routes(v.Routes)
		rules(v.Rules)
	}
	cfg.NotEnforced = enforced.Judge(cfg)
}
