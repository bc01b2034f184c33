package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/lint"
	"keepc/compiler/privilege"
	"keepc/compiler/report"
	"keepc/compiler/schema"
	"keepc/grammar/diag"
)

func (a *App) explain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE | KEYWORD]",
		Short: "Explain a rule or a keyword",
		Long: "Explain a rule, a keyword, or what works anywhere: include, @id, '$', '~SEQ'. Without an argument: list the rules.\n" +
			"drop-in explains where check differs from keepalived -t, capabilities what run needs. A keepalived older than 2.0 is judged as 2.0.",
		Example: `  keepc explain duplicate-vrid
  keepc explain vrrp_instance.priority
  keepc explain include
  keepc explain drop-in`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return subjects(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			text := ruleList()
			if len(args) == 1 {
				var err error
				if text, err = explanation(args[0]); err != nil {
					return err
				}
			}
			_, err := fmt.Fprint(a.Stdout, text)
			return failed(err)
		},
	}
}

const (
	dropIn       = "drop-in"      // where keepc differs from keepalived
	capabilities = "capabilities" // what run needs on its machine
)

// explanation returns the long text of a rule, a keyword or a directive.
func explanation(subject string) (string, error) {
	if subject == dropIn {
		return report.ExplainDifferences(lint.Differences()), nil
	}
	if subject == capabilities {
		return report.ExplainCapabilities(privilege.Kinds()), nil
	}
	if rule, known := lint.Find(subject); known {
		return report.ExplainRule(rule), nil
	}
	if found := schema.Find(subject); len(found) > 0 {
		var b strings.Builder
		for i, path := range found {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(report.ExplainKeyword(path))
		}
		return b.String(), nil
	}
	if d, ok := schema.FindDirective(subject); ok {
		return report.ExplainDirective(d), nil
	}
	known := append(ruleNames(), dropIn, capabilities)
	for _, d := range schema.Directives() {
		known = append(known, d.Name)
	}
	for _, path := range keywordPaths() {
		known = append(known, path, path[strings.LastIndexByte(path, '.')+1:])
	}
	if best, _ := diag.Suggest(subject, known); best != "" {
		return "", fmt.Errorf("no rule or keyword %q; did you mean %q?", subject, best)
	}
	return "", fmt.Errorf("no rule or keyword %q; keepc explain lists the rules", subject)
}

// keywordPaths lists the keywords of keepalived.conf and of .keepc.conf, such as "vrrp_instance.priority".
func keywordPaths() (paths []string) {
	visit := func(path []*schema.Keyword) { paths = append(paths, schema.Join(path)) }
	schema.Walk(visit)
	schema.WalkSettings(visit)
	return paths
}

// ruleNames lists the names of the rules.
func ruleNames() []string {
	var names []string
	for _, r := range lint.Rules() {
		names = append(names, r.Name)
	}
	return names
}

// ruleList lists every rule with its severity and title.
func ruleList() string {
	var b strings.Builder
	for _, r := range lint.Rules() {
		fmt.Fprintf(&b, "%-24s %-8s %s\n", r.Name, r.Severity, r.Page().Title)
	}
	return b.String()
}
