package report

import (
	"encoding/json"
	"io"
)

// JSON writes findings as one object.
func JSON(w io.Writer, c Check, _ Colors) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(c)
}
