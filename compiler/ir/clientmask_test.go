package ir_test

import (
	"math"
	"net/netip"
	"testing"

	"keepc/compiler/ir"
)

// TestClientMask: a netmask that is as small as a prefix length is not taken for one.
func TestClientMask(t *testing.T) {
	netmask := func(text string) ir.ClientMask { return ir.MaskFrom(netip.MustParseAddr(text)) }
	for _, c := range []struct {
		m     ir.ClientMask
		text  string
		n     int
		leads bool
		alone bool
	}{
		{netmask("255.255.255.0"), "255.255.255.0", 24, true, false},
		{netmask("0.0.0.128"), "0.0.0.128", 0, false, false},
		{netmask("0.0.0.24"), "0.0.0.24", 0, false, false},
		{netmask("0.0.0.1"), "0.0.0.1", 0, false, false},
		{netmask("255.0.255.0"), "255.0.255.0", 8, false, false},
		{netmask("255.255.255.255"), "255.255.255.255", 32, true, true},
		{ir.MaskOf(24, true), "24", 24, true, false},
		{ir.MaskOf(32, true), "32", 32, true, false},
		{ir.MaskOf(128, true), "128", 128, true, true},
		{ir.MaskOf(math.MaxInt, true), "128", 128, true, true},
		{ir.MaskOf(24, false), "255.255.255.0", 24, true, false},
		{ir.MaskOf(128, false), "255.255.255.255", 32, true, true},
		{ir.MaskOf(math.MinInt, false), "0.0.0.0", 0, true, true},
		{ir.MaskOf(-1, true), "0.0.0.0", 0, true, true},
	} {
		n, leads := c.m.Length()
		if text := c.m.String(); text != c.text || leads != c.leads || leads && n != c.n || c.m.Alone() != c.alone {
			t.Errorf("%s: %s, length %d, %v; alone: %v", c.text, text, n, leads, c.m.Alone())
		}
	}
}
