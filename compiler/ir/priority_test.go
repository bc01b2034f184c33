package ir

import "testing"

func TestEffectivePriority(t *testing.T) {
	for _, c := range []struct {
		priority uint8
		sum      int
		want     uint8
	}{
		{100, 0, 100},
		{100, 20, 120},
		{100, -20, 80},
		{100, -100, 1},
		{1, -1000, 1},
		{250, 5, 254},
		{254, 1 << 20, 254},
		{255, -254, 255},
		{0, 0, 1},
	} {
		if got := EffectivePriority(c.priority, c.sum); got != c.want {
			t.Errorf("%d with %+d: %d, want %d", c.priority, c.sum, got, c.want)
		}
	}
}
