// Package ir is the typed configuration: what a file means, with defaults filled in and names linked.
//
// The json tags name the fields in "keepc show" if the Go name, converted to the style of the file, is not the word of
// the file.
package ir

import (
	"fmt"
	"io"
	"slices"
	"time"

	"keepc/grammar"
	"keepc/grammar/source"
)

// A Config is everything that one director is told.
type Config struct {
	Version             string          `json:"-"` // of the keepalived that reads the file, such as "2.2.7"; empty: any from there to 2.4.3
	Global              Global          `json:"global_defs"`
	StaticAddresses     []Address       `json:"static_ipaddress"`
	StaticRoutes        []Route         `json:"static_routes"`
	StaticRules         []Rule          `json:"static_rules"`
	Scripts             []*Script       `json:"vrrp_script"`
	TrackFiles          []*TrackFile    `json:"track_file"`
	TrackProcesses      []*TrackProcess `json:"vrrp_track_process"`
	GARPGroups          []*GARPGroup    `json:"garp_group"`
	Linkbeats           []Linkbeat      `json:"linkbeat_interfaces"`
	UpDownDelays        []UpDownDelay   `json:"interface_up_down_delays"`
	LinkbeatPolling     bool            `json:"linkbeat_use_polling"`
	NetNamespace        string
	NetNamespaceIPVS    *string `json:"net_namespace_ipvs"` // nil: NetNamespace
	NamespaceWithIPSets bool    `json:"namespace_with_ipsets"`
	UsePIDDir           bool    `json:"use_pid_dir"`
	Instance            string
	ChildWaitTime       time.Duration
	TLS                 *TLS             `json:"SSL"`
	BFDs                []*BFD           `json:"bfd_instance"`
	SyncGroups          []*SyncGroup     `json:"vrrp_sync_group"`
	TrackGroups         []*TrackGroup    `json:"track_group"`
	Instances           []*VRRPInstance  `json:"vrrp_instance"`
	Groups              []*ServerGroup   `json:"virtual_server_group"`
	VirtualServers      []*VirtualServer `json:"virtual_server"`     // a virtual_server of a group appears once for each member
	Announcements       []*Announcement  `json:"announce,omitempty"` // of .keepc.conf
	Commands            []*Command       `json:"-"`                  // every script of the file
	Used                []Use            `json:"-"`                  // the keywords of the file
	NotEnforced         []Unenforced     `json:"not_enforced"`       // the parts of the file that keepc does not act on yet
	AtStart             []StartSetting   `json:"-"`                  // what a reload does not change
	Secrets             []source.Span    `json:"-"`                  // where passwords and keys are; never to be shown
}

// A StartSetting is a keyword that a running daemon does not change: a new value takes a restart.
type StartSetting struct {
	Path  string // "net_namespace"
	Value string // the words after it
	Span  source.Span
}

// A Use is the first place of a keyword in a file.
type Use struct {
	Path string // "vrrp_instance.notify"
	Span source.Span
}

// An Unenforced is something that a file asks for and keepc does not do yet, at the first place that asks for it.
type Unenforced struct {
	Keyword string      // its path, with the value where that matters: "vrrp_instance.authentication.auth_type AH"
	At      source.Span `json:"at"`
	Refused bool        // keepc does not run the file, because a director without it would do harm
	Unread  bool        // run alone reads what it depends on, and enforces it or refuses the file
	Why     string      `json:"without"` // what happens without it: "no mail is sent"; what run does with it, if that is unread
}

// String describes it in the words that every verb uses, without the place.
func (u Unenforced) String() string { return u.Keyword + " is " + u.Verdict() + ": " + u.Why }

// Verdict says what keepc does about it.
func (u Unenforced) Verdict() string {
	if u.Unread {
		return "not read before run"
	}
	return "not enforced yet"
}

// Origin leads from a value back to the block of the file that made it. Comparisons ignore it.
type Origin struct {
	Stmt *grammar.Stmt `json:"-"`
}

// SetOrigin records the block that makes the value.
func (o *Origin) SetOrigin(s *grammar.Stmt) { o.Stmt = s }

// Line returns the line that makes the value; nil when there is none.
func (o Origin) Line() *grammar.Stmt { return o.Stmt }

// At returns the place of the last line with the keyword in the block, which is the line that counts; without such a
// line, the head of the block.
func (o Origin) At(keyword string) source.Span {
	if o.Stmt == nil {
		return source.Span{}
	}
	if s := o.Stmt.Block.Find(keyword); s != nil {
		return s.Span()
	}
	return o.Stmt.Span()
}

// Span returns the place of the line that opens the block.
func (o Origin) Span() source.Span {
	if o.Stmt == nil {
		return source.Span{}
	}
	return o.Stmt.Span()
}

// Has reports whether the block has the keyword.
func (o Origin) Has(keyword string) bool {
	return o.Stmt != nil && o.Stmt.Block.Find(keyword) != nil
}

// HasWord reports whether the line, or the head of the block, has the word.
func (o Origin) HasWord(word string) bool {
	return o.Stmt != nil && slices.ContainsFunc(o.Stmt.Words, func(w grammar.Word) bool { return w.Text == word })
}

// A Name is a word that names a block elsewhere in the file.
type Name struct {
	Text string
	Span source.Span
}

// MarshalText returns the word.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.Text), nil }

// Unset means "the file does not say" for values where 0 has a meaning. compiler.Load leaves none behind.
const Unset = -1

// A Secret is a password or key. It prints as "(hidden)" in every format; Reveal is only for packets.
type Secret struct{ text string }

// NewSecret wraps a password or key.
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text. It is only for packets.
func (s Secret) Reveal() string { return s.text }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.text == "" }

// Format prints "(hidden)" for every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(hidden)") }

// MarshalText keeps the text out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte("(hidden)"), nil }
