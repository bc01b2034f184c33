package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/lint"
)

// BaselineVersion is the version of the form of a baseline; it grows when a field changes its meaning or is removed.
const BaselineVersion = 1

// A Baseline is the findings that a project knew when it started to use keepc. They are not shown.
type Baseline struct {
	Version  int     `json:"version"`
	Findings []Known `json:"findings"`
}

// A Known is a finding of a baseline. Only the fingerprint counts; the rest is for people.
type Known struct {
	Fingerprint string `json:"fingerprint"`
	Rule        string `json:"rule"`
	File        string `json:"file"`
	Path        string `json:"path,omitempty"` // like that of a Finding
}

// Identify gives the findings of a file their fingerprints, computed from the rule, the file, the path of the
// statement, or the text of the line if there is no statement (with the file that is judged, if that differs), and the
// number of equal findings before it. name returns a name of a file that does not depend on where keepc was started;
// nil: the name as shown.
func (f File) Identify(name func(string) string) {
	seen := map[string]int{}
	for i := range f.Findings {
		d := &f.Findings[i]
		place := f.path(d.Span)
		file, judged := cmp.Or(d.Span.Position().File, f.Name), f.Name
		if name != nil {
			file, judged = name(file), name(judged)
		}
		if e := f.spot(d.Span).excerpt(); place == "" && e != nil {
			if place = e.Text; file != judged { // settings of several files, each of which may have the finding
				place += "\n" + judged
			}
		}
		d.Fingerprint = fingerprint(seen, d.Rule, file, place)
	}
}

// fingerprint returns the fingerprint of one more finding, and counts it.
func fingerprint(seen map[string]int, rule, file, place string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{rule, file, place}, "\n")))
	print := hex.EncodeToString(sum[:8])
	seen[print]++
	return fmt.Sprintf("%s:%d", print, seen[print])
}

// Known lists the findings of a file for a baseline.
func (f File) Known(name func(string) string) (all []Known) {
	for _, d := range f.Findings {
		all = append(all, Known{d.Fingerprint, d.Rule, printable(name(cmp.Or(d.Span.Position().File, f.Name))), f.path(d.Span)})
	}
	return all
}

// Write writes a baseline, in an order that keeps changes small when findings come and go.
func (b Baseline) Write(w io.Writer) error {
	b.Version, b.Findings = BaselineVersion, slices.Clone(b.Findings)
	slices.SortFunc(b.Findings, func(x, y Known) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Path, y.Path), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Fingerprint, y.Fingerprint))
	})
	b.Findings = append([]Known{}, slices.Compact(b.Findings)...)
	return writeJSON(w, b)
}

// ReadBaseline reads a baseline.
func ReadBaseline(text []byte) (b Baseline, err error) {
	if err := json.Unmarshal(text, &b); err != nil {
		return b, fmt.Errorf("is not a baseline: %w", err)
	}
	if b.Version != BaselineVersion {
		return b, fmt.Errorf("is a baseline of version %d; this keepc reads version %d", b.Version, BaselineVersion)
	}
	b.rename()
	return b, nil
}

// rename gives findings of rules that have another name by now the fingerprints that they have under it. Those without
// a path are not known any longer: the text of their lines is not in a baseline.
func (b Baseline) rename() {
	seen := map[string]int{}
	for _, k := range b.Findings {
		if print, n, ok := strings.Cut(k.Fingerprint, ":"); ok {
			count, _ := strconv.Atoi(n)
			seen[print] = max(seen[print], count)
		}
	}
	for i := range b.Findings {
		k := &b.Findings[i]
		if rule, known := lint.Find(k.Rule); known && rule.Name != k.Rule && k.Path != "" {
			k.Rule, k.Fingerprint = rule.Name, fingerprint(seen, rule.Name, k.File, k.Path)
		}
	}
}

// A Statistic counts the findings of a rule.
type Statistic struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Findings int    `json:"findings"`
	Files    int    `json:"files"`
}

// Count counts the findings of each rule, the most common first.
func (c *Check) Count() {
	c.Statistics = []Statistic{}
	type counted struct{ rule, severity string }
	count, files := map[counted]int{}, map[counted]map[string]bool{}
	for _, f := range c.Findings {
		key := counted{f.Rule, f.Severity}
		if count[key]++; files[key] == nil {
			files[key] = map[string]bool{}
		}
		files[key][f.File] = true
	}
	for key, n := range count {
		c.Statistics = append(c.Statistics, Statistic{key.rule, key.severity, n, len(files[key])})
	}
	slices.SortFunc(c.Statistics, func(a, b Statistic) int {
		return cmp.Or(-cmp.Compare(a.Findings, b.Findings), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Severity, b.Severity))
	})
}

// Statistics writes a line for each rule that found something, and the total.
func Statistics(w io.Writer, c Check, colors Colors) error {
	s := screen{c: colors}
	for _, n := range c.Statistics {
		s.line(fmt.Sprintf("%5d  ", n.Findings), s.c.severity(fmt.Sprintf("%-7s", n.Severity)), fmt.Sprintf("  %-36s  %s", n.Rule, Count(n.Files, "file")))
	}
	if len(c.Findings) > 0 {
		s.line()
		s.summary(c)
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}
