package grammar

import (
	"strconv"
	"strings"
)

// Older reports whether one version of keepalived comes before another, such as "2.2.7" before "2.4"; parts that are
// not numbers count as 0.
func Older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range b {
		var m, n int
		if i < len(a) {
			m, _ = strconv.Atoi(a[i])
		}
		n, _ = strconv.Atoi(b[i])
		if m != n {
			return m < n
		}
	}
	return false
}
