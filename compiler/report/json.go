package report

import (
	"encoding/json"
	"io"
)

// JSON writes findings as one object.
func JSON(w io.Writer, c Check, _ Colors) error { return writeJSON(w, c) }

func writeJSON(w io.Writer, doc any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}
