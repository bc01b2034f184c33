package router

import (
	"fmt"
	"strings"
	"time"

	"keepc/runtime/vrrp"
)

// Events and effects print as one line. None shows what the authentication data of a packet is.

func (e PacketReceived) String() string {
	p, err := vrrp.Unmarshal(vrrp.Advert(e.Payload, e.AH), e.Src, e.Dst)
	if err != nil {
		return fmt.Sprintf("packet on %s from %v: %v", e.Interface, e.Src, err)
	}
	return fmt.Sprintf("packet on %s from %v: %v", e.Interface, e.Src, p)
}

// GoString keeps %#v from printing the payload.
func (e PacketReceived) GoString() string { return e.String() }

func (e SendAdvert) String() string {
	p, err := vrrp.Unmarshal(vrrp.Advert(e.Payload, e.AH), e.Src, e.Dst)
	if err != nil {
		return fmt.Sprintf("advert on %s: %v", e.Interface, err)
	}
	if !e.Dst.IsMulticast() {
		return fmt.Sprintf("advert on %s: %v to %v", e.Interface, p, e.Dst)
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

func (e RoleChanged) String() string { return fmt.Sprintf("%s %s: %v", e.Name, e.Role, e.Reason) }

func (e Contested) String() string { return e.Config.Name + " heard a lower priority" }

func (e RoleRecited) String() string {
	if e.Group {
		return "sync group " + e.Name + " is " + e.Role
	}
	return fmt.Sprintf("%s is %s with priority %d", e.Name, e.Role, e.Priority)
}

func (e GroupChanged) String() string { return "sync group " + e.Name + " " + e.Role }

func (e PriorityChanged) String() string {
	return fmt.Sprintf("%s priority %s", e.Name, e.Text())
}

// Text says how the priority changed, and its parts.
func (e PriorityChanged) Text() string {
	if len(e.Sum.Terms) == 0 {
		return fmt.Sprintf("%d -> %d: as configured", e.From, e.To)
	}
	return fmt.Sprintf("%d -> %d: %v", e.From, e.To, e.Sum)
}

func (e StartScript) String() string {
	return fmt.Sprintf("run %s %s, at most %v", e.ID.Name, e.ID.Command, e.Timeout)
}

func (e Note) String() string { return "note " + e.Name + ": " + e.Text() }

// Subject implements Remark.
func (e Note) Subject() string { return e.Name }

// Text implements Remark.
func (e Note) Text() string { return e.What.String() }

// Fine implements Remark: an oddity is never good news.
func (e Note) Fine() bool { return false }

func (e StartDelayed) String() string { return "note " + e.Subject() + ": " + e.Text() }

// Subject implements Remark.
func (e StartDelayed) Subject() string { return "VRRP" }

// Text implements Remark.
func (e StartDelayed) Text() string {
	return fmt.Sprintf("begins after %v: %s", e.After.Round(time.Millisecond), e.Keyword)
}

// Fine implements Remark.
func (e StartDelayed) Fine() bool { return true }

func (e UnknownVRID) String() string { return "note " + e.Subject() + ": " + e.Text() }

// Subject implements Remark.
func (e UnknownVRID) Subject() string { return e.Interface }

// Text implements Remark.
func (e UnknownVRID) Text() string {
	return fmt.Sprintf("unknown virtual router %d: %v advertises it, and no instance here has it", e.VRID, e.Src)
}

// Fine implements Remark.
func (e UnknownVRID) Fine() bool { return true }

func (e ScriptChanged) String() string { return "note " + e.Subject() + ": " + e.Text() }

// Subject implements Remark.
func (e ScriptChanged) Subject() string { return e.Thing.String() }

// Text implements Remark.
func (e ScriptChanged) Text() string {
	if e.Cause != "" {
		return "fails: " + e.Cause
	}
	return "succeeds"
}

// Fine implements Remark.
func (e ScriptChanged) Fine() bool { return e.Cause == "" }

func (e ScriptsLack) String() string { return "note " + e.Subject() + ": " + e.Text() }

// Subject implements Remark.
func (e ScriptsLack) Subject() string { return "scripts" }

// Text implements Remark.
func (e ScriptsLack) Text() string {
	if e.Over {
		return e.What + ": over; scripts have a verdict again"
	}
	return e.What + ": no verdict on a script; all keep their state"
}

// Fine implements Remark.
func (e ScriptsLack) Fine() bool { return e.Over }
