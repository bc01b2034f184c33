package main

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/runtime/lab"
)

// TestPackage holds what people do with the Debian package, on a host with Debian's systemd: it is made twice alike, installs as the README says,
// starts nothing by itself, runs by its unit, an upgrade touches no running director, the next start goes on from what the old one left, and a
// purge ends the director and leaves nothing.
func TestPackage(t *testing.T) {
	needInterop(t)
	lab.NeedPrograms(t, "dpkg", "apt-get", "make")
	first := made(t, "0.0.1")
	if again := made(t, "0.0.1"); !bytes.Equal(first, again) {
		t.Error("two packages of one version differ")
	}
	var list struct{ Components []struct{ Name string } }
	if text, err := os.ReadFile("../../.cache/package/keepc.cdx.json"); err != nil || json.Unmarshal(text, &list) != nil || len(list.Components) < 10 {
		t.Errorf("the list of modules: %v, %d of them", err, len(list.Components))
	}
	second := made(t, "0.0.2")

	m := newBooted(t)
	m.write("/etc/keepalived/keepalived.conf", onePair("192.0.2.10"), 0o644)
	m.boot("eth0", "192.0.2.1/24")
	address := netip.MustParseAddr("192.0.2.10")
	install := func(version string, deb []byte) {
		t.Helper()
		m.write("/root/keepc_"+version+"_amd64.deb", string(deb), 0o644)
		m.in("sh", "-c", "cd /root && apt-get install -y ./keepc_"+version+"_*.deb") // as the README says
		if got := m.in("keepc", "version"); !strings.Contains(got, version) {
			t.Errorf("keepc version: %s", got)
		}
	}
	install("0.0.1", first)
	m.is("keepc", "ActiveState", "inactive")
	m.is("keepc", "UnitFileState", "disabled")
	m.ctl("enable", "--now", "keepc")
	m.is("keepc", "ActiveState", "active")
	m.eventually("the address is there", func() bool { return m.HasAddr(address) })

	monitor := m.Start("ip", "monitor", "address")
	old := m.show("keepc", "MainPID")
	install("0.0.2", second)
	if now := m.show("keepc", "MainPID"); now != old {
		t.Errorf("the upgrade touched the director: process %s, %s before", now, old)
	}
	m.ctl("kill", "-s", "KILL", "keepc") // and the next start is one of the new version
	m.eventually("it runs again", func() bool {
		now := m.show("keepc", "MainPID")
		return now != old && now != "0" && m.show("keepc", "ActiveState") == "active"
	})
	m.eventually("it is MASTER", func() bool { return strings.Contains(m.in("keepc", "status"), "MASTER") })
	monitor.Signal(unix.SIGTERM)
	<-monitor.Done()
	if moved := monitor.Log(); strings.Contains(moved, "192.0.2.10") || !m.HasAddr(address) {
		t.Errorf("the upgrade touched the address:\n%s", moved)
	}

	var files []string
	for _, name := range strings.Fields(m.in("dpkg", "-L", "keepc")) {
		if info, err := os.Lstat(filepath.Join(m.root, name)); err == nil && !info.IsDir() {
			files = append(files, name)
		}
	}
	if len(files) < 20 {
		t.Errorf("it has %d files", len(files))
	}
	m.in("apt-get", "purge", "-y", "keepc")
	if m.HasAddr(address) {
		t.Error("the address stays after a purge")
	}
	for _, name := range files {
		if _, err := os.Lstat(filepath.Join(m.root, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if left := m.in("sh", "-c", "ls /etc/systemd/system/*/keepc.service 2>/dev/null || true"); left != "" {
		t.Errorf("it is still enabled: %s", left)
	}
}

// TestInstall gives the other commands of the README that install keepc: make install, and the files of a container, whose root has nothing but
// the program, with the two capabilities and the command that the Containerfile names. Docker and dnf are not to be had here.
func TestInstall(t *testing.T) {
	needInterop(t)
	lab.NeedPrograms(t, "make", "setpriv", "chroot")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"`make package`", "`apt-get install ./keepc_*.deb`", "`dnf install ./keepc-*.rpm`", "`make install PREFIX=/usr/local`", "`.ci/package/Containerfile`"} {
		if !strings.Contains(string(readme), command) {
			t.Errorf("the README no longer says %s", command)
		}
	}
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	root := ownSystem(t)
	for _, args := range [][]string{
		{"make", "-C", top, "install", "PREFIX=/usr/local", "VERSION=0.0.3"},
		{"/usr/local/bin/keepc", "version"}, {"man", "-w", "keepc-run"}, {"grep", "-q", "ExecStart=/usr/local/bin/keepc run", "/usr/local/lib/systemd/system/keepc.service"},
		{"bash", "-n", "/usr/local/share/bash-completion/completions/keepc"},
	} {
		out, err := exec.Command("chroot", append([]string{root, "env", "PATH=" + os.Getenv("PATH")}, args...)...).CombinedOutput()
		if err != nil || args[len(args)-1] == "version" && !strings.Contains(string(out), "0.0.3") {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}

	recipe, err := os.ReadFile("../../.ci/package/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	var command []string
	scratch := filepath.Join(root, "scratch")
	for line := range strings.Lines(string(recipe)) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "COPY":
			from, to, _ := strings.Cut(rest, " ")
			text, err := os.ReadFile(filepath.Join(root, top, from))
			if err == nil {
				err = os.MkdirAll(filepath.Join(scratch, "etc", "keepalived"), 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(scratch, to), text, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
		case "ENTRYPOINT", "CMD":
			var words []string
			if err := json.Unmarshal([]byte(rest), &words); err != nil {
				t.Fatal(err)
			}
			command = append(command, words...)
		}
	}
	file := "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t192.0.2.10/24\n\t}\n}\n"
	if err := os.WriteFile(filepath.Join(scratch, "etc", "keepalived", "keepalived.conf"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"proc", "sysfs"} { // a container has them
		at := filepath.Join(scratch, strings.TrimSuffix(kind, "fs"))
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(kind, at, kind, 0, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	}
	n := lab.New(t)
	h := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	// chroot needs a third capability; keepc has no use for it.
	p := h.Start("setpriv", append([]string{"--bounding-set", "-all,+net_admin,+net_raw,+sys_chroot", "chroot", scratch}, command...)...)
	p.WaitLog("VI_1 MASTER", 20*time.Second)
	lab.Eventually(t, 10*time.Second, "the address is there", func() bool { return h.HasAddr(netip.MustParseAddr("192.0.2.10")) })
	p.Stop()
}

// made returns the Debian package of a version.
func made(t *testing.T, version string) []byte {
	t.Helper()
	if out, err := exec.Command("make", "-C", "../..", "package", "VERSION="+version).CombinedOutput(); err != nil {
		t.Fatalf("make package: %v\n%s", err, out)
	}
	found, err := filepath.Glob("../../.cache/package/keepc_" + version + "_*.deb")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	deb, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return deb
}

// ownSystem returns a directory with the system of this machine, where changes are lost with the test.
func ownSystem(t *testing.T) (root string) {
	t.Helper()
	dir := t.TempDir()
	mount := func(source, target, kind, data string) {
		t.Helper()
		if err := os.MkdirAll(target, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(source, target, kind, 0, data); err != nil {
			lab.Missing(t, "mount a %s: %v", kind, err)
		}
		t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
	}
	mount("tmpfs", dir, "tmpfs", "")
	upper, work, root := filepath.Join(dir, "upper"), filepath.Join(dir, "work"), filepath.Join(dir, "root")
	for _, d := range []string{upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount("overlay", root, "overlay", "lowerdir=/,upperdir="+upper+",workdir="+work)
	mount("proc", filepath.Join(root, "proc"), "proc", "")
	mount("devtmpfs", filepath.Join(root, "dev"), "devtmpfs", "")
	mount("tmpfs", filepath.Join(root, "run"), "tmpfs", "")
	return root
}
