package kernel

import (
	"errors"

	"keepc/compiler/state"
)

// Observe reads what exists. ipvs is why the virtual servers are not in it, ErrNoIPVS or ErrPermission: neither keeps VRRP from
// its work, and addresses can be read without privilege. err is any other failure.
func Observe(k Kernel) (have state.State, ipvs, err error) {
	have = state.New()
	if have.Addresses, err = k.Addresses(); err != nil {
		return have, nil, err
	}
	if have.Routes, err = k.Routes(); err != nil {
		return have, nil, err
	}
	if have.Rules, err = k.Rules(); err != nil {
		return have, nil, err
	}
	services, destinations, err := k.Services()
	if errors.Is(err, ErrNoIPVS) || errors.Is(err, ErrPermission) {
		return have, err, nil
	}
	if err != nil {
		return have, nil, err
	}
	have.Services, have.Destinations = services, destinations
	timeouts, err := k.Timeouts()
	if err != nil {
		return have, nil, err
	}
	have.Timeouts[state.TimeoutsKey{}] = timeouts
	return have, nil, nil
}
