package ir

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// A Check is one health check of a real server: what all checks share, and the part of its kind.
type Check struct {
	Origin
	Checker
	Connection
	CheckTiming
	Alpha          bool // counts as failed until the first success
	LogAllFailures bool
}

// A Checker is the part of a check that is specific to its kind.
type Checker interface {
	// Keyword is the keyword of the checker, such as "HTTP_GET".
	Keyword() string
	// Same reports whether another checker asks for the same.
	Same(Checker) bool
}

// Same reports whether another check of the server counts as the same after a reload, so that its counters continue.
func (c *Check) Same(o *Check) bool {
	return c.Connection == o.Connection && c.CheckTiming == o.CheckTiming && c.Alpha == o.Alpha && c.LogAllFailures == o.LogAllFailures && c.Checker.Same(o.Checker)
}

// A Connection is how a check reaches a server.
type Connection struct {
	Target netip.AddrPort // zero: the check connects to nothing
	BindTo netip.AddrPort // zero: any
	BindIf string
	FWMark uint32 `json:"fwmark"`
}

// CheckTiming is when a check is made and repeated. Checks inherit it from the real server, which inherits it from the
// virtual server. Unset where the file says nothing.
type CheckTiming struct {
	ConnectTimeout   time.Duration
	DelayLoop        time.Duration // interval of checks while all is well
	DelayBeforeRetry time.Duration
	Warmup           time.Duration // the first check comes within this time
	Retry            int           // further failures that are tolerated after the first
}

// NoTiming is the CheckTiming of a file that says nothing about it.
var NoTiming = CheckTiming{Unset, Unset, Unset, Unset, Unset}

// TCPCheck opens a connection.
type TCPCheck struct{}

func (*TCPCheck) Keyword() string       { return "TCP_CHECK" }
func (c *TCPCheck) Same(o Checker) bool { return equal(c, o) }

// PingCheck sends an ICMP echo request.
type PingCheck struct{}

func (*PingCheck) Keyword() string       { return "PING_CHECK" }
func (c *PingCheck) Same(o Checker) bool { return equal(c, o) }

// equal is Same for checkers whose values can be compared.
func equal[T comparable](c *T, o Checker) bool {
	other, ok := o.(any).(*T)
	return ok && *c == *other
}

// HTTPCheck is the pages that must be right, and how to request them.
type HTTPCheck struct {
	TLS          bool   `json:"-"` // SSL_GET
	URLs         []*URL `json:"url"`
	VirtualHost  string `json:"virtualhost"`   // the Host header of pages that have none; empty: the target
	Version      string `json:"http_protocol"` // of HTTP: 1.0, 1.1, or 1.0C, which is 1.0 that closes the connection
	SNI          bool   `json:"enable_sni"`    // TLS carries the server name
	SNIName      string `json:"sni_name"`      // empty: the Host header
	FastRecovery bool   // a server that recovers gets its remaining pages checked without a pause
	TLSCompliant bool   `json:"tls_compliant"` // the server must close TLS properly
	Client       *TLS   `json:"-"`             // the block SSL: the certificate that the check presents; nil: none

	Verification *Verification `json:"-"` // of .keepc.conf; nil: any certificate is accepted
}

func (c *HTTPCheck) Keyword() string {
	if c.TLS {
		return "SSL_GET"
	}
	return "HTTP_GET"
}

func (c *HTTPCheck) Same(o Checker) bool {
	x, ok := o.(*HTTPCheck)
	return ok && c.TLS == x.TLS && c.VirtualHost == x.VirtualHost && c.Version == x.Version && c.SNI == x.SNI && c.SNIName == x.SNIName &&
		c.FastRecovery == x.FastRecovery && c.TLSCompliant == x.TLSCompliant && c.Client.same(x.Client) && c.Verification.Same(x.Verification) && slices.EqualFunc(c.URLs, x.URLs, (*URL).same)
}

// A URL is a page that must be right.
type URL struct {
	Origin
	Path         string
	Digests      []string      `json:"digest"`      // MD5 of the page, 32 lower case hexadecimal digits; any of them is accepted
	Status       []StatusRange `json:"status_code"` // any of them is accepted
	VirtualHost  string        `json:"virtualhost"` // the Host header; empty: the target
	Regex        Regex         `json:",omitzero"`   // without a pattern: none
	TLSCompliant bool          `json:"tls_compliant"`
}

func (u *URL) same(o *URL) bool {
	return u.Path == o.Path && u.VirtualHost == o.VirtualHost && u.TLSCompliant == o.TLSCompliant &&
		slices.Equal(u.Digests, o.Digests) && slices.Equal(u.Status, o.Status) && u.Regex.same(o.Regex)
}

// A StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ First, Last int }

// MarshalText writes the range as a file does.
func (s StatusRange) MarshalText() ([]byte, error) {
	text := strconv.AppendInt(nil, int64(s.First), 10)
	if s.Last != s.First {
		text = strconv.AppendInt(append(text, '-'), int64(s.Last), 10)
	}
	return text, nil
}

// Sizes is the initial and maximum size of something that grows.
type Sizes struct{ Start, Max int }

// A Regex is a regular expression (PCRE2) that a page must match, or must not.
type Regex struct {
	Pattern   string
	NoMatch   bool
	Options   []string // those of PCRE2 in lower case, such as caseless
	MinOffset int      // in bytes; the search begins there
	EndOffset int      // a match must begin before it; 0: anywhere
	Stack     Sizes    // of the JIT in bytes; zero: its own
}

func (r Regex) same(o Regex) bool {
	return r.Pattern == o.Pattern && r.NoMatch == o.NoMatch && r.MinOffset == o.MinOffset && r.EndOffset == o.EndOffset && r.Stack == o.Stack &&
		slices.Equal(r.Options, o.Options)
}

// SMTPCheck is a greeting of a mail server.
type SMTPCheck struct {
	Helo  string   `json:"helo_name"`
	Hosts []*Check `json:"host"` // old style: each is a check of its own; compiler.Load puts them after this one
}

func (*SMTPCheck) Keyword() string { return "SMTP_CHECK" }

func (c *SMTPCheck) Same(o Checker) bool {
	x, ok := o.(*SMTPCheck)
	return ok && c.Helo == x.Helo
}

// DNSCheck is a question to a name server.
type DNSCheck struct {
	Type string // such as SOA
	Name string
}

func (*DNSCheck) Keyword() string       { return "DNS_CHECK" }
func (c *DNSCheck) Same(o Checker) bool { return equal(c, o) }

// UDPCheck is what is sent, and the answer that is required.
type UDPCheck struct {
	Payload   Octets
	Reply     *Reply `json:"require_reply"`    // nil: no answer is required
	MinLength int    `json:"min_reply_length"` // of the answer, in bytes
	MaxLength int    `json:"max_reply_length"`
}

func (*UDPCheck) Keyword() string { return "UDP_CHECK" }

func (c *UDPCheck) Same(o Checker) bool {
	x, ok := o.(*UDPCheck)
	return ok && bytes.Equal(c.Payload, x.Payload) && c.Reply.same(x.Reply) && c.MinLength == x.MinLength && c.MaxLength == x.MaxLength
}

// A Reply is how an answer must begin: the bits under the mask must equal those of the value. Empty: any answer.
type Reply struct{ Value, Mask Octets }

func (r *Reply) same(o *Reply) bool {
	return (r == nil) == (o == nil) && (r == nil || bytes.Equal(r.Value, o.Value) && bytes.Equal(r.Mask, o.Mask))
}

// Octets are bytes that are written in hexadecimal.
type Octets []byte

// MarshalText writes the bytes as a file does.
func (o Octets) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

// MiscCheck is a program; exit status 0 is success.
type MiscCheck struct {
	Command Command       `json:"misc_path"`
	User    User          `json:"-"`            // of the command
	Timeout time.Duration `json:"misc_timeout"` // a run that takes longer is a failure
	Dynamic bool          `json:"misc_dynamic"` // exit status 2 to 255 sets the weight of the server to 0 to 253
}

func (*MiscCheck) Keyword() string { return "MISC_CHECK" }

func (c *MiscCheck) Same(o Checker) bool {
	x, ok := o.(*MiscCheck)
	return ok && slices.Equal(c.Command.Args, x.Command.Args) && c.Command.User == x.Command.User && c.Timeout == x.Timeout && c.Dynamic == x.Dynamic
}

// FileCheck takes the weight from a file.
type FileCheck struct {
	TrackFile Name
	Weight    *Weight `json:",inline"` // the number in the file is multiplied by it; nil: that of the track_file
}

func (*FileCheck) Keyword() string { return "FILE_CHECK" }

func (c *FileCheck) Same(o Checker) bool {
	x, ok := o.(*FileCheck)
	return ok && c.TrackFile.Text == x.TrackFile.Text && (c.Weight == nil) == (x.Weight == nil) && (c.Weight == nil || *c.Weight == *x.Weight)
}

// BFDCheck follows the bfd_instance with this name.
type BFDCheck struct{ Name }

func (*BFDCheck) Keyword() string { return "BFD_CHECK" }

func (c *BFDCheck) Same(o Checker) bool {
	x, ok := o.(*BFDCheck)
	return ok && c.Text == x.Text
}
