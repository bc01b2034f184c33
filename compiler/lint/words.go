package lint

import (
	"keepc/grammar/diag"
)

// wordRules documents what package schema finds about keywords.
func wordRules() []Rule {
	return []Rule{
		{Name: "unknown-keyword", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "misplaced-keyword", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "wrong-word", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "removed-keyword", Severity: diag.Info},
		{Name: "deprecated-keyword", Severity: diag.Info},
		{Name: "newer-keyword", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "recent-keyword", Severity: diag.Info},
		{Name: "recent-fraction", Severity: diag.Warning, Loss: diag.GoesOnWith},
		{Name: "needs-build", Severity: diag.Info},
		{Name: "foreign-keyword", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "duplicate-keyword", Severity: diag.Warning},
		{Name: "repeated-option", Severity: diag.Warning, Loss: diag.DropsWord},
		{Name: "repeated-block", Severity: diag.Info},
		{Name: "missing-keyword", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "missing-brace", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "joined-lines", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "list-dash", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "unexpected-block", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "block-head", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "extra-words", Severity: diag.Warning},
		{Name: "unknown-option", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "typographic-quote", Severity: diag.Error, Loss: diag.GoesOnWith},
		{Name: "single-quotes", Severity: diag.Warning, Loss: diag.DropsWord},
		{Name: "invisible-character", Severity: diag.Error, Loss: diag.GoesOnWith},
		{Name: "merge-conflict", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "list-brackets", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "split-line", Severity: diag.Error, Loss: diag.Ends},
		{Name: "foreign-file", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "pasted-text", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "equals-sign", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "slash-comment", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "stray-semicolon", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "missing-space", Severity: diag.Error, Loss: diag.DropsWord},
	}
}
