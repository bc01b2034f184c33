package value

import (
	"net/netip"
	"strings"
	"testing"
)

// TestAddress reads what files have in place of an address.
func TestAddress(t *testing.T) {
	for _, c := range []struct {
		word string
		want Address
	}{
		{"10.0.0.1", Address{Host: "10.0.0.1"}},
		{"2001:db8::1", Address{Host: "2001:db8::1"}},
		{"::ffff:10.0.0.1", Address{Host: "::ffff:10.0.0.1"}},
		{"10.0.0.1:80", Address{Host: "10.0.0.1", Port: ":80"}},
		{"[2001:db8::1]:80", Address{Open: "[", Host: "2001:db8::1", Closing: "]", Port: ":80"}},
		{"10.0.0.1:80/24", Address{Host: "10.0.0.1", Port: ":80", Sign: "/", Rest: "24"}},
		{"10.0.0.1/24", Address{Host: "10.0.0.1", Sign: "/", Rest: "24"}},
		{"10.0.0.1/", Address{Host: "10.0.0.1", Sign: "/"}},
		{"10.0.0.1/255.255.255.0", Address{Host: "10.0.0.1", Sign: "/", Rest: "255.255.255.0"}},
		{"10.0.0.1-9", Address{Host: "10.0.0.1", Sign: "-", Rest: "9"}},
		{"10.0.0.1-10.0.0.9,", Address{Host: "10.0.0.1", Sign: "-", Rest: "10.0.0.9", After: ","}},
		{"fe80::1%eth0.7/64", Address{Host: "fe80::1", Zone: "eth0.7", Sign: "/", Rest: "64"}},
		{"fe80::1%be:ef/64", Address{Host: "fe80::1", Zone: "be:ef", Sign: "/", Rest: "64"}},
		{"fe80::1%br-lan/64", Address{Host: "fe80::1", Zone: "br-lan", Sign: "/", Rest: "64"}},
		{"[fe80::1]/64", Address{Open: "[", Host: "fe80::1", Closing: "]", Sign: "/", Rest: "64"}},
		{"<10.0.0.1>;", Address{Before: "<", Host: "10.0.0.1", After: ">;"}},
	} {
		c.want.Addr = netip.MustParseAddr(c.want.Host)
		if got := ReadAddress(c.word); got != c.want {
			t.Errorf("%s: %+v", c.word, got)
		}
	}
	for _, word := range []string{"", "web1.example.org", "10.0.0", "10.0.0.1x", "a10.0.0.1", "/24", "10.0.0.1 80", "eth0:1", "10.0.0.1]x", "10.0.0.1-" + strings.Repeat("9-", 400)} {
		if got := ReadAddress(word); got != (Address{}) {
			t.Errorf("%q: %+v", word, got)
		}
	}
}

// TestEndpoint checks which words are an address with its port, and which are not.
func TestEndpoint(t *testing.T) {
	for word, want := range map[string]string{
		"10.0.0.1:80": "10.0.0.1:80", "[2001:db8::1]:80": "[2001:db8::1]:80", "10.0.0.1/80": "10.0.0.1:80", "2001:db8::1/443": "[2001:db8::1]:443",
		"10.0.0.1": "", "10.0.0.1/24": "", "2001:db8::1/128": "", "10.0.0.1:99999": "", "[10.0.0.1]:80": "", "10.0.0.300:80": "", "10.0.0.1-80": "", "10.0.0.1:80/443": "", "10.0.0.1:80-90": "", "10.0.0.1:80;": "",
	} {
		got, ok := ReadAddress(word).Endpoint()
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: %v, %v; want %q", word, got, ok, want)
		}
	}
}

func BenchmarkAddress(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ReadAddress("10.0.0.1-10.0.0.9")
	}
}
