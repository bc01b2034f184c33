package vrrp

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/lab"
)

// draftKey is that of the appendix of draft-cassen-vrrp-auth-hmac-00: the bytes 0 to 31.
func draftKey() ir.HMACKey {
	return ir.HMACKey{ID: 1, Key: ir.NewSecret("hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")}
}

// draftVectors are the images of that appendix: an advertisement of virtual router 51, and its trailer.
var draftVectors = []struct {
	name, src, dst, advert, image string
}{
	{"IPv4", "198.51.100.10", "224.0.0.18", "3133c80100644402c0000264",
		"3133c80100644402c0000264" + "010100006800000080000000" + "1b84bc4e8e43892dc6d98448f8ee2265"},
	{"IPv6", "fe80::10", "fe80::20", "3133c80100640000fe800000000000000000000000000100",
		"3133c8010064a2e9" + "fe800000000000000000000000000100" + "010100006800000080000000" + "c8c56146ebfd66ee10ec4d8186461b78"},
}

// TestDraftVectors makes the images of the draft byte for byte. No peer that has auth_hmac was at hand; these come from its authors.
func TestDraftVectors(t *testing.T) {
	for _, c := range draftVectors {
		got := trailed(unhex(c.advert), netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst), draftKey(), 0x6800000080000000)
		if want := unhex(c.image); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, got, want)
		}
	}
}

// sealing is an instance that signs; mode and antiReplay may be empty.
func sealing(address string, priority uint8, mode, antiReplay string) *ir.VRRPInstance {
	return &ir.VRRPInstance{
		Version: 3, VRID: 51, Priority: priority, AdvertInterval: time.Second, DownTimerAdverts: 3,
		MulticastGroup: ir.MulticastGroup(netip.MustParsePrefix(address).Addr().Is6()),
		Addresses:      []ir.Address{{Prefix: netip.MustParsePrefix(address)}},
		AuthHMAC:       &ir.AuthHMAC{Keys: []ir.HMACKey{draftKey()}, Mode: mode, AntiReplay: antiReplay},
	}
}

// speaks runs a machine until it is MASTER and n advertisements have left.
func speaks(t *testing.T, cfg *ir.VRRPInstance, source string, begun time.Time, n int) (sent []Received, m *Machine) {
	t.Helper()
	m = New(cfg)
	m.Step(begun, Ready{Source: netip.MustParseAddr(source)})
	for now := begun; len(sent) < n; {
		at, ok := m.Deadline()
		if !ok {
			t.Fatal("no deadline")
		}
		now = at
		ahead, due := m.Next(0)
		for _, e := range m.Step(now, Tick{}) {
			s, ok := e.(*Send)
			if !ok {
				continue
			}
			if ahead != nil && due.Equal(now) && !bytes.Equal(ahead[0].Payload, s.Payload) {
				t.Errorf("what was made ready is %x, what leaves %x", ahead[0].Payload, s.Payload)
			}
			sent = append(sent, Received{Src: s.Src, Dst: s.Dst, TTL: int(s.TTL), Payload: s.Payload})
		}
	}
	return sent, m
}

// TestTrailers: what a machine sends, another one takes, once and within the window; what was changed on its way is dropped, and so is what has no
// signature, unless the mode lets it.
func TestTrailers(t *testing.T) {
	begun := time.Date(2026, 6, 26, 12, 0, 0, 0, time.UTC)
	for _, family := range []struct{ address, a, b string }{{"192.0.2.10/24", "192.0.2.1", "192.0.2.2"}, {"fe80::100/64", "fe80::1", "fe80::2"}} {
		sent, _ := speaks(t, sealing(family.address, 200, "", ""), family.a, begun, 5)
		at := begun.Add(4 * time.Second)
		size := len(sent[0].Payload) - trailerLen
		for _, c := range []struct {
			name       string
			change     func(*Received)
			mode, anti string
			at         time.Time
			want       error // nil: taken
		}{
			{name: "as it was sent"},
			{name: "changed priority", change: func(r *Received) { r.Payload[2]--; resum(r, size) }, want: ErrSignature},
			{name: "changed address", change: func(r *Received) { r.Payload[headerLen+1] ^= 1; resum(r, size) }, want: ErrSignature},
			{name: "changed stamp", change: func(r *Received) { r.Payload[size+9] ^= 1; resum(r, size) }, want: ErrSignature},
			{name: "changed signature", change: func(r *Received) { r.Payload[size+20] ^= 1; resum(r, size) }, want: ErrSignature},
			{name: "reserved bytes", change: func(r *Received) { r.Payload[size+2] ^= 1; resum(r, size) }, want: ErrSignature},
			{name: "unknown type", change: func(r *Received) { r.Payload[size] = 2; resum(r, size) }, want: ErrSignature},
			{name: "unknown key", change: func(r *Received) { r.Payload[size+1] = 9; resum(r, size) }, want: ErrKey},
			{name: "another sender", change: func(r *Received) { r.Src = netip.MustParseAddr(family.b).Next(); resum(r, size) }, want: ErrSignature},
			{name: "too late", at: at.Add(time.Minute), want: ErrClock},
			{name: "too early", at: at.Add(-time.Minute), want: ErrClock},
			{name: "too late, and no clock is asked", anti: ir.HMACMonotonic, at: at.Add(time.Minute)},
			{name: "no signature", change: func(r *Received) { r.Payload = r.Payload[:size]; resum(r, size) }, want: ErrUnsigned},
			{name: "no signature, permissive", mode: ir.HMACPermissive, change: func(r *Received) { r.Payload = r.Payload[:size]; resum(r, size) }},
			{name: "no signature, receive-only", mode: ir.HMACReceiveOnly, change: func(r *Received) { r.Payload = r.Payload[:size]; resum(r, size) }},
			{name: "wrong signature, permissive", mode: ir.HMACPermissive, change: func(r *Received) { r.Payload[size+20] ^= 1; resum(r, size) }, want: ErrSignature},
		} {
			m := New(sealing(family.address, 100, c.mode, c.anti))
			m.Step(begun, Ready{Source: netip.MustParseAddr(family.b)})
			r := sent[0]
			r.Payload = bytes.Clone(r.Payload)
			if c.change != nil {
				c.change(&r)
			}
			m.clock = at
			if !c.at.IsZero() {
				m.clock = c.at
			}
			_, wrong := m.accept(r)
			if c.want == nil && wrong.Defect != 0 || c.want != nil && !errors.Is(wrong, c.want) {
				t.Errorf("%s, %s: %v, want %v", family.a, c.name, wrong, c.want)
			}
		}

		m := New(sealing(family.address, 100, "", ""))
		m.Step(begun, Ready{Source: netip.MustParseAddr(family.b)})
		m.clock = at
		for i, want := range []Defect{0, ErrStale, 0, ErrStale} {
			_, wrong := m.accept(sent[[]int{0, 0, 2, 1}[i]])
			if wrong.Defect != want {
				t.Errorf("%s, %d: %v, want %v", family.a, i, wrong.Defect, want)
			}
		}
	}
}

// TestKeys: the key that active_key names signs, or the first one; each of them is taken. A time_window says how far clocks may differ.
func TestKeys(t *testing.T) {
	begun := time.Date(2026, 6, 26, 12, 0, 0, 0, time.UTC)
	cfg := sealing("192.0.2.10/24", 200, "", "")
	cfg.AuthHMAC.Keys = append(cfg.AuthHMAC.Keys, ir.HMACKey{ID: 7, Key: ir.NewSecret("k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9")})
	for _, c := range []struct{ active, want uint8 }{{0, 1}, {7, 7}} {
		cfg.AuthHMAC.ActiveKey = c.active
		sent, _ := speaks(t, cfg, "192.0.2.1", begun, 1)
		if got := sent[0].Payload[headerLen+4+1]; got != c.want {
			t.Errorf("active_key %d: key %d signs", c.active, got)
		}
		for window, want := range map[time.Duration]Defect{0: 0, 2 * time.Second: ErrClock} {
			other := sealing("192.0.2.10/24", 100, "", "")
			other.AuthHMAC.Keys, other.AuthHMAC.TimeWindow = cfg.AuthHMAC.Keys, window
			m := New(other)
			m.Step(begun, Ready{Source: netip.MustParseAddr("192.0.2.2")})
			m.clock = begun.Add(7 * time.Second) // the advertisement left after 3.2 s
			if _, wrong := m.accept(sent[0]); wrong.Defect != want {
				t.Errorf("time_window %v: %v, want %v", window, wrong.Defect, want)
			}
		}
	}
}

// resum puts the checksum right, so that the signature alone tells.
func resum(r *Received, size int) {
	r.Payload[6], r.Payload[7] = 0, 0
	covered := r.Payload
	if r.Src.Is4() {
		covered = r.Payload[:size]
	}
	sum := checksum(covered, 3, r.Src, r.Dst)
	r.Payload[6], r.Payload[7] = byte(sum>>8), byte(sum)
}

// TestStampsGrow: the stamp of an advertisement is after that of the one before, whatever the clock does; a clock that was put back further than
// peers accept is followed, unless they compare no clocks. receive-only signs nothing.
func TestStampsGrow(t *testing.T) {
	begun := time.Date(2026, 6, 26, 12, 0, 0, 0, time.UTC)
	at := stampOf(begun)
	for _, c := range []struct {
		anti string
		last stamp
		want stamp
	}{
		{"", at - 1, at},
		{"", at, at + 1},
		{"", at + 3<<32, at + 3<<32 + 1},
		{"", at + 3600<<32, at},
		{ir.HMACMonotonic, at + 3600<<32, at + 3600<<32 + 1},
	} {
		m := New(sealing("192.0.2.10/24", 200, "", c.anti))
		m.clock = begun
		if got := m.nextStamp(begun, c.last); got != c.want {
			t.Errorf("%q after %x: %x, want %x", c.anti, uint64(c.last), uint64(got), uint64(c.want))
		}
	}
	sent, m := speaks(t, sealing("192.0.2.10/24", 200, "", ""), "192.0.2.1", begun, 4)
	var last []byte
	for _, r := range sent {
		now := r.Payload[len(r.Payload)-trailerLen+4:][:8]
		if bytes.Compare(now, last) <= 0 {
			t.Errorf("%x after %x", now, last)
		}
		last = now
	}
	// Three that were prepared, and one out of turn before them: it is stamped now, and they are made again.
	for n := range 3 {
		m.Next(n)
	}
	due, _ := m.Deadline()
	early := due.Add(-700 * time.Millisecond)
	for _, e := range m.Step(early, Speak{}) {
		if s, ok := e.(*Send); ok && !bytes.Equal(s.Payload[12+4:12+12], unstamp(stampOf(early))) {
			t.Errorf("out of turn: %x, want the stamp %x", s.Payload, unstamp(stampOf(early)))
		}
	}
	sent, _ = speaks(t, sealing("192.0.2.10/24", 200, ir.HMACReceiveOnly, ""), "192.0.2.1", begun, 1)
	if len(sent[0].Payload) != headerLen+4 {
		t.Errorf("receive-only sends %x", sent[0].Payload)
	}
}

func unstamp(s stamp) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(s >> (56 - 8*i))
	}
	return b
}

// TestClockSet sets the wall clock of a MASTER, and that of its peer or not, while advertisements that were made ahead
// leave on time: the peer hears it in every interval, and stays BACKUP.
func TestClockSet(t *testing.T) {
	for _, c := range []struct {
		by   time.Duration
		peer time.Duration
		anti string
	}{
		{by: time.Hour, peer: time.Hour}, {by: -time.Hour, peer: -time.Hour}, {by: 6 * time.Second, peer: 6 * time.Second},
		{by: 3 * time.Second}, {by: -3 * time.Second}, {by: -4 * time.Second, peer: -4 * time.Second}, {by: -400 * time.Millisecond},
		{by: time.Hour, anti: ir.HMACMonotonic}, {by: -time.Hour, anti: ir.HMACMonotonic},
	} {
		begun := time.Now()
		m, peer := New(sealing("192.0.2.10/24", 200, "", c.anti)), New(sealing("192.0.2.10/24", 100, "", c.anti))
		m.Step(begun, Ready{Source: netip.MustParseAddr("192.0.2.1")})
		peer.Step(begun, Ready{Source: netip.MustParseAddr("192.0.2.2")})
		var ours, theirs time.Duration // by how much the clocks were set
		hear := func(at time.Time, s *Send) {
			peer.Step(lab.Set(at, theirs), Received{Src: s.Src, Dst: s.Dst, TTL: int(s.TTL), Payload: s.Payload})
		}
		for round := range 12 {
			due, _ := m.Deadline()
			due = begun.Add(due.Sub(begun)) // by the clock that was not set
			ahead, at := m.Next(0)
			m.Next(1)
			if ahead != nil && !at.Equal(due) {
				t.Fatalf("%+v: round %d: the next advertisement is not due", c, round)
			}
			if round == 4 {
				ours, theirs = c.by, c.peer
			}
			for _, s := range ahead {
				hear(due, s)
			}
			for _, e := range m.Step(lab.Set(due, ours), Tick{}) {
				if s, ok := e.(*Send); ok && (ahead == nil || !bytes.Equal(s.Payload, ahead[0].Payload)) {
					hear(due, s)
				}
			}
			peer.Step(lab.Set(due, theirs), Tick{})
			if peer.Role() != Backup {
				t.Errorf("%+v: round %d: the peer is %v", c, round, peer.Role())
				break
			}
		}
		if s := peer.Statistics(); s.AdvertisementRcvd < 12 {
			t.Errorf("%+v: heard in %d of 12 rounds: %+v", c, s.AdvertisementRcvd, s)
		}
	}
}

// FuzzTrailer checks that no payload that is not signed with the key has any effect, or makes the machine panic.
func FuzzTrailer(f *testing.F) {
	for _, c := range draftVectors {
		f.Add(unhex(c.image), c.src)
	}
	f.Fuzz(func(t *testing.T, payload []byte, from string) {
		src, err := netip.ParseAddr(from)
		if err != nil || src.Zone() != "" || src.Is4In6() {
			return
		}
		address := "192.0.2.10/24"
		if src.Is6() {
			address = "fe80::100/64"
		}
		cfg := sealing(address, 100, "", ir.HMACMonotonic)
		cfg.AuthHMAC.Keys = []ir.HMACKey{{ID: 1, Key: ir.NewSecret("a key that nobody else has: 9f2b0c")}}
		m := New(cfg)
		begun := time.Unix(1, 0)
		m.Step(begun, Ready{Source: netip.MustParsePrefix(address).Addr()})
		m.Step(begun, Received{Src: src, Dst: ir.MulticastGroup(src.Is6()), TTL: 255, Payload: payload})
		if s := m.Statistics(); s.AdvertisementRcvd != 0 {
			t.Errorf("%x is accepted", payload)
		}
	})
}
