package main

import (
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/lint"
	"keepc/compiler/schema"
)

// The words that shells offer for flags and verbs: each followed by a tab and its meaning, as cobra requires. "keepc
// completion" prints the scripts that ask for them.

// completeGlobals registers words for the flags of every verb.
func completeGlobals(root *cobra.Command) {
	register(root, "format", func(c *cobra.Command, _ string) []string { return formatsOf(c) })
	register(root, "color", func(*cobra.Command, string) []string { return []string{"auto", "always", "never"} })
	register(root, "id", func(*cobra.Command, string) []string { return nil })
	register(root, "keepalived-version", func(*cobra.Command, string) []string { return nil })
	_ = root.MarkPersistentFlagDirname("root") // the error is for flags that do not exist
}

// completeCheck registers words for the flags of check.
func completeCheck(c *cobra.Command) {
	register(c, "only", afterComma(ruleWords))
	register(c, "off", afterComma(ruleWords))
	register(c, "fail-on", func(*cobra.Command, string) []string { return []string{"error", "warning", "info"} })
}

// register registers the words for a flag; words returns them for what was typed so far.
func register(c *cobra.Command, flag string, words func(c *cobra.Command, typed string) []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return words(c, typed), cobra.ShellCompDirectiveNoFileComp // the error is for flags that do not exist
	})
}

// afterComma offers words for the last element of a comma-separated list.
func afterComma(words func() []string) func(*cobra.Command, string) []string {
	return func(_ *cobra.Command, typed string) []string {
		all := words()
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		for i := range all {
			all[i] = before + all[i]
		}
		return all
	}
}

// ruleWords are the rules with their titles.
func ruleWords() (words []string) {
	for _, r := range lint.Rules() {
		words = append(words, r.Name+"\t"+r.Page().Title)
	}
	return words
}

// subjects are what explain can explain.
func subjects() []string {
	words := append(ruleWords(), dropIn+"\tWhere check differs from keepalived -t.", capabilities+"\tWhich capabilities run needs.")
	visit := func(path []*schema.Keyword) { words = append(words, schema.Join(path)+"\t"+path[len(path)-1].Text) }
	schema.Walk(visit)
	schema.WalkSettings(visit)
	for _, d := range schema.Directives() {
		first, _, _ := strings.Cut(d.Text, ". ")
		words = append(words, d.Name+"\t"+strings.TrimSuffix(first, ".")+".")
	}
	return words
}
