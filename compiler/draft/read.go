package draft

import (
	"bytes"
	"fmt"
	"strings"

	"keepc/compiler/ipvsadm"
	"keepc/compiler/state"
)

// A Finding is a line that could not be used.
type Finding struct {
	Line int // from 1; 0: the whole text
	Text string
}

func (f Finding) String() string {
	if f.Line == 0 {
		return f.Text
	}
	return fmt.Sprintf("%d: %s", f.Line, f.Text)
}

// Read adds what people keep of a host set up by hand, in any order: ipvsadm rules, the output of ip addr, the
// commands that set both, and comments. A text that starts with "[" is the output of ip -j addr.
func (h *Host) Read(text []byte) (found []Finding) {
	if h.State.Services == nil {
		h.State = state.New()
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		list, err := addressesOfJSON(text)
		if err != nil {
			return []Finding{{0, err.Error()}}
		}
		h.Addresses = append(h.Addresses, list...)
		return nil
	}
	var r reader
	n := 0
	for line := range bytes.Lines(text) {
		n++
		known, err := h.line(&r, strings.TrimSpace(string(line)))
		if err == nil && !known {
			err = fmt.Errorf("%q is neither a rule of ipvsadm nor a line of ip addr", first(string(line)))
		}
		if err != nil {
			found = append(found, Finding{n, err.Error()})
		}
	}
	h.Addresses = append(h.Addresses, r.list...)
	return found
}

func (h *Host) line(r *reader, line string) (known bool, err error) {
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return true, nil
	case ipvsadm.Rule(line):
		return true, ipvsadm.Apply(&h.State, line)
	}
	return r.line(line)
}

// first returns the beginning of a line.
func first(line string) string {
	words := strings.Fields(line)
	text := strings.Join(words[:min(len(words), 4)], " ")
	return strings.ToValidUTF8(text[:min(len(text), 60)], "")
}
