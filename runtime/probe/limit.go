package probe

import "syscall"

// Limit returns how many probes may run at once: at most wanted, and at most half of the descriptors that this process
// may have, so that the other half is left for wires, scripts, the log and the status. Go raises the soft limit to the
// hard one at the start.
func Limit(wanted int) int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return wanted
	}
	return max(1, int(min(uint64(wanted), l.Cur/2)))
}
