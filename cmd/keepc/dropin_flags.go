package main

import (
	"fmt"
	"strings"
)

// A keepalivedFlag is a flag of keepalived: a row of the table that parsing, help and tests share.
type keepalivedFlag struct {
	short byte // 0: none
	long  string
	value string // the name of its value; empty: it takes none
	joins bool   // the value is optional, and attached: -tFILE, --config-test=FILE
	help  string
	why   string // what happens if keepc does not do what keepalived does; empty: it does
	set   func(*keepalivedRun, string) error
}

// keepalivedFlags are those of keepalived 2.2.7 as Debian builds it, in the order of its help.
func keepalivedFlags() []keepalivedFlag {
	const oneProcess = "there is only one process; the file has its pid"
	none := func(*keepalivedRun, string) error { return nil }
	text := func(of func(*keepalivedRun) *string) func(*keepalivedRun, string) error {
		return func(d *keepalivedRun, value string) error {
			*of(d) = value
			return nil
		}
	}
	yes := func(of func(*keepalivedRun) *bool) func(*keepalivedRun, string) error {
		return func(d *keepalivedRun, _ string) error {
			*of(d) = true
			return nil
		}
	}
	return []keepalivedFlag{
		{'f', "use-file", "FILE", false, "read this configuration file", "", text(func(d *keepalivedRun) *string { return &d.file })},
		{'P', "vrrp", "", false, "run VRRP only", "", yes(func(d *keepalivedRun) *bool { return &d.onlyVRRP })},
		{'C', "check", "", false, "run virtual servers and their checks only", "", yes(func(d *keepalivedRun) *bool { return &d.onlyChecks })},
		{'B', "no_bfd", "", false, "run without BFD", "", none},
		{0, "all", "", false, "run all parts, even those without configuration", "all parts always run", none},
		{'l', "log-console", "", false, "also log to the console", "", yes(func(d *keepalivedRun) *bool { return &d.console })},
		{'D', "log-detail", "", false, "log in detail", "", yes(func(d *keepalivedRun) *bool { return &d.verbose })},
		{'S', "log-facility", "([0-7]|local[0-7]|user|daemon)", false, "the facility of syslog", "", (*keepalivedRun).setFacility},
		{'g', "log-file", "FILE", true, "log to a file (default /tmp/keepalived.log)", "", func(d *keepalivedRun, value string) error {
			d.logFile = value
			if value == "" {
				d.logFile = "/tmp/keepalived.log"
			}
			return nil
		}},
		{0, "flush-log-file", "", false, "write each line at once", "each line is written at once anyway", none},
		{'G', "no-syslog", "", false, "do not log to syslog", "", yes(func(d *keepalivedRun) *bool { return &d.noSyslog })},
		{'u', "umask", "MASK", false, "the umask of files that are made", "", (*keepalivedRun).setUmask},
		{'X', "release-vips", "", false, "remove addresses when a signal ends the role", "it always does", none},
		{'V', "dont-release-vrrp", "", false, "leave addresses, routes and rules in place at exit", "", yes(func(d *keepalivedRun) *bool { return &d.leaveVRRP })},
		{'I', "dont-release-ipvs", "", false, "leave virtual servers in place at exit", "", yes(func(d *keepalivedRun) *bool { return &d.leaveIPVS })},
		{'R', "dont-respawn", "", false, "do not restart child processes", "there are no child processes", none},
		{'n', "dont-fork", "", false, "stay in the foreground", "", yes(func(d *keepalivedRun) *bool { return &d.foreground })},
		{'d', "dump-conf", "", false, "log the configuration at startup", "", yes(func(d *keepalivedRun) *bool { return &d.dumpConf })},
		{'p', "pid", "FILE", false, "the pid file", "", text(func(d *keepalivedRun) *string { return &d.pids[0] })},
		{'r', "vrrp_pid", "FILE", false, "the pid file of VRRP", oneProcess, text(func(d *keepalivedRun) *string { return &d.pids[1] })},
		{'T', "genhash", "", false, "print digests of pages", "refused: keepc hash URL prints them", func(*keepalivedRun, string) error { return fmt.Errorf("genhash: keepc hash URL prints digests") }},
		{'c', "checkers_pid", "FILE", false, "the pid file of the checkers", oneProcess, text(func(d *keepalivedRun) *string { return &d.pids[2] })},
		{'a', "address-monitoring", "", false, "log all address changes", "only addresses of this director are logged", none},
		{'b', "bfd_pid", "FILE", false, "the pid file of BFD", oneProcess, text(func(d *keepalivedRun) *string { return &d.pids[3] })},
		{'x', "snmp", "", false, "answer SNMP queries", "there is no SNMP", inLog("there is no SNMP")},
		{'A', "snmp-agent-socket", "FILE", false, "the socket of the SNMP agent", "there is no SNMP", inLog("there is no SNMP")},
		{'s', "namespace", "NAME", false, "run in a network namespace", "", text(func(d *keepalivedRun) *string { return &d.namespace })},
		{'m', "core-dump", "", false, "leave a core dump when it crashes", "a crash prints its stacks", none},
		{'M', "core-dump-pattern", "PATN", true, "set the pattern of core dumps", "a crash prints its stacks", none},
		{'e', "all-config", "", false, "every included file must exist", "a missing file is logged as an error anyway", none},
		{'i', "config-id", "id", false, "the id of lines @id", "", func(d *keepalivedRun, value string) error { d.ids = []string{value}; return nil }},
		{0, "signum", "SIGFUNC", false, "print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON", "", (*keepalivedRun).signum},
		{'t', "config-test", "LOG_FILE", true, "test the configuration and exit", "", func(d *keepalivedRun, value string) error {
			d.test, d.testLog = true, value
			return nil
		}},
		{'v', "version", "", false, "print the version", "", (*keepalivedRun).printVersion},
		{'h', "help", "", false, "print this help", "", (*keepalivedRun).printHelp},
		{0, "ignore-sigint", "", false, "continue after SIGINT", "", yes(func(d *keepalivedRun) *bool { return &d.ignoreINT })},
	}
}

// parse parses the arguments as getopt_long does: bundles, attached values, long names abbreviated as long as they are
// unique. It returns what is wrong with them, in keepalived's words. Words that are not flags are ignored. An error is
// an exit: a flag has done everything that was requested, or cannot.
func (d *keepalivedRun) parse(args []string) (wrong []string, err error) {
	flags := keepalivedFlags()
	set := func(f *keepalivedFlag, value string) error { return f.set(d, value) }
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func() (string, bool) {
			if i++; i >= len(args) {
				return "", false
			}
			return args[i], true
		}
		if arg == "--" {
			break
		}
		if long, is := strings.CutPrefix(arg, "--"); is {
			name, value, joined := strings.Cut(long, "=")
			f := longFlag(flags, name)
			switch {
			case f == nil, joined && f.value == "":
				wrong = append(wrong, "Unknown option "+arg)
				continue
			case f.value != "" && !f.joins && !joined:
				if value, joined = next(); !joined {
					wrong = append(wrong, "Missing parameter for option --"+f.long)
					continue
				}
			}
			if err := set(f, value); err != nil {
				return wrong, err
			}
			continue
		}
		if len(arg) < 2 || arg[0] != '-' {
			continue
		}
		for rest := arg[1:]; rest != ""; {
			f := shortFlag(flags, rest[0])
			rest = rest[1:]
			value := ""
			switch {
			case f == nil:
				wrong = append(wrong, "Unknown option -"+arg[len(arg)-len(rest)-1:len(arg)-len(rest)])
				continue
			case f.value != "":
				value, rest = rest, ""
				if found := value != "" || f.joins; !found {
					if value, found = next(); !found {
						wrong = append(wrong, "Missing parameter for option -"+string(f.short))
						continue
					}
				}
			}
			if err := set(f, value); err != nil {
				return wrong, err
			}
		}
	}
	return wrong, nil
}

func shortFlag(flags []keepalivedFlag, c byte) *keepalivedFlag {
	for i := range flags {
		if flags[i].short == c {
			return &flags[i]
		}
	}
	return nil
}

// longFlag returns the flag with a name, or the only one that begins with it.
func longFlag(flags []keepalivedFlag, name string) (found *keepalivedFlag) {
	for i := range flags {
		f := &flags[i]
		switch {
		case f.long == name:
			return f
		case !strings.HasPrefix(f.long, name):
		case found != nil:
			return exactly(flags, name)
		default:
			found = f
		}
	}
	return found
}

func exactly(flags []keepalivedFlag, name string) *keepalivedFlag {
	for i := range flags {
		if flags[i].long == name {
			return &flags[i]
		}
	}
	return nil
}
