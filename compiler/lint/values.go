package lint

import "keepc/grammar/diag"

// valueRules documents what package schema finds about values.
func valueRules() []Rule {
	return []Rule{
		{Name: "missing-value", Severity: diag.Error, Loss: diag.Ends},
		{Name: "invalid-value", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "value-range", Severity: diag.Error, Loss: diag.DropsWord},
		{Name: "too-precise", Severity: diag.Warning},
		{Name: "half-byte", Severity: diag.Warning},
		{Name: "address-port", Severity: diag.Error, Loss: diag.DropsBlock},
		{Name: "cut-address", Severity: diag.Error, Loss: diag.GoesOnWith},
		{Name: "mask-with-holes", Severity: diag.Warning},
		{Name: "password-cut", Severity: diag.Error, Loss: diag.GoesOnWith},
	}
}
