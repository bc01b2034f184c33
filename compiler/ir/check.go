package ir

import (
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strconv"
	"time"
	"unique"
)

// CheckKind is the keyword of a checker.
type CheckKind string

const (
	TCPCheck  CheckKind = "TCP_CHECK"
	HTTPCheck CheckKind = "HTTP_GET"
	SSLCheck  CheckKind = "SSL_GET"
	SMTPCheck CheckKind = "SMTP_CHECK"
	DNSCheck  CheckKind = "DNS_CHECK"
	UDPCheck  CheckKind = "UDP_CHECK"
	PingCheck CheckKind = "PING_CHECK"
	MiscCheck CheckKind = "MISC_CHECK"
	FileCheck CheckKind = "FILE_CHECK"
	BFDCheck  CheckKind = "BFD_CHECK"
)

// A Check is one health check of a real server. Of the parts below, it has that of its kind; TCP_CHECK and PING_CHECK have none.
type Check struct {
	Origin
	CheckSpec
	LogAllFailures bool

	HTTP *HTTP // HTTP_GET and SSL_GET
	SMTP *SMTP
	DNS  *DNS
	UDP  *Datagram
	Misc *Misc
	File *File
	BFD  *Name // the bfd_instance to follow
}

// CheckSpec is all that a check is told; two checks with equal specs are the same check over a reload.
type CheckSpec struct {
	Kind             CheckKind
	Target           netip.AddrPort
	BindTo           netip.AddrPort // zero: any
	BindIf           string
	FWMark           uint32 `json:"fwmark"`
	ConnectTimeout   time.Duration
	DelayLoop        time.Duration // period of checks while all is well
	DelayBeforeRetry time.Duration
	Retry            int           // failures beyond the first that are forgiven
	Warmup           time.Duration // the first check comes within it
	Alpha            bool          // counts as failed until the first success
	Part             string        `json:"-"` // that of the kind, as JSON, for a value with lists cannot be compared; may hold passwords
}

// SetPart puts the part of the kind into the spec.
func (c *Check) SetPart() {
	var part any
	switch {
	case c.HTTP != nil:
		part = c.HTTP
	case c.SMTP != nil:
		part = c.SMTP
	case c.DNS != nil:
		part = c.DNS
	case c.UDP != nil:
		part = c.UDP
	case c.Misc != nil:
		part = c.Misc
	case c.File != nil:
		part = c.File
	case c.BFD != nil:
		part = c.BFD.Text
	default:
		return
	}
	text, _ := json.Marshal(part)              // words and numbers, which JSON can always write
	c.Part = unique.Make(string(text)).Value() // most servers of a service are asked the same
}

// HTTP is the pages that must be right, and how to ask for them.
type HTTP struct {
	URLs         []*URL `json:"url"`
	VirtualHost  string `json:"virtualhost"`   // the Host header of pages that name none; empty: the target
	Version      string `json:"http_protocol"` // of HTTP: 1.0, 1.1, or 1.0C, which is 1.0 that closes the connection
	SNI          bool   `json:"enable_sni"`    // the server is told its name in TLS
	SNIName      string `json:"sni_name"`      // empty: the Host header
	FastRecovery bool   // a server that comes back gets its remaining pages checked without a pause
	TLSCompliant bool   `json:"tls_compliant"` // the server must close TLS properly
}

// A URL is a page that must be right.
type URL struct {
	Origin
	Path         string
	Digests      []string      `json:"digest"`      // MD5 of the page, 32 lower case hexadecimal digits; any of them is right
	Status       []StatusRange `json:"status_code"` // any of them is right
	VirtualHost  string        `json:"virtualhost"` // the Host header; empty: the target
	Regex        Regex         `json:",omitzero"`   // without a pattern: none
	TLSCompliant bool          `json:"tls_compliant"`
}

// A StatusRange is codes of HTTP, both ends included.
type StatusRange struct{ First, Last int }

// MarshalText writes the range as a file does.
func (s StatusRange) MarshalText() ([]byte, error) {
	text := strconv.AppendInt(nil, int64(s.First), 10)
	if s.Last != s.First {
		text = strconv.AppendInt(append(text, '-'), int64(s.Last), 10)
	}
	return text, nil
}

// Sizes are those of something that grows.
type Sizes struct{ Start, Max int }

// A Regex is a regular expression (PCRE2) that a page must match, or must not.
type Regex struct {
	Pattern   string
	NoMatch   bool
	Options   []string // those of PCRE2 in lower case, as caseless
	MinOffset int      // in bytes; the search begins there
	EndOffset int      // a match must begin before it; 0: anywhere
	Stack     Sizes    // of the JIT in bytes; zero: its own
}

// SMTP is a greeting of a mail server.
type SMTP struct {
	Helo  string   `json:"helo_name"`
	Hosts []*Check `json:"host"` // old style: each is a check of its own, and the block around them none
}

// DNS is a question to a name server.
type DNS struct {
	Type string // as SOA
	Name string
}

// A Datagram is what UDP_CHECK sends, and the answer that must come.
type Datagram struct {
	Payload   Octets
	Reply     *Reply `json:"require_reply"`    // nil: none is needed
	MinLength int    `json:"min_reply_length"` // of the answer, in bytes
	MaxLength int    `json:"max_reply_length"`
}

// A Reply is how an answer must begin: the bits of the mask as in the value. Empty: in any way.
type Reply struct{ Value, Mask Octets }

// Octets are bytes that are written in hexadecimal.
type Octets []byte

// MarshalText writes the bytes as a file does.
func (o Octets) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, o), nil }

// Misc is a program; its exit status 0 is good.
type Misc struct {
	Command Command       `json:"misc_path"`
	User    User          `json:"-"`            // of the command
	Timeout time.Duration `json:"misc_timeout"` // a run that takes longer is a failure
	Dynamic bool          `json:"misc_dynamic"` // exit status 2 to 255 sets the weight of the server to 0 to 253
}

// File takes the weight of the server from a file.
type File struct {
	TrackFile Name
	Weight    *Weight `json:",inline"` // the number in the file is multiplied by it; nil: that of the track_file
}
