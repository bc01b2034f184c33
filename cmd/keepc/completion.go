package main

import (
	"strings"

	"github.com/spf13/cobra"

	"keepc/compiler/lint"
	"keepc/compiler/schema"
)

// The words that shells offer behind flags and verbs: each with its meaning behind a tab, as cobra wants it. "keepc completion" prints
// the scripts that ask for them.

// completeGlobals makes shells offer words for the flags of every verb.
func completeGlobals(root *cobra.Command) {
	register(root, "format", func(c *cobra.Command, _ string) []string { return formatsOf(c) })
	register(root, "color", func(*cobra.Command, string) []string { return []string{"auto", "always", "never"} })
	register(root, "id", func(*cobra.Command, string) []string { return nil })
	register(root, "keepalived-version", func(*cobra.Command, string) []string { return nil })
	_ = root.MarkPersistentFlagDirname("root") // the error is for flags that are not there
}

// completeCheck does it for those of check.
func completeCheck(c *cobra.Command) {
	register(c, "only", afterComma(ruleWords))
	register(c, "off", afterComma(ruleWords))
	register(c, "fail-on", func(*cobra.Command, string) []string { return []string{"error", "warning", "info"} })
}

// register makes shells offer words for a flag, which words gives for what was typed so far.
func register(c *cobra.Command, flag string, words func(c *cobra.Command, typed string) []string) {
	_ = c.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return words(c, typed), cobra.ShellCompDirectiveNoFileComp // the error is for flags that are not there
	})
}

// afterComma offers the words for the last of a list with commas.
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

// subjects are what explain explains.
func subjects() []string {
	words := append(ruleWords(), dropIn+"\tWhat check does otherwise than keepalived -t.", capabilities+"\tWhat run needs of its machine.")
	visit := func(path []*schema.Keyword) { words = append(words, schema.Join(path)+"\t"+path[len(path)-1].Text) }
	schema.Walk(visit)
	schema.WalkSettings(visit)
	for _, d := range schema.Directives() {
		first, _, _ := strings.Cut(d.Text, ". ")
		words = append(words, d.Name+"\t"+strings.TrimSuffix(first, ".")+".")
	}
	return words
}
