package lint

import "keepc/grammar/diag"

// textRules documents what package grammar finds about the text as such.
func textRules() []Rule {
	return []Rule{
		{
			Name: "unclosed-block", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "No closing brace ends a block.",
			Text: "keepalived says only how many braces are missing, at the end of the file. keepc looks at the indentation to find the " +
				"block that was left open, and reads on as if it had been closed.",
			Bad:  "global_defs {\n    router_id lb1\n",
			Good: "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "extra-brace", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A closing brace closes nothing.",
			Text:  "keepalived reports it and goes on at the top level.",
			Bad:   "global_defs {\n    router_id lb1\n}\n}\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "stray-brace", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "An opening brace has no keyword before it.",
			Text:  "keepalived ignores it; the closing brace then ends the block around it.",
			Bad:   "global_defs {\n    {\n        router_id lb1\n    }\n}\n",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "brace-in-word", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A brace stands within a word.",
			Text:  "Braces end words and open or close blocks wherever they stand; only double quotes make them part of a word. A password made by a program may have one.",
			Bad:   instanceText("    authentication {\n        auth_type PASS\n        auth_pass k2}t9\n    }\n"),
			Good:  instanceText("    authentication {\n        auth_type PASS\n        auth_pass \"k2}t9\"\n    }\n"),
		},
		{
			Name: "unfilled-template", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A template has not been filled in.",
			Text: "{{ name }}, {% if %}, <%= name %> and ${NAME:-value} are for another program (Ansible, Salt, Helm, Puppet, a shell), which puts a value there; " +
				"<NAME>, __NAME__, %NAME% and @NAME@ are for a person. keepalived takes the braces for blocks, or reads the text as the value. " +
				"There is no repair: the file does not say which value is meant.",
			Bad:  instanceText("    priority {{ vrrp_priority }}\n"),
			Good: instanceText("    priority 150\n"),
		},
		{
			Name: "unmatched-quote", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A quotation mark has no partner on its line.",
			Text:  "Quotes do not go on over the end of a line. keepalived drops the word.",
			Bad:   "global_defs {\n    router_id \"lb1\n}\n",
			Good:  "global_defs {\n    router_id \"lb1\"\n}\n",
		},
		{
			Name: "comment-in-word", Severity: diag.Warning,
			Title: "A # or ! inside a word starts a comment.",
			Text:  "\"auth_pass ab#cd\" is the password ab. A backslash does not help; only double quotes around the word save the mark.",
			Bad:   "global_defs {\n    router_id lb#1\n}\n",
			Good:  "global_defs {\n    router_id \"lb#1\"\n}\n",
		},
		{
			Name: "escaped-comment", Severity: diag.Error, Loss: diag.Ends,
			Title: "A line starts with a backslash and # or !.",
			Text:  "keepalived crashes on \\!, and takes \\# for the name of a file in its later messages.",
			Bad:   "\\! a remark\nglobal_defs {\n    router_id lb1\n}\n",
			Good:  "! a remark\nglobal_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "carriage-return", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "Lines end with carriage returns alone.",
			Text:  "Old programs end lines so. keepalived ends them at a newline and reads the whole file as one line, of 1022 bytes.",
			Bad:   "global_defs {\r    router_id lb1\r}\r",
			Good:  "global_defs {\n    router_id lb1\n}\n",
		},
		{
			Name: "nesting-too-deep", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "Blocks stand in each other deeper than any configuration needs.",
			Text:  "The text is no keepalived.conf, or closing braces are missing.",
		},
		{
			Name: "line-too-long", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A line is longer than keepalived reads.",
			Text:  "keepalived reads 1022 bytes of a line and takes the rest for a line of its own.",
		},
		{
			Name: "nul-byte", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "The text has a zero byte.",
			Text:  "keepalived drops the line or reads half of it. The file is damaged, or of another kind.",
		},
		{
			Name: "byte-order-mark", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "The text begins with a byte order mark.",
			Text:  "An editor put it there. keepalived takes it for a part of the first word, which is then unknown. UTF-16 it cannot read at all.",
		},
		{
			Name: "file-too-large", Severity: diag.Error, Loss: diag.Ends,
			Title: "The file is larger than any configuration.",
			Text:  "Files above 128 MiB are not read.",
		},
		{
			Name: "too-many-findings", Severity: diag.Error, Loss: diag.Ends,
			Title: "There are so many findings that the rest is left out.",
			Text:  "The file is no keepalived.conf, or one early mistake spoils all of it.",
		},
	}
}
