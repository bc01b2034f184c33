package lint

// A Difference is a deliberate difference between keepc check and keepalived -t for the same file.
type Difference struct {
	Keepalived string   // what keepalived 2.2.7 -t does
	Keepc      string   // what keepc check does
	Why        string   // the reason, in one sentence
	Milder     []string // rules whose findings are not errors although keepalived exits with 5
	Files      int      // how many of Faulty have nothing worse, and therefore no error
}

// Faulty is the number of real files that Files counts within: those in which keepalived -t finds a mistake in the
// lines, other than old names and what is wrong with its machine.
const Faulty = 261

// Differences returns every deliberate difference between keepc check and keepalived -t.
func Differences() []Difference {
	return []Difference{
		{
			Keepalived: "exits with 5 for anything, from a typing error to a word that has a new name; with 6 for scripts without enable_script_security, which hides the 5; with 4 for an interface that is not here; with 2 at a missing value",
			Keepc:      "exits with 1 for errors, with 0 for warnings and infos (--fail-on changes that), with 2 for wrong usage, with 3 when a file cannot be read",
			Why:        "a test that fails for harmless things is soon switched off",
		},
		{
			Keepalived: "exits with 0 when the file is missing or a directory",
			Keepc:      "exits with 3",
			Why:        "nothing was checked",
		},
		{
			Keepalived: "stops at a missing value, at an instance without virtual_router_id or interface, and, without a message, at a network namespace that is not here",
			Keepc:      "goes on to the end of the file",
			Why:        "the mistakes behind it are there all the same",
		},
		{
			Keepalived: "reports one mistake up to four times, and what follows from it: the lines of an unknown block are unknown too, and braces are extra",
			Keepc:      "reports each cause once, at its place, and reads the rest as it was meant",
			Why:        "one cause, one message",
		},
		{
			Keepalived: "looks for interfaces, users and scripts of the machine that it runs on",
			Keepc:      "does so with --host only",
			Why:        "most files are checked where they are written, not where they are used",
		},
		{
			Keepalived: "calls words unknown that its build lacks, and vrrp_iptables not supported",
			Keepc:      "knows the words of all builds, and says once a file, with -v, what a build or a version must have for them; --keepalived-version names the version that will read the file",
			Why:        "the keepalived of this machine need not be the one that will read the file",
		},
		{
			Keepalived: "exits with 5 for words that are gone, as nat_mask",
			Keepc:      "an info, with the repair",
			Why:        "what the file does is not changed by it",
			Milder:     []string{"removed-keyword"},
			Files:      11,
		},
		{
			Keepalived: "exits with 5 for a sync group with one member",
			Keepc:      "an info",
			Why:        "the instance works as if it were in no group",
			Milder:     []string{"single-member"},
			Files:      7,
		},
		{
			Keepalived: "exits with 5 for an instance of version 2 without addresses",
			Keepc:      "a warning; an error with version 3 or in strict mode, where keepalived drops the instance",
			Why:        "scripts and mail are what some such instances are for",
			Milder:     []string{"missing-addresses"},
			Files:      7,
		},
		{
			Keepalived: "exits with 5 for use_vmac with unicast peers and without vmac_xmit_base, and sets that",
			Keepc:      "a warning",
			Why:        "the instance runs as it was meant",
			Milder:     []string{"vmac-unicast"},
			Files:      7,
		},
		{
			Keepalived: "exits with 5 for a number that it rounds",
			Keepc:      "a warning",
			Why:        "the difference is a part of a second, and equal on all routers of a group with equal files",
			Milder:     []string{"interval-rounded", "too-precise"},
			Files:      2,
		},
		{
			Keepalived: "exits with 5 for a route without an interface, which it does not watch before 2.3.2, and for a rule without a preference, which it chooses",
			Keepc: "an error for a route that another interface could take away for good; an info where the instance sets it again, for its " +
				"gateway is in a network of its own addresses; a warning for the rule",
			Why:    "a route of that kind, and a rule, are there whenever the instance is MASTER",
			Milder: []string{"route-untracked", "rule-preference"},
			Files:  2,
		},
		{
			Keepalived: "exits with 5 for a line that another one makes meaningless, as nopreempt with state MASTER, and drops it",
			Keepc:      "a warning",
			Why:        "what counts is written in the file, too",
			Milder:     []string{"nopreempt-master", "preempt-delay-unused", "hysteresis-too-high", "type-without-password", "owner-weight", "scope-ipv6", "label-ipv6", "version-2-ipv6"},
		},
		{
			Keepalived: "exits with 5 for unicast keywords without unicast_peer, calls that deprecated, and uses multicast",
			Keepc:      "a warning; an error for unicast_ttl, with which keepalived 2.2.7 is not heard",
			Why:        "a file for several hosts may have its peers on lines for other hosts",
			Milder:     []string{"unicast-without-peers"},
		},
		{
			Keepalived: "exits with 5 for old names",
			Keepc:      "an info, with the repair",
			Why:        "what the file does is not changed by it",
			Milder:     []string{"deprecated-keyword"},
		},
		{
			Keepalived: "exits with 5 for a virtual server without lb_kind or without a port",
			Keepc:      "an info for the first, a warning for the second",
			Why:        "NAT and all ports are what is meant more often than not",
			Milder:     []string{"missing-method", "missing-port"},
		},
		{
			Keepalived: "exits with 6 for scripts without enable_script_security",
			Keepc:      "a warning, with the repair",
			Why:        "the scripts run; how safely is for the owner of the machine to say",
		},
		{
			Keepalived: "accepts in silence what it does not do: words behind a value, arguments of a script without quotes, a prefix length or range behind an address that takes none, a password after a #, a second service or address like another",
			Keepc:      "an error where traffic or protection is lost, else a warning",
			Why:        "the file says something else than what happens",
		},
		{
			Keepalived: "writes some findings to the log only, where -t does not show them: users of notify scripts, regular expressions, names of groups",
			Keepc:      "reports them as the others",
			Why:        "a test should say what the start will say",
		},
		{
			Keepalived: "hangs or crashes for a definition that contains itself, a line that starts with \\!, and HTTP_GET without url or path",
			Keepc:      "an error at the line",
			Why:        "the daemon would hang or crash, too",
		},
	}
}

// Milder reports whether the findings of a rule are not errors although keepalived -t exits with 5 for the same
// mistake.
func Milder(rule string) bool {
	for _, d := range Differences() {
		for _, r := range d.Milder {
			if r == rule {
				return true
			}
		}
	}
	return false
}
