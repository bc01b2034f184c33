package lint

import (
	"strings"

	"keepc/grammar/diag"
)

// wordRules documents what package schema finds about keywords.
func wordRules() []Rule {
	return []Rule{
		{
			Name: "unknown-keyword", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A word is no keyword of the block that it stands in.",
			Text: "keepalived skips the line and goes on. When the unknown word opens a block it skips only the brace: the lines of the " +
				"block are read as lines of the block around it, and the closing brace ends that one early. keepc reads a misspelt " +
				"block as what was meant, and skips one that it cannot guess.",
			Bad:  instanceText("    prioriti 150\n"),
			Good: instanceText("    priority 150\n"),
		},
		{
			Name: "misplaced-keyword", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A keyword stands in a block that does not know it.",
			Text:  "Every block has its own keywords. keepalived calls the word unknown and does not say where it belongs.",
			Bad:   instanceText("    auth_pass k2t9\n"),
			Good:  instanceText("    authentication {\n        auth_type PASS\n        auth_pass k2t9\n    }\n"),
		},
		{
			Name: "wrong-word", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A word is known elsewhere, but here the thing has another name.",
			Text: "The word comes from another block, from the manual or from another version. keepalived does not know it here and " +
				"goes on with the default.",
			Bad:  "virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n            nb_get_retry 3\n        }\n    }\n}\n",
			Good: "virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n            retry 3\n        }\n    }\n}\n",
		},
		{
			Name: "removed-keyword", Severity: diag.Info,
			Title: "keepalived has not known the word for a long time.",
			Text:  "The line was copied from an old configuration. It has no effect; newer versions report an unknown keyword, so a test of the file fails.",
			Bad:   serviceText("    nat_mask 255.255.255.0\n"),
			Good:  serviceText(""),
		},
		{
			Name: "deprecated-keyword", Severity: diag.Info,
			Title: "The word still works but has a new name.",
			Text:  "keepalived accepts the old word and asks for the new one. keepalived -t fails with exit code 5 for it.",
			Bad:   "vrrp_track_file load {\n    file /run/load\n}\n" + instanceText("    track_file {\n        load\n    }\n"),
			Good:  "track_file load {\n    file /run/load\n}\n" + instanceText("    track_file {\n        load\n    }\n"),
		},
		{
			Name: "newer-keyword", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "The keepalived that will read the file does not know the word yet.",
			Text:  "check --keepalived-version says which version that is. To that version the word is an unknown keyword.",
		},
		{
			Name: "recent-keyword", Severity: diag.Info,
			Title: "The keepalived of many a machine does not know the word yet.",
			Text: "Debian 12 has keepalived 2.2.7, and the other distributions of its time about the same. To them a younger word is an unknown keyword. " +
				"keepalived_version in .keepc.conf, or check --keepalived-version, says which one will read the file: then this is an error, or nothing.",
			Bad:  instanceText("    owner_ignore_adverts\n"),
			Good: instanceText(""),
		},
		{
			Name: "recent-fraction", Severity: diag.Warning, Loss: diag.GoesOnWith,
			Title: "The keepalived of many a machine takes whole seconds only.",
			Text: "interval and timeout of a vrrp_script may have a point since keepalived 2.3.2. An older one reports the line and ignores it: the " +
				"interval is 1 then, and the timeout the interval. With --keepalived-version this is an error, or nothing.",
			Bad:  strings.Replace(scriptText, "    script ", "    interval 2.5\n    script ", 1) + instanceText("    track_script {\n        web\n    }\n"),
			Good: scriptText + instanceText("    track_script {\n        web\n    }\n"),
		},
		{
			Name: "needs-build", Severity: diag.Info,
			Title: "A word needs a keepalived that is built with something that not all of them have.",
			Text: "BFD, D-Bus, JSON, regular expressions and SNMP are in a keepalived only where its builder asked for them: Debian's has all of them. " +
				"iptables and ipsets are where their libraries were: Debian's has nftables instead. To another build the word is an unknown keyword. " +
				"\"rule needs-build off\" in .keepc.conf says that all machines have what the files need.",
			Bad:  "global_defs {\n    enable_dbus\n}\n" + instanceText(""),
			Good: instanceText(""),
		},
		{
			Name: "foreign-keyword", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A word comes from another program that reads such files.",
			Text: "DPVS and kernels with the FULLNAT patch have words of their own: lb_kind FNAT, local_address_group, laddr_group_name. The " +
				"mainline kernel and keepalived do not have them. NAT with an SNAT rule of the firewall does what FULLNAT does: the real " +
				"server sees an address of the director, and answers to it.",
			Bad:  "virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind FNAT\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n",
			Good: "virtual_server 192.0.2.10 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n",
		},
		{
			Name: "duplicate-keyword", Severity: diag.Warning,
			Title: "A line that counts once stands twice in a block.",
			Text:  "The last line counts, without a word from keepalived; of scripts and names of files the first does, and keepalived reports the others.",
			Bad:   instanceText("    priority 100\n    priority 150\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "repeated-option", Severity: diag.Warning, Loss: diag.DropsWord,
			Title: "An option stands twice on a line.",
			Text: "The last one counts, without a word from keepalived, and two words for one thing are one option. Some it refuses, which is an " +
				"error: an address with two interfaces, or a rule with two actions, is dropped; of two weights or peers the first one counts.",
			Bad:  instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0 metric 10 metric 20\n    }\n"),
			Good: instanceText("    virtual_routes {\n        198.51.100.0/24 via 192.0.2.1 dev eth0 metric 20\n    }\n"),
		},
		{
			Name: "repeated-block", Severity: diag.Info,
			Title: "A list stands in several blocks of a kind.",
			Text:  "The lines of all of them count. Whoever reads one does not see the other.",
			Bad:   instanceText("    unicast_peer {\n        192.0.2.3\n    }\n    unicast_peer {\n        192.0.2.4\n    }\n"),
			Good:  instanceText("    unicast_peer {\n        192.0.2.3\n        192.0.2.4\n    }\n"),
		},
		{
			Name: "missing-keyword", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A block lacks a line that it cannot do without.",
			Text:  "keepalived drops the block or refuses to start.",
			Bad:   "vrrp_instance VI_1 {\n    interface eth0\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n",
			Good:  instanceText(""),
		},
		{
			Name: "missing-brace", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A keyword that opens a block is not followed by a brace.",
			Text:  "keepalived then reads every line of the block as a line of the block around it. Only braces make a block, and what it holds stands between them.",
			Bad:   "global_defs {\n    router_id lb1\n}\nSSL\n",
			Good:  "global_defs {\n    router_id lb1\n}\nSSL {\n}\n",
		},
		{
			Name: "joined-lines", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "Two keywords stand on one line.",
			Text:  "The end of a line ends it, and nothing else does: what stands behind the value is dropped without a word, be it a keyword. A block on one line holds one line.",
			Bad:   instanceText("    priority 150 advert_int 1\n"),
			Good:  instanceText("    priority 150\n    advert_int 1\n"),
		},
		{
			Name: "list-dash", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A dash stands before a line.",
			Text:  "Lists have no dashes here, unlike in YAML: every line of the block is an item. keepalived takes the dash for the first word of the line.",
			Bad:   instanceText("    unicast_peer {\n        - 192.0.2.3\n    }\n"),
			Good:  instanceText("    unicast_peer {\n        192.0.2.3\n    }\n"),
		},
		{
			Name: "unexpected-block", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A brace follows a line that takes no block.",
			Text:  "keepalived ignores the brace, so the closing one ends the block around it.",
			Bad:   instanceText("    priority 100 {\n    }\n"),
			Good:  instanceText("    priority 100\n"),
		},
		{
			Name: "block-head", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "There is a word too many between a keyword and its brace.",
			Text:  "keepalived drops the word. A vrrp_instance or vrrp_sync_group with two names it skips as a whole. Names with blanks need quotes.",
			Bad:   strings.Replace(instanceText(""), "VI_1", "VI 1", 1),
			Good:  instanceText(""),
		},
		{
			Name: "extra-words", Severity: diag.Warning,
			Title: "There are more words on the line than its keyword takes.",
			Text:  "keepalived drops them without a word: \"priority 100 150\" is 100, and \"enable_script_security off\" enables it.",
			Bad:   instanceText("    priority 100 150\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "unknown-option", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A word of an address, route, rule or tracker line is no option of it.",
			Text: "Such lines have a subject and options. Each line of a block is one entry, and a block on one line holds one entry: " +
				"\"virtual_ipaddress { A B }\" is the address A with an unknown option B.",
			Bad:  "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress { 192.0.2.10/24 192.0.2.11/24 }\n}\n",
			Good: "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n        192.0.2.11/24\n    }\n}\n",
		},
		{
			Name: "typographic-quote", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "A word has the quotes of a word processor.",
			Text:  "Only \" quotes. keepalived takes others for characters of the word, so a program is not found, and blanks end the word.",
			Bad:   "global_defs {\n    router_id “lb1”\n}\n",
			Good:  "global_defs {\n    router_id \"lb1\"\n}\n",
		},
		{
			Name: "single-quotes", Severity: diag.Warning, Loss: diag.DropsWord,
			Title: "A word stands in single quotes.",
			Text: "Only double quotes quote, apart from scripts and regular expressions. keepalived takes single quotes for characters of the word: " +
				"auth_pass 'abc' is a password of five characters, and 'lb 1' are two words.",
			Bad:  "global_defs {\n    router_id 'lb1'\n}\n",
			Good: "global_defs {\n    router_id \"lb1\"\n}\n",
		},
		{
			Name: "invisible-character", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "A word has a character that nobody sees.",
			Text:  "A blank that does not break or has no width came in by copying from a web page. keepalived takes it for a part of the word.",
			Bad:   "global_defs {\n    router_id\u00a0lb1\n}\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "merge-conflict", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A merge left its marks in the file.",
			Text:  "Both sides of a conflict are in the file. keepalived reads both, and calls the marks unknown keywords.",
			Bad:   "global_defs {\n<<<<<<< HEAD\n    router_id lb1\n}\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "list-brackets", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A list has the brackets and commas of another language.",
			Text:  "The lines of a block are the list: one value a line. keepalived takes the brackets and commas for values, or for a part of them.",
			Bad:   "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        [ 192.0.2.10/24, 192.0.2.11/24 ]\n    }\n}\n",
			Good:  "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n        192.0.2.11/24\n    }\n}\n",
		},
		{
			Name: "split-line", Severity: diag.Error, Loss: diag.Ends,
			Title: "A keyword and its value stand on two lines.",
			Text:  "The end of a line ends the statement: keepalived misses the value, and calls it an unknown keyword on the next line.",
			Bad:   instanceText("    priority\n        150\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "foreign-file", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "The file is of another format, or the configuration stands in one.",
			Text: "A file of YAML, JSON, TOML, HAProxy, nginx or systemd, a shell script or a page of Markdown got into the place of the configuration. " +
				"keepalived calls every line of it unknown. keepc says so once, and judges what stands in the blocks of keepalived within it.",
			Bad:  "global_defs:\n  router_id: lb1\nvrrp_instance:\n  - name: VI_1\n    interface: eth0\n",
			Good: instanceText(""),
		},
		{
			Name: "pasted-text", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A line came from a terminal or an editor.",
			Text:  "It was pasted together with the configuration, or typed in the wrong window; or it belongs to the document that the configuration was copied from. keepalived calls it an unknown keyword.",
			Bad:   "global_defs {\n    router_id lb1\n}\n:wq\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "equals-sign", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A keyword and its value are joined by =.",
			Text:  "A blank stands between them; = has a meaning only in definitions ($NAME=value).",
			Bad:   instanceText("    priority=150\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "slash-comment", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A comment starts with //, /*, ; or --.",
			Text:  "# and ! start comments. keepalived takes the signs of other languages at the start of a line for an unknown keyword, and ignores them behind a value.",
			Bad:   "// the first director\n" + instanceText(""),
			Good:  "# the first director\n" + instanceText(""),
		},
		{
			Name: "stray-semicolon", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A line ends with a semicolon, or a value with a comma.",
			Text: "The end of the line ends it, and blanks stand between the words of a list. The sign is a part of the value, which is then no number; " +
				"of a name, a path or an address for mail it changes what keepalived reads, without a message.",
			Bad:  instanceText("    priority 150;\n"),
			Good: instanceText("    priority 150\n"),
		},
		{
			Name: "missing-space", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "There is no blank between a keyword and its value.",
			Text:  "keepalived reads one unknown word.",
			Bad:   instanceText("    priority150\n"),
			Good:  instanceText("    priority 150\n"),
		},
	}
}
