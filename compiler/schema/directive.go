package schema

import (
	"slices"
	"strings"
)

// A Directive is what package grammar handles anywhere in a file, before keywords are looked up.
type Directive struct {
	Name    string // what a person asks for: "include", "@id", "~SEQ"
	Form    string // how it is written
	Text    string // what it does
	Example string // lines of a file
	Since   string // the versions of keepalived that know it, in words; empty: at least 2.2.7 and later

	other []string // other words that a person may ask for
}

// Directives lists all directives.
func Directives() []Directive {
	all := []Directive{
		including("include", "Where there is none, keepalived says so and goes on."),
		including("includer", "Each file that matches must be readable."),
		including("includem", "There must be a file, and each must be readable."),
		including("includew", "Each wildcard must match something, and each file must be readable."),
		including("includeb", "Each alternative in braces must match something, and each file must be readable."),
		including("includea", "All that includem, includew and includeb demand."),
		{
			Name: "@id", Form: "@ID LINE", other: []string{"@"},
			Text: "Keeps the line for one host: ID is that of keepalived -i, or the host name up to its first dot. It is for one line, also where the " +
				"line opens a block: then each line of the block needs it, and the brace. Two on a line are a mistake. keepc check --id " +
				"says which hosts a file is for.",
			Example: "@lb1 priority 150\n@lb2 priority 100",
		},
		{
			Name: "@^id", Form: "@^ID LINE", other: []string{"@^"},
			Text:    "Keeps the line for all hosts but one.",
			Example: "@^lb1 nopreempt",
		},
		{
			Name: "$", Form: "$NAME=TEXT", other: []string{"$NAME", "$NAME=", "${NAME}", "${}", "definition"},
			Text: "Defines NAME, to the end of the line; of several definitions the last one before a use counts. ${NAME} is replaced everywhere, $NAME " +
				"only in front of a blank, a comma, a closing parenthesis or the end of the line. A backslash at the end of a line continues the " +
				"text in the next one, and each is a line where NAME is used. There is no blank before the =. Built in are " +
				"${_PWD}, ${_INSTANCE}, ${_RANDOM}, ${_ENV}, ${_HASH} and ${_BANG}.",
			Example: "$VIP=192.0.2.10\nvirtual_server ${VIP} 443 {",
		},
		builtIn("_PWD", "${_PWD}", "The directory of the file that is being read.", "script \"${_PWD}/check.sh\""),
		builtIn("_INSTANCE", "${_INSTANCE}", "The name of the instance of keepalived in global_defs, or else the id of @ID lines.", "router_id lb-${_INSTANCE}"),
		builtIn("_RANDOM", "${_RANDOM [MIN [MAX]]}", "A number from MIN to MAX, from 0 to 32767 without them; random_seed makes it the same each time.", "preempt_delay ${_RANDOM 10 60}"),
		builtIn("_ENV", "${_ENV NAME}", "The value of a variable in the environment of keepalived, or nothing.", "router_id ${_ENV HOSTNAME}"),
		builtIn("_HASH", "${_HASH}", "The sign #, which starts a comment all the same unless the word is in double quotes.", "auth_pass \"k2${_HASH}t9\""),
		builtIn("_BANG", "${_BANG}", "The sign !, which starts a comment all the same unless the word is in double quotes.", "auth_pass \"k2${_BANG}t9\""),
		{
			Name: "~SEQ", Form: "~SEQ(VAR, [START, [STEP,]] END) LINE",
			Text: "Repeats the rest of the line for each number from START, or 1, to END, which stands where ${VAR} does. It begins the line, behind @ID " +
				"at most. It repeats one line, also where that opens a block: a block that is to be repeated is a definition of several lines.",
			Example: "~SEQ(i, 21, 24) 192.0.2.${i}",
		},
		{
			Name: "~SEQx", Form: "~SEQx(VAR, [START, [STEP,]] END) LINE",
			Text:    "As ~SEQ, with the numbers in hexadecimal.",
			Example: "~SEQx(i, 8, 12) 2001:db8::${i}",
		},
		{
			Name: "~LST", Form: "~LST(VAR, VALUE, ...) LINE   or   ~LST({VAR, ...}, {VALUE, ...}, ...) LINE",
			Text:    "Repeats the rest of the line for each value, which stands where ${VAR} does; in braces several values go together.",
			Example: "~LST(host, 21, 24, 37) 192.0.2.${host}",
		},
	}
	i := slices.IndexFunc(all, func(d Directive) bool { return d.Name == "_ENV" })
	all[i].Since = "later than 2.2.7"
	return all
}

// including is a directive that reads other files.
func including(word, demands string) Directive {
	return Directive{
		Name: word, Form: word + " PATTERN",
		Text: "Reads the files that the pattern matches in place of the line, in the order of their names. It takes *, ?, [...] and {A,B}, to the end of the line and " +
			"without quotes; a relative one starts in the directory of the including file. Directories and executable files are left out. " +
			demands + " include_check in global_defs sets what a plain include demands.",
		Example: word + " /etc/keepalived/sites/*.conf",
	}
}

// builtIn is a definition that exists in every file.
func builtIn(name, form, text, example string) Directive {
	return Directive{Name: name, Form: form, Text: text + " A definition of the file with this name takes its place.", Example: example, other: []string{"$" + name, "${" + name + "}", form}}
}

// FindDirective returns the directive that a person asks for, by its name or as it is in a file: "@lb1", "${_ENV HOME}", "~seq(".
func FindDirective(asked string) (Directive, bool) {
	all := Directives()
	asked, _, _ = strings.Cut(strings.TrimSpace(asked), "(")
	at := func(test func(Directive) bool) (Directive, bool) {
		if i := slices.IndexFunc(all, test); i >= 0 {
			return all[i], true
		}
		return Directive{}, false
	}
	if d, ok := at(func(d Directive) bool {
		return strings.EqualFold(d.Name, asked) || slices.Contains(d.other, asked) || strings.HasPrefix(asked, "${"+d.Name+" ")
	}); ok {
		return d, ok
	}
	for _, sign := range []string{"@^", "@", "$"} {
		if strings.HasPrefix(asked, sign) {
			return at(func(d Directive) bool { return slices.Contains(append(d.other, d.Name), sign) })
		}
	}
	return Directive{}, false
}
