package grammar

import (
	"fmt"
	"testing"
	"testing/fstest"

	"keepc/grammar/source"
)

// TestRandomNumbers compares the numbers with those of random(3) of glibc 2.36; TestRandom of cmd/keepc compares them
// with keepalived's.
func TestRandomNumbers(t *testing.T) {
	for seed, want := range map[uint32][3]uint32{
		0: {1804289383, 846930886, 1681692777}, // as 1
		1: {1804289383, 846930886, 1681692777},
		5: {590011675, 99788765, 2131925610},
	} {
		r := newRandomNumbers(seed)
		if got := [3]uint32{r.draw(), r.draw(), r.draw()}; got != want {
			t.Errorf("seed %d: got %d, want %d", seed, got, want)
		}
	}
}

// TestRandomSeed checks that a seed decides, and that each director has its own without one.
func TestRandomSeed(t *testing.T) {
	drawn := func(id string, seed *uint32) string {
		file, _ := LoadText(source.New("x.conf", []byte("a ${_RANDOM} ${_RANDOM}\n")), Options{ID: id, Seed: seed, Files: Files{Root: fstest.MapFS{}}})
		if !file.Random {
			t.Error("the file does not tell that it has random numbers")
		}
		return fmt.Sprint(file.Stmts[0].Words)
	}
	five := uint32(5)
	if a, again, b := drawn("lb1", nil), drawn("lb1", nil), drawn("lb2", nil); a != again || a == b {
		t.Errorf("lb1 reads %s, then %s, and lb2 %s", a, again, b)
	}
	if a, b := drawn("lb1", &five), drawn("lb2", &five); a != b || a == drawn("lb1", nil) {
		t.Errorf("with a seed lb1 reads %s, and lb2 %s", a, b)
	}
}
