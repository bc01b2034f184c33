package lint

import "keepc/grammar/diag"

// textRules documents what package grammar reports about the text itself.
func textRules() []Rule {
	return []Rule{
		{Name: "unclosed-block", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "extra-brace", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "stray-brace", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "brace-in-word", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "unfilled-template", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "unmatched-quote", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "comment-in-word", Severity: diag.Warning},
		{Name: "escaped-comment", Severity: diag.Error, Loss: diag.Ends},
		{Name: "carriage-return", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "nesting-too-deep", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "line-too-long", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "nul-byte", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "byte-order-mark", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "too-many-findings", Severity: diag.Error, Loss: diag.Ends},
	}
}
