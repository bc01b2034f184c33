package value

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestWords reads words that are small languages.
func TestWords(t *testing.T) {
	ranges := func(s string) string {
		r, ok := ReadRange(s)
		if r.Last == nil {
			return fmt.Sprint(r.First, ok)
		}
		return fmt.Sprint(r.First, *r.Last, ok)
	}
	marks := func(s string) string {
		m, ok := ReadMark(s)
		if m.Mask == nil {
			return fmt.Sprint(m.Value, ok)
		}
		return fmt.Sprint(m.Value, *m.Mask, ok)
	}
	realms := func(s string) string {
		r, ok := ReadRealms(s)
		return fmt.Sprintf("%q %q %v", r.First, r.Second, ok)
	}
	times := func(s string) string {
		d, ok := ReadTime(s)
		return fmt.Sprint(d.Number, d.Milli, ok)
	}
	for _, c := range []struct {
		word string
		read func(string) string
		want string
	}{
		{"100-200", ranges, "100 200 true"},
		{"80", ranges, "80 true"},
		{"010-020", ranges, "10 20 true"},
		{"0-4294967295", ranges, "0 4294967295 true"},
		{"0-4294967296", ranges, "0 false"},
		{"100-", ranges, "0 false"},
		{"1-2-3", ranges, "0 false"},
		{"", ranges, "0 false"},
		{"1-" + strings.Repeat("9", 100), ranges, "0 false"},
		{"16", marks, "16 true"},
		{"0x10/0xff", marks, "16 255 true"},
		{"010", marks, "8 true"},
		{"1/", marks, "0 false"},
		{"/1", marks, "0 false"},
		{"0x100000000", marks, "0 false"},
		{"-1", marks, "0 false"},
		{"3", realms, `"3" "" true`},
		{"3/7", realms, `"3" "7" true`},
		{"uplink/lan", realms, `"uplink" "lan" true`},
		{"3/", realms, `"" "" false`},
		{"/7", realms, `"" "" false`},
		{"3/7/9", realms, `"" "" false`},
		{"50ms", times, "50 true true"},
		{"1.5s", times, "1.5 false true"},
		{"2SECS", times, "2 false true"},
		{"3msec", times, "3 true true"},
		{"50", times, "0 false false"},
		{"ms", times, "0 false false"},
		{"1.2.3s", times, "0 false false"},
		{"50msx", times, "0 false false"},
		{"50MSecs", times, "50 true true"},
		{"5ſ", times, "0 false false"},
		{"5mſ", times, "0 false false"},
	} {
		if got := c.read(c.word); got != c.want {
			t.Errorf("%s: %s, want %s", c.word, got, c.want)
		}
	}
}

// TestTunnel reads the words after encap; a wrong or missing word has a number.
func TestTunnel(t *testing.T) {
	for line, want := range map[string]string{
		"ip id 5 dst 10.0.0.1 dev eth0": "{ip [{id 5} {dst 10.0.0.1}]  } 5 true",
		"ip6 hoplimit 64":               "{ip6 [{hoplimit 64}]  } 3 true",
		"ip":                            "{ip []  } 1 true",
		"ip id id":                      "{ip [{id id}]  } 3 true",
		"ip id":                         "{ip [{id }]  } 2 false",
		"mpls 100/200 via 10.0.0.1":     "{ [] mpls 100/200} 2 true",
		"mpls":                          "{ [] mpls } 1 false",
		"gre id 5":                      "{ []  } 0 false",
		"":                              "{ []  } 0 false",
		"ip id 1 id 2 id 3 id 4":        "{ip [{id 1} {id 2} {id 3} {id 4}]  } 9 true",
		"ip id 1 id 2 id 3 id":          "{ip [{id 1} {id 2} {id 3} {id }]  } 8 false",
		"ip id 1 id 2 id 3 dev eth0":    "{ip [{id 1} {id 2} {id 3}]  } 7 true",
	} {
		tunnel, n, ok := ReadTunnel(slices.Values(strings.Fields(line)))
		if got := fmt.Sprint(tunnel, " ", n, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

func BenchmarkWord(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		ReadRange("100-200")
	}
}

func BenchmarkLine(b *testing.B) {
	words := strings.Fields("ip encap ip encap ip encap ip encap")
	b.ReportAllocs()
	for b.Loop() {
		ReadTunnel(slices.Values(words))
	}
}
