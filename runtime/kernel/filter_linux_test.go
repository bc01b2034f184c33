package kernel

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// TestFilter runs the programs as the kernel does.
func TestFilter(t *testing.T) {
	all := make([]uint8, 255)
	for i := range all {
		all[i] = uint8(i + 1)
	}
	ip := func(options int, payload ...byte) []byte {
		p := append([]byte{byte(4<<4 | 5 + options)}, make([]byte, 19+4*options)...)
		return append(p, payload...)
	}
	advert := func(vrid byte) []byte { return []byte{0x31, vrid, 100, 1, 0, 5, 0, 0} }
	for _, c := range []struct {
		name   string
		start  []bpf.Instruction
		vrids  []uint8
		packet []byte
		keep   bool
	}{
		{"ours", payload4(), []uint8{51}, ip(0, advert(51)...), true},
		{"a foreign one", payload4(), []uint8{51}, ip(0, advert(52)...), false},
		{"one of many", payload4(), []uint8{1, 7, 51}, ip(0, advert(7)...), true},
		{"behind IP options", payload4(), []uint8{51}, ip(10, advert(51)...), true},
		{"a foreign one behind IP options", payload4(), []uint8{51}, ip(10, advert(52)...), false},
		{"too short for a VRID", payload4(), []uint8{51}, ip(0, 0x31), false},
		{"nothing but a header", payload4(), []uint8{51}, ip(0), false},
		{"no virtual router", payload4(), nil, ip(0, advert(0)...), false},
		{"the first of all", payload4(), all, ip(0, advert(1)...), true},
		{"the last of all", payload4(), all, ip(0, advert(255)...), true},
		{"VRID 0 among all", payload4(), all, ip(0, advert(0)...), false},
		{"AH, ours", payload4(), []uint8{51}, ip(0, append(make([]byte, ahLen), advert(51)...)...), true},
		{"AH, a foreign one", payload4(), []uint8{51}, ip(1, append(make([]byte, ahLen), advert(52)...)...), false},
		{"AH, too short", payload4(), []uint8{51}, ip(0, make([]byte, ahLen)...), false},
		{"IPv6, ours", payload6(), []uint8{51}, advert(51), true},
		{"IPv6, a foreign one", payload6(), []uint8{51}, advert(52), false},
		{"IPv6, too short", payload6(), []uint8{51}, []byte{0x31}, false},
		{"IPv6, empty", payload6(), []uint8{51}, nil, false},
	} {
		behind := 0
		if strings.HasPrefix(c.name, "AH") {
			behind = ahLen
		}
		vm, err := bpf.NewVM(vridFilter(c.start, behind, c.vrids))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		n, err := vm.Run(slices.Clone(c.packet))
		if err != nil || (n > 0) != c.keep || n > 0 && n < len(c.packet) {
			t.Errorf("%s: keeps %d of %d bytes, %v", c.name, n, len(c.packet), err)
		}
	}
}
