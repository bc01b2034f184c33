package kernel

import (
	"maps"

	"keepc/compiler/state"
)

// Routes implements Kernel.
func (f *Fake) Routes() (map[state.RouteKey]state.Route, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.routes), f.fault("Routes")
}

// Rules implements Kernel.
func (f *Fake) Rules() (map[state.RuleKey]state.Rule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.rules), f.fault("Rules")
}
