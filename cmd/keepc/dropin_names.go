package main

import (
	"cmp"
	"path/filepath"
	"strings"

	"keepc/compiler/ir"
)

// names are what distinguishes one keepalived of a machine from the others.
type names struct {
	namespace, instance string
	dataDir             string    // of the data files that a signal requests; empty: where the other files are
	stem, end           string    // of their names
	pids                [4]string // files: of the director, VRRP, checkers, BFD; empty: none
}

// names returns those that keepalived 2.2.7 derives from the command line and a configuration: with a network
// namespace, an instance or use_pid_dir its pid files are in a separate directory.
func (d *keepalivedRun) names(cfg *ir.Config) names {
	n := names{namespace: cmp.Or(d.namespace, cfg.NetNamespace), instance: cfg.Instance}
	n.stem, n.end = "keepalived", ".data"
	if g := &cfg.Global; g.Has("state_dump_file") {
		dir, name := filepath.Split(g.StateDumpFile)
		if n.dataDir = dir; name != "" {
			n.end = filepath.Ext(name)
			n.stem = strings.TrimSuffix(name, n.end)
		}
	}
	if own := strings.Join(n.parts(), "_"); cfg.Global.DataUseInstance && own != "" {
		n.end = "." + own + n.end
	}
	dir, end := "/run", ".pid"
	if cfg.UsePIDDir || n.instance != "" || n.namespace != "" {
		dir = filepath.Join("/run/keepalived", n.namespace)
	}
	if n.instance != "" {
		end = "_" + n.instance + end
	}
	for i, name := range []string{"keepalived", "vrrp", "checkers", "bfd"} {
		n.pids[i] = cmp.Or(d.pids[i], filepath.Join(dir, name+end))
	}
	if d.onlyVRRP {
		n.pids[2] = ""
	}
	if d.onlyChecks {
		n.pids[1] = ""
	}
	if len(cfg.BFDs) == 0 && d.pids[3] == "" {
		n.pids[3] = ""
	}
	return n
}

// data returns the name of the data file of a process of keepalived: "_parent", "_check", or none for that of VRRP.
func (n names) data(process string) string { return n.stem + process + n.end }

// ident returns the name of a process of keepalived in syslog.
func (n names) ident(process string) string {
	return strings.Join(append([]string{process}, n.parts()...), "_")
}

// parts returns the names that are set.
func (n names) parts() (all []string) {
	for _, name := range []string{n.namespace, n.instance} {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}
