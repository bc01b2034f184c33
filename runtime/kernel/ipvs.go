package kernel

import (
	"errors"
	"fmt"
	"time"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// An IPVSChange is one write to the table of virtual servers.
type IPVSChange struct {
	Key    state.Key    // ir.ServiceKey, state.DestinationKey or state.TimeoutsKey
	Object state.Object // state.Service, state.Destination or state.Timeouts, to set; nil: to delete
}

func (c IPVSChange) String() string {
	if c.Object == nil {
		return "delete " + c.Key.String()
	}
	return "set " + c.Key.String()
}

// DefaultTimeouts are those that a kernel starts with (net/netfilter/ipvs in its source).
func DefaultTimeouts() state.Timeouts {
	return state.Timeouts{Timeouts: ir.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute}}
}

// verb is the name of the method of IPVS that makes the change.
func (c IPVSChange) verb() string {
	_, service := c.Key.(ir.ServiceKey)
	_, timeouts := c.Key.(state.TimeoutsKey)
	switch {
	case timeouts:
		return "SetTimeouts"
	case c.Object == nil && service:
		return "DeleteService"
	case c.Object == nil:
		return "DeleteDestination"
	case service:
		return "SetService"
	}
	return "SetDestination"
}

// ApplyIPVS makes the changes in their order, in as few system calls as k can, and returns the error of each, nil where it was
// made. One that fails does not stop the others. No key may come twice.
func ApplyIPVS(k IPVS, changes []IPVSChange) []error {
	if b, ok := k.(interface{ ApplyIPVS([]IPVSChange) []error }); ok {
		return b.ApplyIPVS(changes)
	}
	errs := make([]error, len(changes))
	for i, c := range changes {
		errs[i] = applyOne(k, c)
	}
	return errs
}

func applyOne(k IPVS, c IPVSChange) error {
	switch key := c.Key.(type) {
	case ir.ServiceKey:
		if s, ok := c.Object.(state.Service); ok {
			return k.SetService(key, s)
		}
		return k.DeleteService(key)
	case state.DestinationKey:
		if d, ok := c.Object.(state.Destination); ok {
			return k.SetDestination(key, d)
		}
		return k.DeleteDestination(key)
	case state.TimeoutsKey:
		if t, ok := c.Object.(state.Timeouts); ok {
			return k.SetTimeouts(t)
		}
		return errTimeouts
	}
	return fmt.Errorf("%T is no key of a virtual server", c.Key)
}

var errTimeouts = errors.New("the timeouts of ipvs cannot be deleted")

var errNoService = errors.New("no such virtual server")
