package grammar

import "hash/fnv"

// randomNumbers are those of ${_RANDOM}: the numbers of random(3) of glibc after srandom(seed), as with keepalived. Each
// is the sum of the numbers 3 and 31 before it.
type randomNumbers struct {
	last [31]uint32
	next int // its place in last, ever growing
}

// seedOf is the seed of a director that names none. Directors with the same file draw different numbers, and each draws
// the same ones whenever it reads the file.
func seedOf(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id)) // never fails
	return h.Sum32()
}

func newRandomNumbers(seed uint32) *randomNumbers {
	const modulus, skipped = 1<<31 - 1, 310
	r := &randomNumbers{last: [31]uint32{max(seed, 1)}, next: 3}
	for i, x := 1, int64(int32(r.last[0])); i < len(r.last); i++ {
		if x = 16807 * x % modulus; x < 0 {
			x += modulus
		}
		r.last[i] = uint32(x)
	}
	for range skipped {
		r.draw()
	}
	return r
}

// draw returns a number of 31 bits.
func (r *randomNumbers) draw() uint32 {
	at := &r.last[r.next%len(r.last)]
	*at += r.last[(r.next-3)%len(r.last)]
	r.next++
	return *at >> 1
}
