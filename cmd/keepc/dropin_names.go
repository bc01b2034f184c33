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
	data                string    // the data file that a signal requests, without its directory
	pids                [4]string // files: of the director, VRRP, checkers, BFD; empty: none
}

// names returns those that keepalived 2.2.7 derives from the command line and a configuration: with a network
// namespace, an instance or use_pid_dir its pid files are in a separate directory.
func (d *keepalivedRun) names(cfg *ir.Config) names {
	n := names{namespace: cmp.Or(d.namespace, cfg.NetNamespace), instance: cfg.Instance}
	n.data = "keepalived.data"
	if own := strings.Join(n.parts(), "_"); cfg.Global.DataUseInstance && own != "" {
		n.data = "keepalived." + own + ".data"
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
