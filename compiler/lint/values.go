package lint

import "keepc/grammar/diag"

// valueRules documents what package schema finds about values.
func valueRules() []Rule {
	return []Rule{
		{
			Name: "missing-value", Severity: diag.Error, Loss: diag.Ends,
			Title: "A keyword stands without its value.",
			Text:  "keepalived stops reading at this line and exits with code 2; at a reload that ends the running daemon.",
			Bad:   instanceText("    priority\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "invalid-value", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A value is not of the kind that its keyword takes.",
			Text:  "keepalived reports the line and goes on with the default. Words are case-sensitive, numbers are decimal, addresses have no brackets, ports are numbers.",
			Bad:   instanceText("    state master\n"),
			Good:  instanceText("    state MASTER\n    priority 150\n"),
		},
		{
			Name: "value-range", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A number is too small or too large.",
			Text:  "keepalived reports the line and goes on with the default.",
			Bad:   instanceText("    priority 300\n"),
			Good:  instanceText("    priority 150\n"),
		},
		{
			Name: "too-precise", Severity: diag.Warning,
			Title: "A number has more digits behind the point than are used.",
			Text:  "keepalived rounds it and reports the line.",
			Bad:   instanceText("    preempt_delay 1.0000001\n"),
			Good:  instanceText("    preempt_delay 1\n"),
		},
		{
			Name: "half-byte", Severity: diag.Warning,
			Title: "A row of hexadecimal digits has an odd number of them.",
			Text:  "Two digits make a byte, so one is missing or too many. keepalived takes the row without a word.",
			Bad:   checkedText("UDP_CHECK {\n            payload 012\n        }"),
			Good:  checkedText("UDP_CHECK {\n            payload 0102\n        }"),
		},
		{
			Name: "address-port", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "Address and port are joined by a colon.",
			Text:  "They are two words: \"192.0.2.10 80\". keepalived finds no address in 192.0.2.10:80 and drops the whole block.",
			Bad:   "virtual_server 192.0.2.10:80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n",
			Good:  serviceText(""),
		},
		{
			Name: "cut-address", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "A prefix length or a range stands where one address is read.",
			Text: "keepalived reads the address up to the first / or - and drops the rest without a word. A virtual_server_group takes ranges and " +
				"prefixes. A prefix length behind a source address or a peer is a warning: the address is the one that was meant.",
			Bad:  "virtual_server 192.0.2.10/24 80 {\n    lb_algo rr\n    lb_kind DR\n    protocol TCP\n    real_server 192.0.2.21 80 {\n        TCP_CHECK {\n        }\n    }\n}\n",
			Good: serviceText(""),
		},
		{
			Name: "mask-with-holes", Severity: diag.Warning,
			Title: "A netmask has ones behind zeros.",
			Text:  "It is no prefix length. keepalived hands it to the kernel as it is; keepc uses the leading ones.",
			Bad:   serviceText("    persistence_timeout 50\n    persistence_granularity 255.0.255.0\n"),
			Good:  serviceText("    persistence_timeout 50\n    persistence_granularity 255.255.255.0\n"),
		},
		{
			Name: "password-cut", Severity: diag.Error, Loss: diag.GoesOnWith,
			Title: "A part of auth_pass does not count.",
			Text: "VRRP version 2 has eight bytes for the password. keepalived cuts the rest, and so lets in every router whose password begins " +
				"alike. At a # or ! a comment begins, also inside a word: ab#cd is the password ab, without a word from keepalived.",
			Bad:  instanceText("    authentication {\n        auth_type PASS\n        auth_pass correcthorse\n    }\n"),
			Good: instanceText("    authentication {\n        auth_type PASS\n        auth_pass c0rr3cth\n    }\n"),
		},
	}
}
