package kernel

// A Schedule is how the kernel schedules a thread.
type Schedule struct {
	Nice     int   // -20 to 19, for a thread without real-time priority
	Realtime int   // 1 to 99: before all ordinary threads, taking turns with others of the same priority (SCHED_RR); 0: an ordinary thread
	CPUs     []int // that may run it; empty: those of the process
}
