package lint

import "keepc/grammar/diag"

// expansionRules documents what package grammar finds about includes, definitions and conditional lines.
func expansionRules() []Rule {
	const good = "global_defs {\n    router_id lb1\n}\n"
	return []Rule{
		{
			Name: "undefined-reference", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A definition is used that does not exist, or not yet.",
			Text: "keepalived leaves $NAME as it stands, without a word. ${NAME} it leaves too, and then takes the braces for those of a block: " +
				"unknown keywords follow, and none of the messages names the definition.",
			Bad:  "global_defs {\n    router_id ${NAME}\n}\n",
			Good: "$NAME=lb1\nglobal_defs {\n    router_id ${NAME}\n}\n",
		},
		{
			Name: "unused-definition", Severity: diag.Info,
			Title: "Nothing uses a definition.",
			Text:  "It was left over, or its name is misspelt where it is used.",
			Bad:   "$NAME=lb1\n" + good,
			Good:  "$NAME=lb1\nglobal_defs {\n    router_id $NAME\n}\n",
		},
		{
			Name: "spaced-definition", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A blank stands between the name of a definition and its =.",
			Text:  "keepalived takes the line for an unknown keyword.",
			Bad:   "$NAME = lb1\nglobal_defs {\n    router_id $NAME\n}\n",
			Good:  "$NAME=lb1\nglobal_defs {\n    router_id $NAME\n}\n",
		},
		{
			Name: "definition-cycle", Severity: diag.Error, Loss: diag.Ends,
			Title: "The value of a definition contains the definition.",
			Text:  "A value is expanded where it is used. keepalived does so for ever: it hangs, also with -t.",
			Bad:   "$NAME=${NAME}\nglobal_defs {\n    router_id ${NAME}\n}\n",
			Good:  "$NAME=lb1\nglobal_defs {\n    router_id ${NAME}\n}\n",
		},
		{
			Name: "text-after-lines", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "Text follows a definition of several lines.",
			Text:  "keepalived replaces such a definition only at the end of a line, and leaves it as it stands elsewhere.",
		},
		{
			Name: "gap-in-definition", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A definition has an empty line in it.",
			Text: "An empty line ends a definition, whatever the backslash before it says. keepalived reads the rest as lines of the file, where it " +
				"means nothing: addresses and settings behind the empty line are not there.",
			Bad:  "$SET= \\\n    priority 150 \\\n\n    advert_int 2 \\\n    garp_master_delay 3\n" + instanceText("    $SET\n"),
			Good: "$SET= \\\n    priority 150 \\\n    advert_int 2 \\\n    garp_master_delay 3\n" + instanceText("    $SET\n"),
		},
		{
			Name: "comment-in-definition", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A definition of several lines has a comment in it.",
			Text: "keepalived 2.4.0 and later take a backslash at the end of a comment for a part of the comment: the definition ends there, and what follows " +
				"means nothing. Earlier versions, as the 2.2.7 of Debian 12, read on. --keepalived-version says which one reads the file; without " +
				"it, keepc reports what the later ones lose, and reads on.",
			Bad:  "$SET= \\\n    priority 150 \\\n    # nopreempt \\\n    advert_int 2\n" + instanceText("    $SET\n"),
			Good: "$SET= \\\n    priority 150 \\\n    advert_int 2\n" + instanceText("    $SET\n"),
		},
		{
			Name: "definition-name", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "The name of a definition has other characters than letters, digits and _, or starts with a digit.",
			Text:  "keepalived takes the line for an unknown keyword, and finds nothing to replace where the name is used.",
			Bad:   "$LB-NAME=lb1\nglobal_defs {\n    router_id lb1\n}\n",
			Good:  "$LB_NAME=lb1\nglobal_defs {\n    router_id $LB_NAME\n}\n",
		},
		{
			Name: "bare-reference", Severity: diag.Warning, Loss: diag.DropsWord,
			Title: "A definition is used without braces in front of another character.",
			Text: "keepalived replaces $NAME only in front of a blank, a comma, a closing parenthesis or the end of the line, and leaves $NAME.5 and \"$NAME\" as " +
				"they stand, without a word. ${NAME} is replaced everywhere.",
			Bad:  "$NAME=lb1\nglobal_defs {\n    router_id $NAME-a\n}\n",
			Good: "$NAME=lb1\nglobal_defs {\n    router_id ${NAME}-a\n}\n",
		},
		{
			Name: "unset-variable", Severity: diag.Info,
			Title: "A value comes from a variable that the environment does not have.",
			Text:  "${_ENV NAME} is the value of NAME in the environment of keepalived, and nothing when that has none. keepc looks at its own environment.",
			Bad:   "global_defs {\n    router_id lb${_ENV KEEPC_TEST_NONE}\n}\n",
			Good:  good,
		},
		{
			Name: "unread-variable", Severity: diag.Info,
			Title: "A value comes from a variable of the environment, which is not read.",
			Text: "${_ENV NAME} is the value of NAME in the environment of keepalived. A file from somebody else could bring any secret of the environment " +
				"into a report, so that keepc reads it with --allow-env only; run and plan read it, as keepalived does.",
		},
		{
			Name: "condition-on-block", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A condition stands before a line that opens a block.",
			Text: "@id is for one line. On other hosts keepalived skips the line with the brace, reads the lines of the block as lines of what is around it, " +
				"and finds a closing brace too many. A block for one host needs @id on each of its lines, or a file of its own.",
			Bad:  "@lb2 global_defs {\n    process_names\n}\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n",
			Good: "@lb2 global_defs {\n@lb2     process_names\n@lb2 }\nvrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 7\n    virtual_ipaddress {\n        192.0.2.10/24\n    }\n}\n",
		},
		{
			Name: "line-continuation", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A backslash stands at the end of a line that is no definition.",
			Text:  "Only definitions go on in the next line. keepalived takes the backslash for a word.",
			Bad:   "global_defs {\n    router_id lb1 \\\n    process_names\n}\n",
			Good:  good,
		},
		{
			Name: "comment-from-definition", Severity: diag.Warning,
			Title: "The value of a definition has # or !, which starts a comment.",
			Text:  "keepalived looks for comments again after it has replaced definitions. Only double quotes around the word save the mark.",
			Bad:   "global_defs {\n    router_id lb${_HASH}1\n}\n",
			Good:  "global_defs {\n    router_id \"lb${_HASH}1\"\n}\n",
		},
		{
			Name: "invalid-sequence", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A line with ~SEQ or ~LST cannot be repeated.",
			Text:  "The forms are ~SEQ(var, [start, [step,]] end) and ~LST(var, value, ...) or ~LST({var, ...}, {value, ...}, ...). keepalived drops the line.",
		},
		{
			Name: "random-range", Severity: diag.Warning,
			Title: "The bounds of ${_RANDOM} are the wrong way round.",
			Text:  "keepalived uses the first number always.",
			Bad:   "global_defs {\n    router_id lb${_RANDOM 9 1}\n}\n",
			Good:  "global_defs {\n    router_id lb${_RANDOM 1 9}\n}\n",
		},
		{
			Name: "expansion-too-large", Severity: diag.Error, Loss: diag.Ends,
			Title: "Definitions, sequences and includes make more text than any configuration needs.",
			Text:  "A sequence has an end that is too large, or definitions multiply each other. Nothing is read from there on.",
		},
		{
			Name: "limit-met", Severity: diag.Error, Loss: diag.Ends,
			Title: "A file says more than there is room for.",
			Text: "What keepc makes of a file of up to 10 MiB takes 180 MiB of memory at most, and of a larger one 32 bytes for each byte. That is enough " +
				"for any configuration, and keeps a file from somebody else from taking what a machine has. Nothing is read from there on.",
		},
		{
			Name: "unknown-id", Severity: diag.Warning,
			Title: "A condition names a host that is none of those the file is for.",
			Text:  "check --id names the hosts. A line with @ID for another one never counts, and one with @^ID always does.",
			Bad:   "global_defs {\n@lb3 router_id lb3\n    process_names\n}\n",
			Good:  "global_defs {\n@lb2 router_id lb2\n    process_names\n}\n",
		},
		{
			Name: "second-condition", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "A line has two conditions.",
			Text:  "keepalived looks at the first and takes the second for a keyword.",
			Bad:   "global_defs {\n@lb1 @^lb2 router_id lb1\n    process_names\n}\n",
			Good:  "global_defs {\n@lb1 router_id lb1\n    process_names\n}\n",
		},
		{
			Name: "condition-on-lines", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A condition stands before a definition of several lines.",
			Text:  "keepalived skips the first line only, and reads the others as lines of the file.",
		},
		{
			Name: "include-not-found", Severity: diag.Warning, Loss: diag.DropsBlock,
			Title: "An include finds no file.",
			Text: "keepalived goes on without it, and exits with 0 for a plain include. includem, includew, includeb and includea demand their " +
				"files. A wildcard that matches nothing is no mistake by itself.",
			Bad:  "include none.conf\n" + good,
			Good: good,
		},
		{
			Name: "include-unread", Severity: diag.Warning, Loss: diag.DropsBlock,
			Title: "An included file cannot be read.",
			Text:  "keepalived skips directories, executable files and files without permission.",
		},
		{
			Name: "include-outside", Severity: diag.Info,
			Title: "An included file is outside of the directories that are read.",
			Text: "A file from somebody else could bring any file of this machine into a report. keepc reads files below the working directory and below the " +
				"directory of the file that it was given, or below that of --root; a symbolic link counts as what it leads to. What the included file " +
				"says is not judged. --root DIR takes absolute names for those of files below DIR, as in an image or a repository; --allow-outside reads " +
				"files wherever they are. run and plan do so always, as keepalived does.",
		},
		{
			Name: "include-cycle", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "A file includes itself.",
			Text:  "keepalived reads it again and again until it runs out of files.",
		},
		{
			Name: "include-quotes", Severity: diag.Error, Loss: diag.DropsWord,
			Title: "The name of an included file has quotes.",
			Text:  "Newer versions of keepalived take them for a part of the name.",
		},
		{
			Name: "include-braces", Severity: diag.Error, Loss: diag.DropsBlock,
			Title: "The braces of an include make too many names.",
			Text:  "Every brace multiplies the number of names.",
		},
		{
			Name: "include-wide", Severity: diag.Warning,
			Title: "The wildcards of an include look into too many directories.",
			Text:  "keepc looks into 2000 and no more, so that files may be missing from what it read; keepalived looks into all of them.",
		},
		{
			Name: "include-expanded", Severity: diag.Warning,
			Title: "An include depends on a definition or a condition.",
			Text:  "keepalived looks for includes before it looks at these; newer versions take the name as it is written.",
		},
	}
}
