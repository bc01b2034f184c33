package kernel

import (
	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// A Write is one verb that changes the kernel's state.
type Write struct {
	Verb string // the method's name: "AddAddress", "SetDestination", …
	Key  state.Key
	Err  error
}

// Record returns a Kernel that tells each write to k after it was done. Announcements and packets are no state, so they are no
// writes. wrote is called by the goroutine that writes, so it may run concurrently with itself.
func Record(k Kernel, wrote func(Write)) Kernel { return recorder{k, wrote} }

type recorder struct {
	Kernel
	wrote func(Write)
}

func (r recorder) tell(verb string, k state.Key, err error) error {
	r.wrote(Write{verb, k, err})
	return err
}

func (r recorder) AddAddress(k state.AddressKey, a state.Address) error {
	return r.tell("AddAddress", k, r.Kernel.AddAddress(k, a))
}

func (r recorder) DeleteAddress(k state.AddressKey) error {
	return r.tell("DeleteAddress", k, r.Kernel.DeleteAddress(k))
}

func (r recorder) AddRoute(k state.RouteKey, x state.Route) error {
	return r.tell("AddRoute", k, r.Kernel.AddRoute(k, x))
}

func (r recorder) DeleteRoute(k state.RouteKey) error {
	return r.tell("DeleteRoute", k, r.Kernel.DeleteRoute(k))
}

func (r recorder) AddRule(k state.RuleKey) error {
	return r.tell("AddRule", k, r.Kernel.AddRule(k))
}

func (r recorder) DeleteRule(k state.RuleKey) error {
	return r.tell("DeleteRule", k, r.Kernel.DeleteRule(k))
}

func (r recorder) SetService(k ir.ServiceKey, s state.Service) error {
	return r.tell("SetService", k, r.Kernel.SetService(k, s))
}

func (r recorder) DeleteService(k ir.ServiceKey) error {
	return r.tell("DeleteService", k, r.Kernel.DeleteService(k))
}

func (r recorder) SetDestination(k state.DestinationKey, d state.Destination) error {
	return r.tell("SetDestination", k, r.Kernel.SetDestination(k, d))
}

func (r recorder) DeleteDestination(k state.DestinationKey) error {
	return r.tell("DeleteDestination", k, r.Kernel.DeleteDestination(k))
}

func (r recorder) SetTimeouts(t state.Timeouts) error {
	return r.tell("SetTimeouts", state.TimeoutsKey{}, r.Kernel.SetTimeouts(t))
}

// ApplyIPVS keeps batches batches.
func (r recorder) ApplyIPVS(changes []IPVSChange) []error {
	errs := ApplyIPVS(r.Kernel, changes)
	for i, c := range changes {
		r.wrote(Write{c.verb(), c.Key, errs[i]})
	}
	return errs
}
