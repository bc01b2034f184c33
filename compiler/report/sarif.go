package report

import (
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"keepc/compiler/lint"
)

// SARIF writes findings in the Static Analysis Results Interchange Format, version 2.1.0 (OASIS).
//
// GitHub shows neither related locations nor Markdown, so other places are in the text of the message. Only a few
// parts of the standard are needed, so they are types of our own; a test validates the text with the standard's
// schema.
func SARIF(w io.Writer, c Check, _ Colors) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "keepc", Version: c.Program, Page: c.Page, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: len(c.Unread) == 0}},
		ColumnKind:  "unicodeCodePoints",
		Results:     []sarifResult{},
	}
	for _, u := range c.Unread {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{"error", sarifText{u.Error}})
	}
	for _, f := range c.Findings {
		run.Results = append(run.Results, newSarifResult(f))
	}
	for _, r := range lint.Rules() {
		if slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Rule == r.Name }) {
			page := r.Page()
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
				ID: r.Name, Short: sarifText{page.Title}, Full: sarifText{page.Text},
				Help: sarifText{page.Text}, HelpURI: c.help(r.Name), Default: sarifDefault{sarifLevel(r.Severity.String())},
			})
		}
	}
	return writeJSON(w, sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run},
	})
}

// The parts of SARIF that keepc fills; names and order follow the standard.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Page    string      `json:"informationUri,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Full    sarifText    `json:"fullDescription"`
		Help    sarifText    `json:"help"`
		HelpURI string       `json:"helpUri,omitempty"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		ExecutionSuccessful bool                `json:"executionSuccessful"`
		Notifications       []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Related      []sarifLocation   `json:"relatedLocations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Fixes        []sarifFix        `json:"fixes,omitempty"`
	}
	sarifLocation struct {
		ID       int           `json:"id,omitempty"`
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
		EndLine     int `json:"endLine,omitempty"`
		EndColumn   int `json:"endColumn,omitempty"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifArtifact      `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted  sarifRegion `json:"deletedRegion"`
		Inserted sarifText   `json:"insertedContent"`
	}
)

func newSarifResult(f Finding) sarifResult {
	r := sarifResult{
		RuleID: f.Rule, Level: sarifLevel(f.Severity), Message: sarifText{f.Whole()},
		Locations:    []sarifLocation{{Physical: sarifPhysical{Artifact: newSarifArtifact(f.File)}}},
		Fingerprints: map[string]string{"primaryLocationLineHash": f.Fingerprint}, // the fingerprint that GitHub uses
	}
	region := sarifRegion{f.Line, f.Column, f.EndLine, f.EndColumn}
	if f.Line == 0 {
		region = sarifRegion{StartLine: 1} // GitHub requires one
	}
	r.Locations[0].Physical.Region = &region
	for _, n := range f.Notes {
		if n.Line > 0 {
			at := sarifPhysical{newSarifArtifact(n.File), &sarifRegion{StartLine: n.Line, StartColumn: n.Column}}
			r.Related = append(r.Related, sarifLocation{len(r.Related) + 1, at, &sarifText{n.Message}})
		}
	}
	for _, fix := range f.Fixes {
		s := sarifFix{Description: sarifText{fix.Title}}
		for _, e := range fix.Edits {
			s.Changes = append(s.Changes, sarifChange{newSarifArtifact(e.File), []sarifReplacement{{
				sarifRegion{e.Line, e.Column, e.EndLine, e.EndColumn}, sarifText{e.Text},
			}}})
		}
		r.Fixes = append(r.Fixes, s)
	}
	return r
}

// newSarifArtifact names a file: relative to the root of the checkout, or absolute.
func newSarifArtifact(name string) sarifArtifact {
	name = filepath.ToSlash(name)
	if strings.HasPrefix(name, "/") {
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: name}).String()}
	}
	return sarifArtifact{URI: (&url.URL{Path: name}).String(), Base: "%SRCROOT%"}
}

// help is the URL of a rule on the page of all rules; empty: there is no page.
func (c Check) help(rule string) string {
	if c.Page == "" {
		return ""
	}
	return c.Page + "#" + rule
}

func sarifLevel(severity string) string {
	if severity == "info" {
		return "note"
	}
	return severity
}
