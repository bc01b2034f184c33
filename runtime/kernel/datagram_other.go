//go:build !linux

package kernel

import (
	"errors"
	"time"
)

// A Datagram is a packet that is ready to be sent. Only Linux has them.
type Datagram struct{}

// Departures send datagrams on time. Only Linux has them.
type Departures struct{}

// MaxDepartures is how many can be armed at once.
const MaxDepartures = 24

// NewDepartures fails.
func NewDepartures(func() time.Time) (*Departures, error) { return nil, errors.ErrUnsupported }

// Run does nothing.
func (*Departures) Run(func(id int)) {}

// Stop does nothing.
func (*Departures) Stop() {}

// Datagram returns nothing.
func (*Departures) Datagram(int) *Datagram { return nil }

// Arm fails.
func (*Departures) Arm([]time.Time) error { return errors.ErrUnsupported }

// Disarm returns 0.
func (*Departures) Disarm() int { return 0 }

// Left fails.
func (*Departures) Left(int) (time.Time, error) { return time.Time{}, errors.ErrUnsupported }
