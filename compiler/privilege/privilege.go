// Package privilege knows which capabilities a director needs on its machine, and for which words of its file.
package privilege

import (
	"iter"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// A Host answers what decides on a machine whether something needs a capability there.
type Host struct {
	Other  func(ir.User) bool // reports whether a user is not the one who runs the director; empty: no name
	Ping   bool               // anybody may send an ICMP echo request (net.ipv4.ping_group_range)
	Bind   bool               // anybody may bind a socket to an interface (Linux 5.7)
	Port   uint16             // the first port that anybody may bind to (net.ipv4.ip_unprivileged_port_start)
	Hidden bool               // /proc hides the processes of others
	File   func(path string) Access
}

// Access is what the director may do with a file without CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE. A file that does
// not exist counts as readable.
type Access struct {
	There bool
	Own   bool // the user and the group of the director own it
	Read  bool // the file can be read, and its directory listed
	Write bool // the file can be written, and replaced in its directory
}

// A Need is a capability and the first word of a file that needs it.
type Need struct {
	Capability string // "CAP_NET_RAW"
	Word       string // "vrrp_instance VI_1"
	At         source.Span
	Must       bool // the word cannot be served without it; otherwise the director does with less
}

// A Kind is a capability that some files need.
type Kind struct {
	Capability string
	Must       bool
	Words      string // the words that need it
	Use        string // what it is for
	first      func(*File, Host) (word string, at source.Span, needed bool)
}

// A File is a configuration with only those commands that run, and the files that it was read from.
type File struct {
	*ir.Config
	Exempt func(ir.Command) bool // reports whether a command runs only with CAP_DAC_READ_SEARCH or CAP_DAC_OVERRIDE, because of modes on its path
	Read   iter.Seq[string]
}

// Kinds lists every capability that a file can need.
func Kinds() []Kind {
	return []Kind{
		{"CAP_NET_ADMIN", true, "vrrp_instance, virtual_server, static_ipaddress, static_routes, static_rules", "addresses, routes, rules, IPVS, nftables, interfaces", network},
		{"CAP_NET_RAW", true, "vrrp_instance, static_ipaddress; PING_CHECK, unless net.ipv4.ping_group_range allows it; bind_if of a check, before Linux 5.7", "advertisements, gratuitous ARP, echoes, checks from an interface", packets},
		{"CAP_SYS_ADMIN", true, "net_namespace_ipvs; net_namespace, until it is entered", "another network namespace", namespace},
		{"CAP_NET_BIND_SERVICE", true, "bind_port of a check, below net.ipv4.ip_unprivileged_port_start", "checks from a low port", ports},
		{"CAP_SETUID", true, "a script of another user: script_user, user, keepalived_script", "to start it as that user", users},
		{"CAP_SETGID", true, "the same", "to start it with the groups of that user", users},
		{"CAP_KILL", false, "any script", "to end it and its children after their time", scripts},
		{"CAP_SYS_NICE", false, "vrrp_rt_priority, vrrp_priority, vrrp_cpu_affinity and their like; any file, unless max_auto_priority -1", "to come before the programs of a busy machine", threads},
		{"CAP_IPC_LOCK", false, "vrrp_no_swap, checker_no_swap, bfd_no_swap", "to stay in memory", memory},
		{"CAP_CHOWN", false, "notify_fifo and its like with a user; init_file in place of a file of another user", "to give the named pipe or the file to that user", owners},
		{"CAP_DAC_OVERRIDE", false, "a named pipe, init_file, reload_file or reload_time_file that is another user's, or in a directory of one; a script that the director may not run by its mode", "to make, open, remove and run it", overrides},
		{"CAP_DAC_READ_SEARCH", false, "a file or the directory of a script that the director may not read by its mode; a track_file that is not there yet", "to read it again, to find the script", reads},
		{"CAP_SYS_PTRACE", false, "track_process, where /proc is mounted with hidepid", "to see the processes of others", processes},
	}
}

// Needs returns what a file needs on a host, in the order of Kinds.
func Needs(f *File, h Host) (all []Need) {
	for _, k := range Kinds() {
		if word, at, needed := k.first(f, h); needed {
			all = append(all, Need{k.Capability, word, at, k.Must})
		}
	}
	return all
}

// Command returns the first script of a file that runs. It may be any program, including one that gains privileges by
// its mode, such as sudo.
func Command(f *File) (word string, at source.Span, some bool) {
	return command(f, func(ir.Command) bool { return true })
}

func command(f *File, is func(ir.Command) bool) (word string, at source.Span, some bool) {
	f.MapCommands(func(what string, c ir.Command) ir.Command {
		if !some && len(c.Args) > 0 && is(c) {
			word, at, some = what, c.Span(), true
		}
		return c
	})
	return word, at, some
}
