package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/lint"
	"keepc/compiler/schema"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/lab"
)

// A remark is a kind of complaint of keepalived -t that keepc need not share, with the reason.
type remark struct {
	text *regexp.Regexp
	why  string
}

// surroundings are complaints about the machine and not about the file; keepc reports them with --host.
var surroundings = []remark{
	{regexp.MustCompile(`interface .* doesn't exist|[Nn]on-existent interface|Unknown interface!|interface .* already exists|unknown interface .* specified for linkbeat`), "an interface of this machine"},
	{regexp.MustCompile(`set (default user|uid/gid)|setting global script uid/gid|Invalid user|unknown user`), "a user of this machine"},
	{regexp.MustCompile(`not found/accessible|script security|SECURITY VIOLATION|insecure|Invalid (startup|shutdown) script`), "a script of this machine"},
	{regexp.MustCompile(`iptables not supported|nftables already specified|'vrrp_ipsets?'|not supported by|Unknown keyword 'vrrp_iptables'`), "what this build can do"},
	{regexp.MustCompile(`Unable to (open|access)|No such file|not readable|Configuration file .* not found|errors? opening|Config files missing`), "a file of this machine"},
	{regexp.MustCompile(`Invalid smtp server [^0-9:]+`), "a name that this machine does not resolve"},
}

// mistaken are complaints that are mistakes of keepalived.
var mistaken = []remark{
	{regexp.MustCompile(`is configured on VRRP instance and sync group`), "keepalived takes the interface of another instance for one that is tracked"},
}

// follows are complaints that follow from another one.
var follows = []remark{
	{regexp.MustCompile(`track (script|file|process|bfd) .* not found, ignoring`), "what it tracks was removed"},
	{regexp.MustCompile(`track_file .* not found|FILE_CHECK has no track_file`), "the track_file was removed"},
	{regexp.MustCompile(`no matching virtual router found|has no virtual router`), "the members were removed"},
}

// answers are the rules for what keepalived says about a whole block, at its closing brace or by its name.
var answers = []struct {
	text  *regexp.Regexp
	rules string
}{
	{regexp.MustCompile(`without (any )?unicast peers`), "unicast-without-peers mixed-families"},
	{regexp.MustCompile(`unicast with use_vmac requires`), "vmac-unicast"},
	{regexp.MustCompile(`with unicast and no interface`), "vmac-without-interface"},
	{regexp.MustCompile(`since own interface`), "own-interface-tracked"},
	{regexp.MustCompile(`VRRP instance and sync group`), "tracked-in-group"},
	{regexp.MustCompile(`No VIP specified`), "missing-addresses"},
	{regexp.MustCompile(`No .* set for|virtual router id must be set|no neighbor address`), "missing-keyword missing-neighbor missing-interface"},
	{regexp.MustCompile(`quorum|hysteresis`), "quorum-too-high hysteresis-too-high all-weights-zero"},
	{regexp.MustCompile(`no scheduler set`), "missing-scheduler"},
	{regexp.MustCompile(`no forwarding method set`), "missing-method foreign-keyword"},
	{regexp.MustCompile(`no protocol set`), "missing-protocol"},
	{regexp.MustCompile(`protocol specified for fwmark`), "protocol-of-mark"},
	{regexp.MustCompile(`zero port only valid`), "missing-port"},
	{regexp.MustCompile(`ports don't match`), "port-differs"},
	{regexp.MustCompile(`no real servers|has no entries`), "no-real-server empty-group family-differs duplicate-name"},
	{regexp.MustCompile(`Address family`), "family-differs family-of-mark"},
	{regexp.MustCompile(`due to SYNC group`), "sync-weight"},
	{regexp.MustCompile(`due to address.owner`), "owner-weight"},
	{regexp.MustCompile(`[Ss]ync group`), "single-member empty-sync-group member-twice undefined-name duplicate-name missing-keyword"},
	{regexp.MustCompile(`State MASTER must match`), "strict-state state-priority"},
	{regexp.MustCompile(`[Ss]trict mode|does not comply with|incompatible with strict`), "strict-conflict"},
	{regexp.MustCompile(`does not support authentication|AH authentication`), "password-version-3 master-ah strict-conflict"},
	{regexp.MustCompile(`authentication|auth_`), "type-without-password"},
	{regexp.MustCompile(`promote_secondaries`), "vmac-promote"},
	{regexp.MustCompile(`both use VRID`), "duplicate-vrid"},
	{regexp.MustCompile(`nopreempt|preempt_delay`), "nopreempt-master preempt-delay-unused strict-conflict"},
	{regexp.MustCompile(`link local`), "first-not-link-local"},
	{regexp.MustCompile(`advertisement interval`), "interval-rounded interval-too-long"},
	{regexp.MustCompile(`IPv6 with VRRP version 2`), "version-2-ipv6"},
	{regexp.MustCompile(`any delay set`), "idle-garp-group"},
	{regexp.MustCompile(`empty notification_email`), "mail-without-recipients"},
	{regexp.MustCompile(`Number of VIPs`), "too-many-addresses"},
}

// unread are the rules about lines that keepc could not read: what keepalived says about their block may follow from
// them.
const unread = "invalid-value value-range missing-value undefined-reference unknown-option unknown-keyword misplaced-keyword cut-address condition-on-block"

// lostPlace are complaints after which keepalived assigns lines to the wrong block.
var lostPlace = regexp.MustCompile(`Unexpected '\{'|Missing '\{'|Extra '\}'|Unknown keyword '[{}]'|skipping`)

// A complaint is one message of keepalived -t.
type complaint struct {
	file string // base name; empty: unknown
	line int    // 0: unknown
	text string
}

var complaintForm = regexp.MustCompile(`^\((?:(\S+): )?Line (\d+)\) (.*)$`)

// complaints reads what keepalived -t printed; each pass over the file repeats most of it.
func complaints(out string) (all []complaint) {
	seen := map[complaint]bool{}
	for line := range strings.Lines(out) {
		c := complaint{text: strings.TrimSpace(line)}
		if m := complaintForm.FindStringSubmatch(c.text); m != nil {
			c.line, _ = strconv.Atoi(m[2])
			c.file, c.text = filepath.Base(m[1]), m[3]
			if m[1] == "" {
				c.file = ""
			}
		}
		if c.text != "" && !seen[c] {
			all = append(all, c)
		}
		seen[c] = true
	}
	return all
}

var quoted, prefixed, numbered = regexp.MustCompile(`'[^']*'|"[^"]*"`), regexp.MustCompile(`^\([^)]*\):?`), regexp.MustCompile(`\S*\d\S*`)

// shape is the text of a complaint without names and numbers.
func (c complaint) shape() string {
	return numbered.ReplaceAllString(prefixed.ReplaceAllString(quoted.ReplaceAllString(c.text, "'_'"), "(_)"), "#")
}

// A judged is one file, and what both programs say of it.
type judged struct {
	complaints []complaint
	rules      map[place][]string // the rules of findings, except infos that keepalived has no complaint about
	blocks     []block            // outermost first
	full       bool               // it has too many findings
	foreign    bool               // the file is of another format
	heads      []int              // the lines of block heads for other hosts
	broken     string             // a rule about braces that fired
	last       int                // the number of lines
}

// A place is a line of a file; without a name, of any.
type place struct {
	file string
	line int
}

// A block is the position of a block of the file.
type block struct {
	names    []string // the words between the keyword and the brace
	from, to int      // the first and the last line
	ends     []int    // the lines of the closing brace: its own, and that of the use of a definition that contains it
	top      bool
}

func newJudged(tree *grammar.File, found diag.List) judged {
	j := judged{rules: map[place][]string{}, last: 1 + bytes.Count(tree.Source.Text, []byte("\n"))}
	for _, d := range found {
		switch d.Rule {
		case "unclosed-block", "extra-brace", "stray-brace", "unexpected-block", "unknown-keyword", "missing-brace", "undefined-reference":
			j.broken = d.Rule
		}
		if d.Severity == diag.Info && !lint.Milder(d.Rule) {
			continue
		}
		j.full = j.full || d.Rule == "too-many-findings"
		j.foreign = j.foreign || d.Rule == "foreign-file"
		if d.Rule == "condition-on-block" {
			j.heads = append(j.heads, d.Span.Position().Line)
		}
		spans := append([]source.Span{d.Span}, d.More...)
		for _, f := range d.Fixes {
			for _, e := range f.Edits { // one finding may be about several lines
				spans = append(spans, e.Span)
			}
		}
		for _, at := range spans {
			for ; !at.IsZero(); at = at.Source.Via {
				p := at.Position()
				for _, at := range []place{{"", p.Line}, {filepath.Base(p.File), p.Line}} {
					j.rules[at] = append(j.rules[at], d.Rule)
				}
			}
		}
	}
	j.add(tree.Stmts, true)
	return j
}

// add records the blocks of a list of statements, and those inside.
func (j *judged) add(stmts []*grammar.Stmt, top bool) {
	for _, s := range stmts {
		if s.Block == nil {
			continue
		}
		b := block{from: s.Span().Position().Line, top: top}
		b.to = b.from
		for at := s.Block.Close; !at.IsZero(); at = at.Source.Via {
			b.ends = append(b.ends, at.Position().Line)
		}
		if len(b.ends) > 0 {
			b.to = max(b.from, b.ends[0])
		}
		for _, w := range s.Args() {
			b.names = append(b.names, w.Text)
		}
		j.blocks = append(j.blocks, b)
		j.add(s.Block.Stmts, false)
	}
}

// about reports whether one of the names is that of the block.
func (b block) about(subjects []string) bool {
	return b.top && slices.ContainsFunc(b.names, func(s string) bool { return slices.Contains(subjects, s) })
}

// finds returns the rule of a finding at the place of the complaint; "" if there is none. What is wrong with a whole
// block keepalived reports at its closing brace, or without a line but with the name of the block.
func (j judged) finds(c complaint) string {
	if rules := j.rules[place{c.file, c.line}]; len(rules) > 0 && c.line > 0 {
		return rules[0]
	}
	if rules := j.rules[place{c.file, j.last}]; c.line == j.last-1 && len(rules) > 0 {
		return rules[0] // without a line end, the last line is counted as the one before it
	}
	if c.line == 0 && strings.Contains(c.text, "missing '}'") && j.broken != "" {
		return j.broken
	}
	wanted := ""
	for _, a := range answers {
		if a.text.MatchString(c.text) {
			wanted = a.rules
			break
		}
	}
	follows, subjects := "", c.subjects()
	for _, b := range j.blocks {
		if !slices.Contains(b.ends, c.line) &&
			!(c.line == 0 && b.about(subjects)) {
			continue
		}
		for n := b.from; n <= b.to; n++ {
			for _, rule := range j.rules[place{"", n}] {
				switch {
				case slices.Contains(strings.Fields(wanted), rule):
					return rule
				case slices.Contains(strings.Fields(unread), rule):
					follows = rule
				}
			}
		}
	}
	return follows
}

var subjectForm = regexp.MustCompile(`^\(([^)]+)\)|[Ss]ync group ([^\s,]+)|\[([^\]]+)\]|FWM (\d+)|(\S+) and \S+ both use`)

// subjects lists the names that a complaint without a line has.
func (c complaint) subjects() (all []string) {
	for _, m := range subjectForm.FindAllStringSubmatch(c.text, -1) {
		all = append(all, slices.DeleteFunc(m[1:], func(s string) bool { return s == "" })...)
	}
	return all
}

// adrift lists the lines where keepalived has lost its place: from the complaint that says so to the end of the
// top-level block, or to where it says that it is back.
func (j judged) adrift() map[int]bool {
	lost := map[int]bool{}
	for _, c := range j.complaints {
		if c.line == 0 || !lostPlace.MatchString(c.text) && !j.headless(c.line) {
			continue
		}
		end := c.line
		for _, b := range j.blocks {
			if b.top && b.from <= c.line && c.line <= b.to {
				end = max(end, b.to)
			}
		}
		for _, o := range j.complaints {
			if o.line > c.line && strings.Contains(o.text, "'}'") {
				end = max(end, o.line)
			}
		}
		for n := c.line; n <= end; n++ {
			lost[n] = true
		}
	}
	return lost
}

// headless reports whether a line is in a block whose head, at least in part, is for another host.
func (j judged) headless(line int) bool {
	return slices.ContainsFunc(j.heads, func(head int) bool {
		return slices.ContainsFunc(j.blocks, func(b block) bool { return b.from <= head && head <= line && line <= b.to })
	})
}

// excused returns why keepc need not share a complaint; "" when it should.
func (j judged) excused(c complaint, adrift map[int]bool) string {
	for _, r := range slices.Concat(surroundings, mistaken, follows) {
		if r.text.MatchString(c.text) {
			return r.why
		}
	}
	switch {
	case adrift[c.line]:
		return "keepalived has lost its place"
	case j.foreign && strings.HasPrefix(c.text, "Unknown keyword"):
		return "a text for another program, told once"
	case j.full:
		return "keepc has more findings than it shows"
	}
	return ""
}

// TestAgreement checks that keepc finds something on every line of the corpus that Debian's keepalived -t complains
// about, except for what is wrong with this machine and what follows from another complaint. With -v it prints a
// table.
func TestAgreement(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "shared", "corpus", "files")
	names, _ := filepath.Glob(filepath.Join(absolute(t, dir), "*"))
	if len(names) == 0 {
		t.Skip("../shared/corpus is not here")
	}
	lab.NeedPrograms(t, "keepalived", "timeout")
	host := lab.New(t).Host("judge")

	files, links := make([]judged, len(names)), map[string]bool{}
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		u := compiler.Load(source.New(filepath.Base(name), text), compiler.Options{Text: grammar.Options{ID: host.Name(), Files: grammar.Files{Root: os.DirFS("/"), Dir: filepath.Dir(name)}, Nests: schema.Nests()}})
		files[i] = newJudged(u.Tree, u.Findings)
		if own := interfaces(u.Config); len(own) < 50 { // files with thousands are for measuring
			maps.Copy(links, own)
		}
	}
	plug(t, host, slices.Sorted(maps.Keys(links)))

	start := time.Now()
	var wg sync.WaitGroup
	work := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range work {
				out, _ := host.Try("timeout", "5", "keepalived", "-t", "-f", names[i]) // it fails where it complains
				files[i].complaints = complaints(out)
			}
		})
	}
	for i := range names {
		work <- i
	}
	close(work)
	wg.Wait()
	t.Logf("keepalived took %v", time.Since(start))

	agreed, excused := map[string]int{}, map[string]int{}
	total, missing := 0, 0
	for i, j := range files {
		adrift := j.adrift()
		for _, c := range j.complaints {
			total++
			rule := j.finds(c)
			if rule != "" {
				agreed[fmt.Sprintf("%-24s %s", rule, c.shape())]++
			} else if why := j.excused(c, adrift); why != "" {
				excused[why]++
			} else {
				missing++
				t.Errorf("%s:%d: %s", filepath.Base(names[i]), c.line, c.text)
			}
		}
	}
	table(t, "keepc finds it too", agreed)
	table(t, "left out on purpose", excused)
	t.Logf("%d files, %d complaints of keepalived -t, %d missing", len(files), total, missing)
}

// interfaces lists the interfaces that a configuration names.
func interfaces(cfg *ir.Config) map[string]bool {
	all := map[string]bool{}
	for _, v := range cfg.Instances {
		all[v.Interface] = true
		for _, a := range v.Addresses {
			all[a.Dev] = true
		}
		for _, t := range v.TrackInterfaces {
			all[t.Name] = true
		}
	}
	for _, g := range cfg.SyncGroups {
		for _, t := range g.TrackInterfaces {
			all[t.Name] = true
		}
	}
	for _, a := range cfg.StaticAddresses {
		all[a.Dev] = true
	}
	delete(all, "")
	delete(all, "lo")
	return all
}

// plug gives a host interfaces with these names, two to a cable.
func plug(t *testing.T, host *lab.Host, names []string) {
	t.Helper()
	names = slices.DeleteFunc(names, func(s string) bool { return strings.ContainsAny(s, ":%$@{}*?") })
	for pair := range slices.Chunk(names, 2) {
		if len(pair) == 1 {
			pair = append(pair, "spare0")
		}
		link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: pair[0]}, PeerName: pair[1]}
		if err := host.Netlink().LinkAdd(link); err != nil {
			t.Logf("no interfaces %v: %v", pair, err)
		}
	}
}

// table logs counts, the largest first.
func table(t *testing.T, title string, counts map[string]int) {
	t.Helper()
	var b strings.Builder
	keys := slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), strings.Compare(x, y))
	})
	for _, k := range keys {
		fmt.Fprintf(&b, "%6d  %s\n", counts[k], k)
	}
	t.Logf("%s\n%s", title, &b)
}
