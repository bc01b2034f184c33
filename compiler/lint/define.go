package lint

import "keepc/grammar/diag"

// expansionRules documents what package grammar reports about includes, definitions and conditional lines.
func expansionRules() []Rule {
	return []Rule{
		{Name: "undefined-reference", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "unused-definition", Severity: diag.Info},
		{Name: "spaced-definition", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "definition-cycle", Severity: diag.Error, Loss: diag.Ends},
		{Name: "text-after-lines", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "gap-in-definition", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "comment-in-definition", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "definition-name", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "bare-reference", Severity: diag.Warning, Loss: diag.DropsWord},
		{Name: "unset-variable", Severity: diag.Info},
		{Name: "unread-variable", Severity: diag.Info},
		{Name: "condition-on-block", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "line-continuation", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "comment-from-definition", Severity: diag.Warning},
		{Name: "invalid-sequence", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "random-range", Severity: diag.Warning},
		{Name: "limit-met", Severity: diag.Error, Loss: diag.Ends},
		{Name: "unknown-id", Severity: diag.Warning},
		{Name: "second-condition", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "condition-on-lines", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "include-not-found", Severity: diag.Warning, Worst: diag.Error, Loss: diag.DropsBlock},
		{Name: "include-unread", Severity: diag.Warning, Loss: diag.DropsBlock},
		{Name: "include-outside", Severity: diag.Info},
		{Name: "include-cycle", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "include-quotes", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "include-braces", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "include-wide", Severity: diag.Warning},
		{Name: "include-expanded", Severity: diag.Warning},
	}
}
