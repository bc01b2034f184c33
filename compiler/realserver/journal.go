package realserver

import (
	"fmt"
	"maps"
	"slices"

	"keepc/compiler/plan"
	"keepc/compiler/state"
)

// JournalVersion is the version of the JSON form of a Journal.
const JournalVersion = 1

// A Journal records what was changed on a host, so that exactly that can be undone.
type Journal struct {
	Version   int                `json:"version"`
	Addresses []state.AddressKey `json:"addresses,omitempty"`
	Tunnels   []state.TunnelKey  `json:"tunnels,omitempty"`
	Routes    []state.RouteKey   `json:"routes,omitempty"`
	Sysctls   map[string]Setting `json:"sysctls,omitempty"` // by file
}

// A Setting is a sysctl that was changed.
type Setting struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// Empty reports whether there is nothing to undo.
func (j Journal) Empty() bool {
	return len(j.Addresses)+len(j.Tunnels)+len(j.Routes)+len(j.Sysctls) == 0
}

// Note records a change that is about to be made. before is the current value of each sysctl. What is changed twice is
// restored to its first value.
func (j *Journal) Note(c plan.Change, before string) {
	j.Version = JournalVersion
	if c.Action == plan.Remove {
		return
	}
	switch k := c.Key.(type) {
	case state.AddressKey:
		add(&j.Addresses, k)
	case state.TunnelKey:
		add(&j.Tunnels, k)
	case state.RouteKey:
		add(&j.Routes, k)
	case state.SysctlKey:
		s, ok := c.After.(state.Sysctl)
		if !ok {
			return
		}
		if j.Sysctls == nil {
			j.Sysctls = map[string]Setting{}
		}
		if known, ok := j.Sysctls[k.File]; ok {
			before = known.Before
		}
		j.Sysctls[k.File] = Setting{before, s.Value}
	}
}

func add[K comparable](list *[]K, k K) {
	if !slices.Contains(*list, k) {
		*list = append(*list, k)
	}
}

// Owned reports whether an object was added by apply.
func (j Journal) Owned(k state.Key) bool {
	switch k := k.(type) {
	case state.AddressKey:
		return slices.Contains(j.Addresses, k)
	case state.TunnelKey:
		return slices.Contains(j.Tunnels, k)
	case state.RouteKey:
		return slices.Contains(j.Routes, k)
	}
	return false
}

// Keys returns the settings that were changed.
func (j Journal) Keys() (keys []state.SysctlKey) {
	for _, file := range slices.Sorted(maps.Keys(j.Sysctls)) {
		keys = append(keys, state.SysctlKey{File: file})
	}
	return keys
}

// Undo returns what should exist so that everything is as before. left says what somebody else has changed since,
// which stays.
func (j Journal) Undo(have state.State) (want state.State, left []string) {
	const why = "it was added by keepc realserver apply"
	want = state.New()
	for _, k := range j.Addresses {
		want.Absent[k] = why
	}
	for _, k := range j.Tunnels {
		want.Absent[k] = why
	}
	for _, k := range j.Routes {
		want.Absent[k] = why
	}
	for _, k := range j.Keys() {
		s := j.Sysctls[k.File]
		now, ok := have.Sysctls[k]
		switch {
		case !ok || now.Value == s.Before:
		case now.Value != s.After:
			left = append(left, fmt.Sprintf("%s is %s now, not %s as it was set: left alone", k, now.Value, s.After))
		default:
			want.Sysctls[k] = state.Sysctl{Value: s.Before, Provenance: state.Provenance{Why: "as before"}}
		}
	}
	return want, left
}
