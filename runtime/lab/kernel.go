package lab

import (
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// machineEnv is set inside a virtual machine, to what emulates it, such as "qemu/tcg".
const machineEnv = "KEEPC_MACHINE"

// Kernel returns which kernel the test runs on: "6.18.44 native", or "6.1.0-56-cloud-amd64 in qemu/tcg".
func Kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	release := unix.ByteSliceToString(u.Release[:])
	if machine := os.Getenv(machineEnv); machine != "" {
		return release + " in " + machine
	}
	return release + " native"
}

// Patience returns how long to wait for what takes at most d on an idle machine. It is the slack of the whole project,
// so here are its reasons: packages are tested in parallel, hence the factor of three; and an emulated processor,
// whose clock runs at normal speed, takes about 25 times as long (tshark starts in 0.2 s here and in 5 s there), part
// of which most waits hide behind timers that run at full speed. Never add Patience to a bound that a protocol
// promises; compare time stamps for that.
func Patience(d time.Duration) time.Duration {
	if os.Getenv(machineEnv) == "qemu/tcg" {
		return 10 * d
	}
	return 3 * d
}

// Eventually waits until ok returns true, and ends the test if that takes longer than limit, extended by Patience.
func Eventually(t T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience(limit)); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("lab: waited %v for %s", Patience(limit), what)
		}
	}
}

// Missing ends a test because something outside it is missing. With CI=true the test fails, because a green result
// must not hide a comparison that was never made; otherwise it is skipped.
func Missing(t T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing where CI=true: "+format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}

// NeedPrograms is for tests that compare with other programs.
func NeedPrograms(t T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			Missing(t, "%s is not installed; `make deps` installs it", name)
		}
	}
}

// hasIPVS reports whether this kernel does IPVS, once its module is loaded.
func hasIPVS() bool {
	_ = exec.Command("modprobe", "ip_vs").Run() // the next line checks the result
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}
