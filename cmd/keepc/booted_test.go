package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"keepc/runtime/lab"
)

// A booted host is one whose first process is Debian's systemd, on a copy of this machine's files.
type booted struct {
	*lab.Host
	t    *testing.T
	root string
	pid  int // of systemd, as this machine sees it
}

// newBooted makes the files of one; nothing runs yet.
func newBooted(t *testing.T) *booted {
	t.Helper()
	lab.NeedPrograms(t, "unshare", "nsenter", "systemctl", "journalctl", "systemd-analyze")
	return &booted{t: t, root: ownSystem(t)} // before the host, which keeps the mounts that it finds
}

// write makes a file of the machine.
func (m *booted) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		m.t.Fatal(err)
	}
}

// boot starts systemd, with an interface to a segment of its own.
func (m *booted) boot(link, address string) {
	m.t.Helper()
	// What would act on the kernel that all share is masked, as in a container.
	for _, unit := range []string{
		"systemd-sysctl.service", "systemd-modules-load.service", "systemd-remount-fs.service", "systemd-udevd.service", "systemd-udev-trigger.service",
		"systemd-random-seed.service", "systemd-update-utmp.service", "systemd-binfmt.service", "systemd-sysusers.service", "systemd-logind.service",
		"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount", "sys-fs-fuse-connections.mount", "dev-hugepages.mount", "dev-mqueue.mount",
		"proc-sys-fs-binfmt_misc.automount", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
	} {
		link := filepath.Join(m.root, "etc/systemd/system", unit)
		_ = os.Remove(link) // of this machine
		if err := os.Symlink("/dev/null", link); err != nil {
			m.t.Fatal(err)
		}
	}
	m.write("/etc/systemd/system/lab.target", "[Unit]\nRequires=sysinit.target systemd-journald.service\nAfter=sysinit.target systemd-journald.service\n", 0o644)
	m.write("/etc/systemd/journald.conf", "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n", 0o644)
	n := lab.New(m.t)
	m.Host = n.Host("lb01", lab.On(n.Segment("lan"), link, address))

	group := fmt.Sprintf("keepc-lab-%d-%s", os.Getpid(), m.t.Name())
	process := m.Start("unshare", "--mount", "sh", "-ec", `
mount -t cgroup2 groups /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$1"
echo $$ >"/sys/fs/cgroup/$1/cgroup.procs"
exec unshare --mount --pid --fork --cgroup --ipc --kill-child sh -ec '
cd "$0"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 groups sys/fs/cgroup
mount -t tmpfs run run
mount -t tmpfs dev dev
for n in null zero full random urandom tty; do touch dev/$n; mount --bind /dev/$n dev/$n; done
mkdir -p dev/shm dev/pts old
mount -t devpts -o newinstance,ptmxmode=666 pts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
pivot_root . old
umount -l /old
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=lab.target
' "$0"`, m.root, group)
	m.t.Cleanup(func() {
		process.Kill()
		<-process.Done()
		_ = exec.Command("unshare", "--mount", "sh", "-c", `mount -t cgroup2 groups /sys/fs/cgroup; for i in 1 2 3 4 5; do find "/sys/fs/cgroup/$0" -depth -type d -delete && break; sleep 0.2; done`, group).Run()
	})
	lab.Eventually(m.t, 20*time.Second, "systemd is the first process", func() bool {
		child, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", process.Pid()))
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(child)))
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", m.pid))
		return err == nil && string(name) == "systemd\n"
	})
	said := ""
	lab.Eventually(m.t, 60*time.Second, "systemd is up", func() bool {
		time.Sleep(50 * time.Millisecond)
		said, _ = m.try("systemctl", "is-system-running")
		return strings.Contains(said, "running") || strings.Contains(said, "degraded")
	})
	if !strings.HasPrefix(said, "running") {
		m.t.Errorf("systemd is %s\n%s", said, m.in("systemctl", "--no-pager", "--failed"))
	}
}

// try runs a command of the machine.
func (m *booted) try(args ...string) (string, error) {
	return m.Try("nsenter", append([]string{"-t", strconv.Itoa(m.pid), "-a"}, args...)...)
}

func (m *booted) in(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// ctl gives systemd an order.
func (m *booted) ctl(args ...string) {
	m.t.Helper()
	if out, err := m.try(append([]string{"systemctl"}, args...)...); err != nil {
		log, _ := m.try("journalctl", "--no-pager", "-n", "50")
		m.t.Fatalf("systemctl %s: %v\n%s\n%s", strings.Join(args, " "), err, out, log)
	}
}

// show is a property of a unit.
func (m *booted) show(unit, property string) string {
	m.t.Helper()
	return strings.TrimSpace(m.in("systemctl", "show", "--value", "-p", property, unit))
}

func (m *booted) is(unit, property, want string) {
	m.t.Helper()
	if got := m.show(unit, property); got != want {
		m.t.Errorf("%s: %s is %s, want %s\n%s", unit, property, got, want, m.journal(unit))
	}
}

// journal is what the journal has of a unit.
func (m *booted) journal(unit string) string {
	m.t.Helper()
	return m.in("journalctl", "-u", unit, "-o", "cat", "--no-pager")
}

func (m *booted) eventually(what string, ok func() bool) {
	m.t.Helper()
	lab.Eventually(m.t, 20*time.Second, what, func() bool {
		time.Sleep(20 * time.Millisecond) // each look may be a process
		return ok()
	})
}
