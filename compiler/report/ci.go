package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Text is the message of a finding with its label, and the other places that its notes name.
func (f Finding) Text() string {
	var b strings.Builder
	b.WriteString(f.Message + f.readers())
	if f.Label != "" {
		b.WriteString(": " + f.Label)
	}
	for _, n := range f.Notes {
		if n.Line > 0 {
			fmt.Fprintf(&b, " (%s:%d: %s)", n.File, n.Line, n.Message)
		}
	}
	return b.String()
}

// Whole is Text, followed by one line for each other note and for the help.
func (f Finding) Whole() string {
	var b strings.Builder
	b.WriteString(f.Text())
	for _, n := range f.Notes {
		if n.Line == 0 {
			b.WriteString("\nnote: " + n.Message)
		}
	}
	if f.Help != "" {
		b.WriteString("\nhelp: " + f.Help)
	}
	return b.String()
}

// GitHub writes findings as workflow commands, which GitHub shows beside the lines. It shows ten errors and ten
// warnings per step, so errors come first.
func GitHub(w io.Writer, c Check, _ Colors) error {
	var b strings.Builder
	for _, u := range c.Unread {
		fmt.Fprintf(&b, "::error file=%s,title=unread::%s\n", property.Replace(u.File), data.Replace(u.Error))
	}
	for _, severity := range []string{"error", "warning", "info"} {
		command := severity
		if severity == "info" {
			command = "notice"
		}
		for _, f := range c.Findings {
			if f.Severity != severity {
				continue
			}
			fmt.Fprintf(&b, "::%s file=%s", command, property.Replace(f.File))
			if f.Line > 0 {
				fmt.Fprintf(&b, ",line=%d,endLine=%d", f.Line, f.EndLine)
			}
			if f.Line > 0 && f.Line == f.EndLine { // columns are only for single lines
				fmt.Fprintf(&b, ",col=%d,endColumn=%d", f.Column, f.EndColumn)
			}
			fmt.Fprintf(&b, ",title=%s::%s\n", property.Replace(f.Rule), data.Replace(f.Whole()))
		}
	}
	if len(c.Findings) > 0 {
		fmt.Fprintf(&b, "%s\n", c.Summary)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Replacements for characters that have a meaning in a workflow command.
var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Checkstyle writes findings as the XML of Checkstyle, which many CI servers read.
func Checkstyle(w io.Writer, c Check, _ Colors) error {
	type fault struct {
		Line     int    `xml:"line,attr"`
		Column   int    `xml:"column,attr,omitempty"`
		Severity string `xml:"severity,attr"`
		Message  string `xml:"message,attr"`
		Source   string `xml:"source,attr"`
	}
	type file struct {
		Name   string  `xml:"name,attr"`
		Faults []fault `xml:"error"`
	}
	doc := struct {
		XMLName xml.Name `xml:"checkstyle"`
		Version string   `xml:"version,attr"`
		Files   []*file  `xml:"file"`
	}{Version: "4.3"}
	byName := map[string]*file{}
	for _, name := range c.fileNames() {
		byName[name] = &file{Name: name}
		doc.Files = append(doc.Files, byName[name])
	}
	for _, f := range c.Findings {
		to := byName[f.File]
		to.Faults = append(to.Faults, fault{f.Line, f.Column, f.Severity, f.Whole(), "keepc." + f.Rule})
	}
	for _, u := range c.Unread {
		doc.Files = append(doc.Files, &file{u.File, []fault{{Severity: "error", Message: u.Error, Source: "keepc"}}})
	}
	return writeXML(w, doc)
}

// JUnit writes findings as JUnit XML: a file is a suite, a finding a test. A test fails if its finding fails the
// check; other findings are in the output of the suite, so that a job is as green there as by its exit code. Ant's
// schema demands most of what is empty here; Jenkins does not.
func JUnit(w io.Writer, c Check, _ Colors) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	type test struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		Time    int      `xml:"time,attr"` // seconds
		Error   *failure `xml:"error,omitempty"`
		Failure *failure `xml:"failure,omitempty"`
	}
	type suite struct {
		Name       string   `xml:"name,attr"`
		Package    string   `xml:"package,attr"`
		ID         int      `xml:"id,attr"`
		Timestamp  string   `xml:"timestamp,attr"`
		Host       string   `xml:"hostname,attr"`
		Tests      int      `xml:"tests,attr"`
		Failures   int      `xml:"failures,attr"`
		Errors     int      `xml:"errors,attr"`
		Time       int      `xml:"time,attr"`
		Properties struct{} `xml:"properties"`
		Cases      []test   `xml:"testcase"`
		Out        string   `xml:"system-out"`
		Err        string   `xml:"system-err"`
	}
	doc := struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []*suite `xml:"testsuite"`
	}{}
	suites := map[string]*suite{}
	add := func(name string) *suite {
		doc.Suites = append(doc.Suites, &suite{
			Name: name, Package: "keepc", ID: len(doc.Suites), Timestamp: c.Time.UTC().Format("2006-01-02T15:04:05"), Host: "localhost",
		})
		return doc.Suites[len(doc.Suites)-1]
	}
	for _, name := range c.fileNames() {
		suites[name] = add(name)
	}
	for _, f := range c.Findings {
		at, in := place3(f.File, f.Line, f.Column), suites[f.File]
		one, text := test{Name: at + " " + f.Rule, Class: f.File}, at+": "+f.Severity+": "+f.Whole()
		if f.Fails {
			one.Failure = &failure{f.Text(), f.Rule, text}
			in.Failures++
		} else {
			in.Out += text + "\n"
		}
		in.Cases = append(in.Cases, one)
	}
	for _, u := range c.Unread {
		in := add(u.File)
		in.Cases, in.Errors = []test{{Name: u.File, Class: u.File, Error: &failure{u.Error, "unread", u.Error}}}, 1
	}
	for _, in := range doc.Suites {
		if len(in.Cases) == 0 {
			in.Cases = []test{{Name: in.Name, Class: in.Name}}
		}
		in.Tests = len(in.Cases)
	}
	return writeXML(w, doc)
}

// GitLab writes findings as the JSON of a GitLab Code Quality report.
func GitLab(w io.Writer, c Check, _ Colors) error {
	type lines struct {
		Begin int `json:"begin"`
		End   int `json:"end,omitempty"`
	}
	type location struct {
		Path  string `json:"path"`
		Lines lines  `json:"lines"`
	}
	type issue struct {
		Description string   `json:"description"`
		Check       string   `json:"check_name"`
		Fingerprint string   `json:"fingerprint"`
		Severity    string   `json:"severity"`
		Location    location `json:"location"`
	}
	severity := map[string]string{"error": "critical", "warning": "minor", "info": "info"}
	all := []issue{}
	for _, f := range c.Findings {
		all = append(all, issue{f.Whole(), f.Rule, f.Fingerprint, severity[f.Severity], location{f.File, lines{max(1, f.Line), f.EndLine}}})
	}
	for _, u := range c.Unread {
		all = append(all, issue{u.Error, "unread", "unread:" + u.File, "blocker", location{u.File, lines{1, 1}}})
	}
	return writeJSON(w, all)
}

// fileNames lists the files that were checked, and the included files that have findings.
func (c Check) fileNames() []string {
	names := append([]string(nil), c.Files...)
	for _, f := range c.Findings {
		names = append(names, f.File)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

func writeXML(w io.Writer, doc any) error {
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, xml.Header+string(text)+"\n")
	return err
}
