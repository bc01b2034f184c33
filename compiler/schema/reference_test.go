package schema

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A referenceRow is one line of the list of what the reference implementation knows.
type referenceRow struct {
	block, word, argument, standard, limits, status, since, build, kind string
}

// reference reads that list, which is beside the project and not in it.
func reference(t *testing.T) (rows []referenceRow) {
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "keepalived", "keywords.tsv"))
	if err != nil {
		t.Skip("the list of the reference's keywords is not here")
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		c := strings.Split(s.Text(), "\t")
		if len(c) < 11 || strings.HasPrefix(c[0], "#") || c[0] == "block path" {
			continue
		}
		rows = append(rows, referenceRow{c[0], c[1], c[2], c[3], c[4], c[5], c[7], c[8], c[10]})
	}
	return rows
}

// paths returns where the table has the words of a block of the list; none: not in the table.
func (r referenceRow) paths() []string {
	block, words := strings.ReplaceAll(r.block, "/", "."), []string{r.word}
	if strings.Contains(r.word, "|") {
		words = strings.Split(r.word, "|")
	}
	var blocks []string
	switch {
	case r.kind == "directive", strings.HasPrefix(r.word, "<"):
		return nil // those of package grammar; subjects of lines
	case r.kind == "entry" && (block == "virtual_server" || block == "virtual_server_group"):
		return nil // heads
	case block == "(root)":
		return words
	case strings.HasPrefix(block, "address line"):
		blocks = []string{"vrrp_instance.virtual_ipaddress", "static_ipaddress"}
	case strings.HasPrefix(block, "route line"):
		blocks = []string{"vrrp_instance.virtual_routes"}
	case strings.HasPrefix(block, "rule line"):
		blocks = []string{"vrrp_instance.virtual_rules"}
	case strings.HasPrefix(r.block, "lb_kind/"):
		blocks = []string{"virtual_server.lb_kind"}
	case block == "linkbeat_interfaces line", block == "interface_up_down_delays line":
		blocks = []string{strings.TrimSuffix(block, " line")}
	case strings.HasSuffix(block, " line"):
		blocks = []string{"vrrp_instance." + strings.TrimSuffix(block, " line")}
	default:
		blocks = []string{block}
	}
	var all []string
	for _, b := range blocks {
		for _, w := range words {
			all = append(all, b+"."+w)
		}
	}
	return all
}

// TestReference compares the table with the list, both ways: words, ranges, defaults, versions, build options.
func TestReference(t *testing.T) {
	table, since := map[string]*Keyword{}, map[string]string{}
	Walk(func(path []*Keyword) {
		table[Join(path)] = path[len(path)-1]
		for _, k := range path { // a word is as new as its block
			if since[Join(path)] = max(since[Join(path)], k.Since); k.Since != "" && strings.Count(k.Since, ".") != 2 {
				t.Errorf("%s: since %q", Join(path), k.Since)
			}
		}
	})
	known := map[string]bool{}
	compared := 0
	for _, r := range reference(t) {
		paths := r.paths()
		found := len(paths) == 0
		for _, path := range paths {
			k := table[path]
			known[path] = true
			if k == nil {
				continue
			}
			found = true
			if r.kind == "entry" || strings.HasPrefix(r.status, "removed") || r.status == "undocumented-gap" {
				continue
			}
			compared++
			r.compare(t, path, k, since[path])
		}
		if !found {
			t.Errorf("the table does not know %s of %s", r.word, r.block)
		}
	}
	for path, k := range table {
		// Lines of a kind are in several blocks, but only once in the list.
		again := strings.HasPrefix(path, "vrrp_sync_group.track_") || strings.HasPrefix(path, "static_ro") || strings.HasPrefix(path, "static_ru") ||
			strings.Contains(path, "virtual_ipaddress_excluded.") || strings.Contains(path, "lvs_method.") || strings.HasPrefix(path, "linkbeat_interfaces.")
		again = again || path == "vrrp_instance.virtual_rules.type" // its list lacks some of what 2.2.7 reads: TestValues of cmd/keepc
		if !known[path] && !again && k.Instead == "" && k.Foreign == "" {
			t.Errorf("the reference does not know %s", path)
		}
	}
	t.Logf("%d keywords compared, %d in the table", compared, len(table))
	if compared < 500 {
		t.Errorf("only %d keywords compared", compared)
	}
}

var (
	limits   = regexp.MustCompile(`^(-?[\d.]+)(?:-| to )(-?[\d.]+)`)
	expected = regexp.MustCompile(`(-?[\d.]+)\.\.(-?[\d.]+)`)
	number   = regexp.MustCompile(`^-?[\d.]+$`)
)

func (r referenceRow) compare(t *testing.T, path string, k *Keyword, since string) {
	t.Helper()
	if want, ok := exceptions[path]; ok {
		t.Logf("%s: not compared: %s", path, want)
		return
	}
	if isBlock := strings.Contains(r.argument, "block"); isBlock != k.Block {
		t.Errorf("%s: block %v, the reference says %q", path, k.Block, r.argument)
	}
	if (r.argument == "none") != (k.Expect == "" && !k.Block) {
		t.Errorf("%s: expects %q, the reference %q", path, k.Expect, r.argument)
	}
	if m := limits.FindStringSubmatch(r.limits); m != nil && !k.Block && !strings.Contains(r.limits, "char") {
		if strings.Contains(r.limits, "becomes 1 + error") {
			m[1] = "1"
			if strings.Contains(r.argument, "3 dp") {
				m[1] = "0.001"
			}
		}
		got := expected.FindStringSubmatch(k.Expect)
		if got == nil || got[1] != m[1] || got[2] != m[2] {
			t.Errorf("%s: expects %q, the reference has the range %s", path, k.Expect, r.limits)
		}
	}
	if number.MatchString(r.standard) && k.Default != r.standard && k.Otherwise != r.standard && !strings.HasPrefix(k.Otherwise, r.standard) {
		t.Errorf("%s: default %q (%s), the reference says %q", path, k.Default, k.Otherwise, r.standard)
	}
	want := ""
	if v, ok := strings.CutPrefix(r.since, "v"); ok {
		want = v
	}
	if r.since == "after v2.4.3" {
		want = "2.4.4"
	}
	if since != want {
		t.Errorf("%s: since %q, the reference says %q", path, since, r.since)
	}
	if strings.Contains(r.status, "deprecated") != (k.Deprecated != "") && r.block != "vrrp_track_file" && !strings.Contains(r.block, "SMTP_CHECK/host") {
		t.Errorf("%s: deprecated %q, the reference says %q", path, k.Deprecated, r.status)
	}
	if b := buildOption(r.build); b != k.Build && !strings.Contains(r.block, "SMTP_CHECK/host") {
		t.Errorf("%s: build option %q, the reference says %q (%s)", path, k.Build, b, r.build)
	}
}

// exceptions are keywords for which the table differs from the list on purpose.
var exceptions = map[string]string{
	"bfd_instance":                                "the list has no option for it, for the whole parser of it is left out without BFD",
	"global_defs.umask":                           "a number or names of bits",
	"track_file.init_file":                        "a number among words",
	"vrrp_track_file.init_file":                   "a number among words",
	"vrrp_instance.garp_master_delay":             "the default is that of global_defs",
	"vrrp_instance.garp_master_refresh":           "the default is that of global_defs",
	"vrrp_instance.garp_master_repeat":            "the default is that of global_defs",
	"vrrp_instance.garp_master_refresh_repeat":    "the default is that of global_defs",
	"vrrp_instance.down_timer_adverts":            "the default is that of global_defs",
	"virtual_server.real_server.MISC_CHECK.retry": "the row is that of all checks, with their defaults",
	"virtual_server.real_server.DNS_CHECK.retry":  "the row is that of all checks, with their defaults",
}

// buildOption is our name for the condition under which the reference has a keyword.
func buildOption(condition string) string {
	for _, c := range [][2]string{
		{"SNMP", "snmp"}, {"DBUS", "dbus"}, {"NFTABLES_ && _WITH_LVS", "nftables"}, {"IPSET", "ipset"}, {"IPTABLES", "iptables"},
		{"NFTABLES", "nftables"}, {"BFD", "bfd"}, {"JSON", "json"}, {"LINKBEAT", "linkbeat"}, {"TRACK_PROCESS", "track-process"},
		{"VMAC", "vmac"}, {"IPVLAN", "ipvlan"}, {"REGEX", "regex"}, {"SO_MARK", "so-mark"}, {"VRRP_AUTH", "vrrp-auth"},
		{"SCHED1", "sched-flags"}, {"HOST_ENTRIES", "host-entries"}, {"VRF", "vrf"}, {"TLSEXT", "sni"}, {"FIREWALL", "firewall"},
		{"CHKSUM", "checksum-compat"},
	} {
		if strings.Contains(condition, c[0]) {
			return c[1]
		}
	}
	return ""
}

// TestTable checks what every row must have.
func TestTable(t *testing.T) {
	Walk(func(path []*Keyword) {
		k := path[len(path)-1]
		name := Join(path)
		if k.Text == "" || !strings.HasSuffix(k.Text, ".") || strings.ToUpper(k.Text[:1]) != k.Text[:1] && k.Text[:2] != "sh" && k.Text[:2] != "mh" {
			t.Errorf("%s: the text is no sentence: %q", name, k.Text)
		}
		if k.Default != "" && k.Otherwise != "" {
			t.Errorf("%s: two defaults", name)
		}
		if k.Instead != "" {
			blocks := path[:len(path)-1]
			words := root.keywords()
			if len(blocks) > 0 {
				words = blocks[len(blocks)-1].Words
			}
			if !slices.ContainsFunc(words, func(o *Keyword) bool { return o.Word == k.Instead }) {
				t.Errorf("%s: %s does not stand in the same block", name, k.Instead)
			}
		}
	})
}

// TestDirectives checks that each directive is found by what a person asks for, and by its own form.
func TestDirectives(t *testing.T) {
	for asked, name := range map[string]string{
		"@lb1": "@id", "@^lb1": "@^id", "$VIP": "$", "${VIP}": "$", "${_ENV HOME}": "_ENV", "$_PWD": "_PWD", "~seq": "~SEQ", "~SEQx(i, 3)": "~SEQx", "vrrp_instance": "",
	} {
		if d, _ := FindDirective(asked); d.Name != name {
			t.Errorf("%s is taken for %q, not %q", asked, d.Name, name)
		}
	}
	for _, r := range reference(t) {
		if _, ok := FindDirective(r.word); !ok && r.kind == "directive" {
			t.Errorf("%s is not found", r.word)
		}
	}
}
