package router

import (
	"fmt"
	"strings"

	"keepc/runtime/vrrp"
)

// Events and effects print as one line. None shows what the authentication data of a packet is.

func (e PacketReceived) String() string {
	p, err := vrrp.Unmarshal(e.Payload, e.Src, e.Dst)
	if err != nil {
		return fmt.Sprintf("packet on %s from %v: %v", e.Interface, e.Src, err)
	}
	return fmt.Sprintf("packet on %s from %v: %v", e.Interface, e.Src, p)
}

// GoString keeps %#v from printing the payload.
func (e PacketReceived) GoString() string { return e.String() }

func (e SendAdvert) String() string {
	p, err := vrrp.Unmarshal(e.Payload, e.Src, e.Dst)
	if err != nil {
		return fmt.Sprintf("advert on %s: %v", e.Interface, err)
	}
	return fmt.Sprintf("advert on %s: %v", e.Interface, p)
}

// GoString keeps %#v from printing the payload.
func (e SendAdvert) GoString() string { return e.String() }

func (e Announce) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "announce %d times", e.Repeat)
	for _, k := range e.Targets {
		fmt.Fprintf(&b, " %v", k)
	}
	return b.String()
}

func (e RoleChanged) String() string { return fmt.Sprintf("%s %s: %s", e.Name, e.Role, e.Reason) }

func (e PriorityChanged) String() string {
	return fmt.Sprintf("%s priority %d -> %d: %s", e.Name, e.From, e.To, e.Reason)
}

func (e StartScript) String() string {
	return fmt.Sprintf("run %s %s, at most %v", e.ID.Name, e.ID.Command, e.Timeout)
}

func (e Note) String() string { return fmt.Sprintf("note %s: %s", e.Subject, e.Text) }
