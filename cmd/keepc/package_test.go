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

// TestPackage holds what people do with the Debian package: it is made twice alike, installs, its program runs as the unit says, an upgrade
// touches no running director, the next start goes on from what the old one left, and a purge leaves nothing. The system is this
// machine's own, below an overlay.
func TestPackage(t *testing.T) {
	needInterop(t)
	lab.NeedPrograms(t, "dpkg", "chroot", "make")
	first := made(t, "0.0.1")
	if again := made(t, "0.0.1"); !bytes.Equal(first, again) {
		t.Error("two packages of one version differ")
	}
	var list struct{ Components []struct{ Name string } }
	if text, err := os.ReadFile("../../.cache/package/keepc.cdx.json"); err != nil || json.Unmarshal(text, &list) != nil || len(list.Components) < 10 {
		t.Errorf("the list of modules: %v, %d of them", err, len(list.Components))
	}
	second := made(t, "0.0.2")

	root := ownSystem(t) // before the host, which keeps the mounts that it finds
	n := lab.New(t)
	host := n.Host("lb01", lab.On(n.Segment("lan"), "eth0", "192.0.2.1/24"))
	in := func(args ...string) string { return host.Run("chroot", append([]string{root}, args...)...) }
	install := func(deb []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, "keepc.deb"), deb, 0o600); err != nil {
			t.Fatal(err)
		}
		in("dpkg", "-i", "/keepc.deb")
	}
	install(first)
	conf := filepath.Join(root, "etc", "keepalived", "keepalived.conf")
	if err := os.MkdirAll(filepath.Dir(conf), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf, []byte("vrrp_instance VI_1 {\n interface eth0\n virtual_router_id 51\n virtual_ipaddress {\n  192.0.2.10/24\n }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unit, err := os.ReadFile(filepath.Join(root, "usr", "lib", "systemd", "system", "keepc.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(unit), "\nExecStart=")
	command, _, _ = strings.Cut(command, "\n")
	start := func() *lab.Process {
		return host.Start("chroot", append([]string{root}, strings.Fields(command)...)...)
	}
	old := start()
	old.WaitLog("VI_1 MASTER", 20*time.Second)
	address := netip.MustParseAddr("192.0.2.10")
	lab.Eventually(t, 10*time.Second, "the address is there", func() bool { return host.HasAddr(address) })

	monitor := host.Start("ip", "monitor", "address")
	install(second)
	if got := in("keepc", "version"); !strings.Contains(got, "0.0.2") {
		t.Errorf("keepc version: %s", got)
	}
	killAll(old) // as an upgrade of the machine would, without a word
	now := start()
	now.WaitLog("VI_1 MASTER", 20*time.Second)
	monitor.Signal(unix.SIGTERM)
	<-monitor.Done()
	if moved := monitor.Log(); strings.Contains(moved, "192.0.2.10") || !host.HasAddr(address) {
		t.Errorf("the upgrade touched the address:\n%s", moved)
	}
	now.Stop()
	if host.HasAddr(address) {
		t.Error("the address stays after a stop")
	}

	var files []string
	for _, name := range strings.Fields(in("dpkg", "-L", "keepc")) {
		if info, err := os.Stat(filepath.Join(root, name)); err == nil && !info.IsDir() {
			files = append(files, name)
		}
	}
	if len(files) < 20 {
		t.Errorf("it has %d files", len(files))
	}
	in("dpkg", "--purge", "keepc")
	for _, name := range files {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}

// made is the Debian package of a version.
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

// ownSystem is the system of this machine at a directory, where what is written is gone with the test.
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
