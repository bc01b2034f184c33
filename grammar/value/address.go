// Package value has the grammars of values that are small languages of their own.
package value

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// An Address is what people write in place of an address, which is more than any keyword accepts: 10.0.0.1:80,
// [2001:db8::1]/64, 10.0.0.1-9, fe80::1%eth0, <10.0.0.1>. The texts are as written; what is absent is empty.
type Address struct {
	Before  string `parser:"@Mark?"`
	Open    string `parser:"@'['?"`
	Host    string `parser:"@(IPv4 | IPv6)"`
	Zone    string `parser:"('%' @Zone)?"`
	Closing string `parser:"@']'?"`
	Port    string `parser:"@Port?"` // with the colon
	Sign    string `parser:"(@Sign"`
	Rest    string `parser:" @Rest?)?"` // after the sign
	After   string `parser:"@Mark?"`

	Addr netip.Addr // that of Host; zero: Host is not an address, such as 10.0.0.300
}

// addresses is participle's parser, which takes a while to build. A word has few tokens, whatever its length.
var addresses = sync.OnceValue(func() *participle.Parser[Address] {
	mark := lexer.Rule{Name: "Mark", Pattern: `['",;<>()*]+`}
	return participle.MustBuild[Address](participle.Lexer(lexer.MustStateful(lexer.Rules{
		"Root": {
			{Name: "IPv4", Pattern: `\d+(\.\d+){3}`},
			{Name: "Port", Pattern: `:\d+`},
			{Name: "IPv6", Pattern: `[0-9A-Fa-f]*:[0-9A-Fa-f:.]*`},
			{Name: "Bracket", Pattern: `[][]`},
			{Name: "Percent", Pattern: `%`, Action: lexer.Push("Zone")},
			{Name: "Sign", Pattern: `[/-]`, Action: lexer.Push("Rest")},
			mark,
		},
		"Zone": {{Name: "Zone", Pattern: `[^][/%'",;<>()*]+`, Action: lexer.Pop()}},
		"Rest": {{Name: "Rest", Pattern: `[^'",;<>()*]+`}, mark},
	})))
})

// longest is longer than any address with everything that is written around it, in bytes.
const longest = 64

// ReadAddress reads a word; it returns the zero Address if the word has no address.
func ReadAddress(word string) Address {
	if len(word) > longest {
		return Address{}
	}
	a, err := addresses().ParseString("", word)
	if err != nil {
		return Address{}
	}
	a.Addr, _ = netip.ParseAddr(a.Host) // zero on error
	return *a
}

// Endpoint returns an address and the port joined to it: by a colon, or by a slash before a number that is too large
// for a prefix length.
func (a Address) Endpoint() (netip.AddrPort, bool) {
	digits, brackets := strings.TrimPrefix(a.Port, ":"), a.Open+a.Closing
	good := a.Sign == "" && a.Addr.Is6() == (brackets == "[]")
	if a.Sign == "/" {
		digits, good = a.Rest, brackets+a.Port == ""
	}
	port, err := strconv.ParseUint(digits, 10, 16)
	good = good && err == nil && a.Addr.IsValid() && a.Before+a.Zone+a.After == "" && (a.Sign == "" || int(port) > a.Addr.BitLen())
	return netip.AddrPortFrom(a.Addr, uint16(port)), good
}
