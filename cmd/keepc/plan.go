package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/diff"
	"keepc/compiler/facts"
	"keepc/compiler/ir"
	"keepc/compiler/plan"
	"keepc/compiler/report"
	"keepc/compiler/state"
	"keepc/runtime/kernel"
)

// A planRun is one run of the verb plan.
type planRun struct {
	*App
	as       string
	from     string // the file in force, according to the user
	all      bool
	exitCode bool

	forceText []byte     // of the configuration in force that was compiled last
	force     *diff.Side // this configuration
}

func (a *App) plan() *cobra.Command {
	run := &planRun{App: a}
	c := &cobra.Command{
		Use:   "plan [file]",
		Short: "Show what run would change on this host, now",
		Long: "Compare the file with this host's kernel and with the configuration in force, and change nothing.\n" +
			"Reading virtual servers needs CAP_NET_ADMIN; addresses need nothing.\n\n" +
			"The running keepc says what is in force. Beside a running keepalived, plan shows what its reload would do: it was started with\n" +
			"its file if that has not changed since, or with --from FILE; otherwise only the kernel is compared. Roles follow from the\n" +
			"addresses on this host.\n\n" + unbounded + " With --facts it may be\n" +
			"a file of somebody else, and is read as check reads it.",
		Example: `  keepc plan
  keepc plan --as master lb01.conf
  keepc plan --as VI_1=master,VI_2=backup lb01.conf
  keepc plan --from lb01.conf.orig lb01.conf
  keepc plan --exit-code --format json lb01.conf`,
		Annotations: onHost(formats("human", "json")),
		Args:        cobra.MaximumNArgs(1),
		RunE:        func(_ *cobra.Command, args []string) error { return run.main(a.oneFile(args)) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&run.as, "as", "live", "the `ROLE` assumed: master or backup for all instances; or NAME=ROLE,...; live: those of the running keepc, or MASTER where an address is on this host")
	f.StringVar(&run.from, "from", "", "the `FILE` in force, if the running director cannot say")
	f.BoolVar(&run.all, "all", false, "also show addresses that are not ours")
	f.BoolVar(&run.exitCode, "exit-code", false, "exit with 4 when there are changes, or may be")
	return c
}

// oneFile returns the file that a verb with one argument reads.
func (a *App) oneFile(args []string) string {
	if len(args) == 0 {
		return a.defaultFile()
	}
	return args[0]
}

func (r *planRun) main(name string) error {
	colors, err := r.colors()
	if err != nil {
		return err
	}
	roles, err := parseRoles(r.as)
	if err != nil {
		return err
	}
	var text []byte
	if name == "-" { // it can be read only once
		if text, err = r.read(name); err != nil {
			return failed(err)
		}
		r.Stdin = bytes.NewReader(text)
	}
	l := r.load(name)
	r.localize(l.Config)
	if l.Config == nil {
		return r.refuse(l.code, l.Refused)
	}
	came := ""
	if r.factsFile == "" {
		if came, err = r.enterFor(l.Config, text); err != nil {
			return failed(fmt.Errorf("plan: %w", err))
		}
	}
	inForce, err := r.inForce(name)
	if err != nil {
		return failed(err)
	}
	if err := roles.check(l.Config); err != nil {
		return err
	}
	host, err := r.hostNow(opens(l.Config, came))
	if err != nil {
		return failed(err)
	}
	m, err := r.compare(l, roles, inForce, host)
	if err != nil {
		return failed(err)
	}
	if n := len(l.Faults); n > 0 {
		m.Notes = append(m.Notes, tolerated(n, l.name)+".")
	}
	m.Notes = append(m.Notes, notRead(l.Unread)...)
	if !r.quiet {
		if r.format == "json" {
			err = report.PlanJSON(r.Stdout, m)
		} else {
			err = report.PlanScreen(r.Stdout, m, colors, r.all, r.verbose)
		}
	}
	if err == nil && r.exitCode && (!m.Empty() || m.Uncertain) {
		return exit{code: exitChanges}
	}
	return failed(err)
}

// hostNow returns the host to compare with: this one, or that of --facts.
func (r *planRun) hostNow(open func() (kernel.Kernel, error)) (*facts.Host, error) {
	if r.factsFile != "" {
		return r.readFacts(r.factsFile)
	}
	k, err := open()
	if err != nil {
		return nil, err
	}
	defer k.Close()
	return observe(k)
}

// compare makes the plan: it compares what the configuration wants with what the host has and what is in force.
func (r *planRun) compare(l loaded, roles assumedRoles, before inForce, host *facts.Host) (report.Plan, error) {
	cfg, have := l.Config, host.State()
	notes, err := servers(cfg, host)
	if err != nil {
		return report.Plan{}, err
	}
	situation, assumed := roles.assume(cfg, have, before)
	situation.Only = state.OnlyAddresses(cfg, have)
	want := state.Desired(cfg, situation)
	r.settings(host, have, want)
	m := report.NewPlan(l.name, planHead(host, cfg, assumed)+before.who, plan.Diff(have, want, before.taking(want)))
	if before.daemon != nil {
		m.NeedRestart(before.daemon.AtStart, cfg.AtStart)
		for _, line := range before.daemon.Drift() {
			m.Notes = append(m.Notes, "Drift: "+line+"; a reload keeps it, keepc enable ends it.")
		}
	}
	if before.old != nil {
		m.AddReload(diff.Reload(*before.old, diff.Side{File: l.tree, Config: cfg}))
	}
	m.Uncertain = before.uncertain
	m.Notes = slices.Concat(m.Notes, before.notes, notes, announcements(cfg, m), waits(host, m))
	if before.keepalived == nil { // it has its own
		m.Notes = append(m.Notes, sentences(report.Unenforced(cfg.NotEnforced))...)
	}
	if m.Moves() && before.name != "" {
		m.Notes = append(m.Notes, fmt.Sprintf("For the effect on the other directors: keepc diff %s %s --peers FILES.", before.name, l.name))
	}
	return m, nil
}

// settings adds the kernel settings of the host that the configuration sets: a host has too many to list them all.
func (r *planRun) settings(host *facts.Host, have, want state.State) {
	for k := range want.Sysctls {
		value := host.Sysctls[k.String()]
		if r.factsFile == "" {
			value = r.line("proc/sys/" + k.File)
		}
		if value != "" {
			have.Sysctls[k] = state.Sysctl{Value: value}
		}
	}
}

// servers reports whether virtual servers can be compared: it returns a note if the kernel has no ip_vs, an error if
// it could not be asked.
func servers(cfg *ir.Config, host *facts.Host) (notes []string, err error) {
	if len(cfg.VirtualServers) == 0 {
		return nil, nil
	}
	switch first := cfg.VirtualServers[0].Span().Position(); host.IPVS {
	case facts.Absent:
		return []string{fmt.Sprintf("%s:%d: %v: run would wait for it (modprobe ip_vs).", first.File, first.Line, kernel.ErrNoIPVS)}, nil
	case facts.Denied:
		return nil, fmt.Errorf("read the virtual servers: %w: this needs CAP_NET_ADMIN", kernel.ErrPermission)
	}
	return nil, nil
}

// planHead says what was examined and what is assumed.
func planHead(host *facts.Host, cfg *ir.Config, assumed string) string {
	var parts []string
	for _, v := range cfg.Instances {
		text := v.Interface + " (missing)"
		if l := host.Link(v.Interface); l != nil {
			text = v.Interface + " (down)"
			if l.Up {
				text = v.Interface + " (up)"
			}
		}
		if !slices.Contains(parts, text) {
			parts = append(parts, text)
		}
	}
	parts = append(parts, report.Count(len(cfg.Instances), "instance"), report.Count(len(cfg.VirtualServers), "virtual server"))
	return strings.Join(parts, ", ") + "; " + assumed + "."
}

// waits reports which of the changes wait for an interface.
func waits(host *facts.Host, m report.Plan) (lines []string) {
	count := map[string]int{}
	for _, c := range m.Changes {
		if c.Action != "add" && c.Action != "replace" {
			continue
		}
		for _, dev := range c.Devices {
			switch l := host.Link(dev); {
			case l == nil:
				count[dev+" is missing"]++
			case !l.Up && c.Kind == "route":
				count[dev+" is down"]++
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		verb := "wait"
		if count[what] == 1 {
			verb = "waits"
		}
		lines = append(lines, fmt.Sprintf("%s: %s %s for it.", what, report.Count(count[what], "object"), verb))
	}
	return lines
}

// sentences ends lines with a full stop.
func sentences(lines []string) []string {
	for i := range lines {
		lines[i] += "."
	}
	return lines
}

// announcements says which announcements follow for the instances whose addresses are added.
func announcements(cfg *ir.Config, m report.Plan) (lines []string) {
	come := func(a ir.Address) bool {
		name := state.AddressKey{Dev: a.On(), Prefix: a.Prefix}.String()
		return slices.ContainsFunc(m.Changes, func(c report.PlanChange) bool {
			return c.Kind == "address" && c.Name == name && (c.Action == "add" || c.Action == "replace")
		})
	}
	for _, v := range cfg.Instances {
		if !slices.ContainsFunc(v.Addresses, come) {
			continue
		}
		text := fmt.Sprintf("Then announce: %d gratuitous ARP for each new address", v.GARPMasterRepeat)
		if v.GARPMasterDelay > 0 {
			text += fmt.Sprintf(", again after %v", v.GARPMasterDelay)
		}
		if text += "."; !slices.Contains(lines, text) {
			lines = append(lines, text)
		}
	}
	return lines
}
