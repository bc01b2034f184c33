package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A labFile is a file that runs in the lab: its interfaces are eth0, scripts, mail and peers are removed, and each
// real server that has a check has a TCP_CHECK of a separate port on this host.
type labFile struct {
	text     string
	services [][]int // of each virtual_server: the ports of its servers' checks
}

// labPort is the first of the ports.
const labPort = 20000

// Statements that are not used in the lab: lines, and blocks with their content.
var (
	labDropped = []string{
		"notify", "smtp_", "script_user", "enable_script_security", "net_namespace", "use_vmac", "vmac_", "unicast_src_ip", "mcast_src_ip", "vrrp_strict",
		"nftables", "vrrp_iptables", "vrrp_ipsets", "enable_snmp", "enable_traps", "snmp_", "enable_dbus", "dbus_", "vrrp_priority", "checker_priority", "bfd_priority",
		"vrrp_rt_", "checker_rt_", "bfd_rt_", "vrrp_no_swap", "checker_no_swap", "startup_script", "shutdown_script", "linkbeat", "lvs_notify_fifo",
		"vrrp_notify_fifo", "process_name", "vrrp_process", "checker_process", "vrrp_startup_delay", "preempt_delay", "dynamic_interfaces", "include", "track_src_ip",
		"use_pid_dir", "instance", "reload_", "dont_track", "max_auto_priority", "child_wait", "random_seed", "default_interface", "unicast_fault_no_peer",
	}
	labBlocks = []string{
		"notification_email", "unicast_peer", "track_script", "track_interface", "track_process", "track_bfd", "track_file", "vrrp_script", "vrrp_track_process",
		"vrrp_track_file", "bfd_instance", "SSL", "static_routes", "static_rules", "virtual_routes", "virtual_rules",
	}
	labChecks = []string{
		"TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "PING_CHECK", "BFD_CHECK", "FILE_CHECK",
	}
)

// labelled reports whether a word is one of the names, or begins with one of the prefixes.
func labelled(word string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(word, p) })
}

// bracedName is a definition that is used.
var bracedName = regexp.MustCompile(`\$\{([^{}]*)\}`)

// inLab rewrites a file.
func inLab(text string) labFile {
	var out labFile
	var b strings.Builder
	var open []string // the open blocks
	drop, port, checked := 0, labPort, false
	pending := "" // a statement whose brace may be on the next line
	flush := func() {
		if pending != "" {
			b.WriteString(strings.Repeat("    ", len(open)) + pending + "\n")
		}
		pending = ""
	}
	for line := range strings.Lines(text) {
		if i := strings.IndexAny(line, "#!"); i >= 0 {
			line = line[:i]
		}
		line = bracedName.ReplaceAllString(line, "$$\x01${1}\x02") // the braces of a name are none of a block
		line = strings.NewReplacer("{", " { ", "}", "\n}\n").Replace(line)
		for part := range strings.SplitSeq(line, "\n") {
			words := strings.Fields(part)
			for len(words) > 0 {
				n := slices.Index(words, "{")
				stmt := words
				opens := n >= 0
				if opens {
					stmt, words = words[:n], words[n+1:]
				} else {
					words = nil
				}
				if len(stmt) > 0 {
					if stmt[0] == "}" {
						flush()
						switch {
						case drop > 0:
							drop--
						default: // one without a partner is a mistake that counts
							open = open[:max(len(open)-1, 0)]
							b.WriteString(strings.Repeat("    ", len(open)) + "}\n")
						}
						continue
					}
					if drop == 0 {
						flush()
						pending = strings.Join(labWords(stmt, open), " ")
					}
				}
				if !opens {
					continue
				}
				word, _, _ := strings.Cut(pending, " ")
				switch {
				case drop > 0:
					drop++
				case pending == "" || slices.Contains(labBlocks, word):
					drop, pending = 1, ""
				case slices.Contains(labChecks, word):
					drop, pending = 1, ""
					if !checked && len(out.services) > 0 {
						last := len(out.services) - 1
						out.services[last] = append(out.services[last], port)
						fmt.Fprintf(&b, "        TCP_CHECK {\n            connect_ip 127.0.0.1\n            connect_port %d\n            connect_timeout 60\n"+
							"            delay_loop 1\n            retry 0\n            warmup 0\n        }\n", port)
						port++
						checked = true
					}
				default:
					pending += " {"
					flush()
					open = append(open, word)
					switch word {
					case "virtual_server":
						out.services = append(out.services, nil)
					case "real_server":
						checked = false
					}
				}
			}
		}
	}
	flush()
	for range open {
		b.WriteString("}\n")
	}
	out.text = strings.NewReplacer("\x01", "{", "\x02", "}").Replace(b.String())
	return out
}

// labWords returns a statement for the lab; none: it is left out.
func labWords(words, open []string) []string {
	top := len(open) == 0
	switch word := words[0]; {
	case slices.Contains(labBlocks, word) || slices.Contains(labChecks, word):
		return words
	case top && word != "include" && !labelled(word, []string{"net_namespace"}):
		return words
	case (word == "quorum_up" || word == "quorum_down") && !(strings.Contains(strings.Join(words, " "), "ip ") && strings.Contains(strings.Join(words, " "), "addr ")):
		return nil
	case len(open) > 0 && open[len(open)-1] == "vrrp_sync_group" && labelled(word, labDropped), !top && open[len(open)-1] != "group" && labelled(word, labDropped):
		return nil
	case word == "advert_int":
		return []string{"advert_int", "1"}
	case (word == "interface" || word == "lvs_sync_daemon" || word == "lvs_sync_daemon_interface") && len(words) > 1:
		words = slices.Clone(words)
		words[1] = "eth0"
		return words
	}
	words = slices.Clone(words)
	for i := 1; i < len(words); i++ {
		if words[i-1] == "dev" && strings.Trim(words[i], `"'`) != "lo" {
			words[i] = strings.Replace(words[i], strings.Trim(words[i], `"'`), "eth0", 1)
		}
		if words[i-1] == "label" {
			words[i] = "eth0" + strings.TrimLeft(words[i][max(strings.Index(words[i], ":"), 0):], "abcdefghijklmnopqrstuvwxyz0123456789")
			if !strings.Contains(words[i], ":") {
				words[i] = "eth0:1"
			}
		}
	}
	return words
}

// TestInLab checks what the rewriting does to a file.
func TestInLab(t *testing.T) {
	t.Parallel()
	f := inLab("global_defs {\n  notification_email {\n a@b\n }\n  router_id X\n}\nvrrp_instance V {\n interface ens3 # x\n track_script {\n a\n }\n virtual_ipaddress {\n 10.0.0.3/24 dev ens3 label ens3:9\n }\n}\n" +
		"virtual_server 10.0.0.3 80\n{\n real_server 10.0.0.7 80 {\n HTTP_GET {\n url {\n path /\n }\n }\n TCP_CHECK { }\n }\n real_server 10.0.0.8 80 {\n}\n}\n")
	want := "global_defs {\n    router_id X\n}\nvrrp_instance V {\n    interface eth0\n    virtual_ipaddress {\n        10.0.0.3/24 dev eth0 label eth0:9\n    }\n}\n" +
		"virtual_server 10.0.0.3 80 {\n    real_server 10.0.0.7 80 {\n        TCP_CHECK {\n            connect_ip 127.0.0.1\n            connect_port 20000\n            connect_timeout 60\n" +
		"            delay_loop 1\n            retry 0\n            warmup 0\n        }\n    }\n    real_server 10.0.0.8 80 {\n    }\n}\n"
	if f.text != want || len(f.services) != 1 || len(f.services[0]) != 1 {
		t.Errorf("it is\n%s%v, want\n%s", f.text, f.services, want)
	}
}
