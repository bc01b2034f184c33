package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
	"keepc/runtime/lab"
)

// A dump is what keepalived writes about its configuration: the text of SIGUSR1, and the JSON of SIGRTMIN+2.
type dump struct {
	text     string
	disabled []string // scripts that it cannot run here: 2.2.7 finds no bare name for a user other than root
	json     []struct {
		Data map[string]any `json:"data"`
	}
}

// configOf returns keepc's reading of a file, mistakes and all.
func configOf(t *testing.T, name string) *ir.Config {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	u := compiler.Load(source.New(name, text), compiler.Options{Text: grammar.Options{
		Files: grammar.Files{Root: os.DirFS("/"), Dir: filepath.Dir(absolute(t, name))}, ID: dumpHost, Env: func(string) string { return "" },
	}})
	if u.All.Has(diag.Error) {
		u = u.Literal()
	}
	return u.Config
}

// dumpHost is the name of the host, which is also the id for @ lines.
const dumpHost = "lb"

// runForDump starts keepalived with a file on a host that has everything that the file names, and returns its dump, or
// why there is none. other, unless it is nil, is in place of the text of the file.
func runForDump(t *testing.T, file string, cfg *ir.Config, other []byte) (d dump, why string) {
	t.Helper()
	for range 3 {
		host, root := dumpHostFor(t, file, cfg)
		if other != nil {
			retext(t, host, filepath.Join(root, absolute(t, file)), other)
		}
		// On a busy machine the kernel kills a keepalived that has asked for real-time priority: that says nothing of the file.
		if d, why = dumpOn(t, host, root, file); !strings.Contains(why, "rlimit_rttime") {
			break
		}
	}
	return d, why
}

// retext gives a file on a host another text.
func retext(t *testing.T, host *lab.Host, place string, text []byte) {
	t.Helper()
	err := host.Do(func() error {
		if err := os.Remove(place); err != nil { // it may be a link
			return err
		}
		return os.WriteFile(place, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dumpOn starts keepalived with a file in a sandbox, and returns its dump, or why there is none.
func dumpOn(t *testing.T, host *lab.Host, root, file string) (d dump, why string) {
	t.Helper()
	p := startSandboxed(t, host, root, file, "-P")
	inside := func(name string) (text []byte) {
		_ = host.Do(func() (err error) { text, err = os.ReadFile(filepath.Join(root, name)); return err }) // not there yet
		return text
	}
	await := func(ready func() bool) bool {
		deadline := time.Now().Add(lab.Patience(5 * time.Second))
		for !ready() {
			select {
			case <-p.Done():
				return false
			default:
			}
			if log := p.Log(); time.Now().After(deadline) || strings.Contains(log, "Respawning") || strings.Contains(log, "no configuration to run") {
				return false
			}
			time.Sleep(10 * time.Millisecond)
		}
		return true
	}
	if !await(func() bool {
		log := p.Log()
		return strings.Contains(log, " STATE") || strings.Contains(log, "Startup complete")
	}) {
		return d, reason(p.Log())
	}
	p.Signal(syscall.SIGUSR1)
	p.Signal(syscall.Signal(dumpJSON))
	if !await(func() bool { return json.Unmarshal(inside("out/keepalived.json"), &d.json) == nil }) {
		return d, "no dump: " + reason(p.Log())
	}
	d.text = string(inside("out/keepalived.data"))
	for _, m := range disabledScript.FindAllStringSubmatch(p.Log(), -1) {
		d.disabled = append(d.disabled, m[1])
	}
	return d, ""
}

// dumpHostFor makes a host that has everything that a file names, and a sandbox on it.
func dumpHostFor(t *testing.T, file string, cfg *ir.Config) (host *lab.Host, root string) {
	t.Helper()
	net := lab.New(t)
	lan := net.Segment("lan")
	var ports []lab.Port
	for i, name := range interfacesOf(cfg) {
		ports = append(ports, lab.On(lan, name, append(sourcesOf(cfg, name), fmt.Sprintf("10.%d.%d.1/24", 200+i/200, i%200))...))
	}
	host = net.Host(dumpHost, ports...)
	return host, sandbox(t, host, cfg, file)
}

// startSandboxed starts keepalived in a sandbox: -P for only VRRP, -C for only the checkers.
func startSandboxed(t *testing.T, host *lab.Host, root, file, part string) *lab.Process {
	t.Helper()
	return host.Start("env", "PATH=/stubs", "TMPDIR=/out", "/usr/sbin/chroot", root, "/usr/sbin/keepalived",
		"-n", "-l", part, "-i", dumpHost, "-f", absolute(t, file), "-p", "/run/p", "-r", "/run/v", "-c", "/run/c", "-b", "/run/b")
}

var disabledScript = regexp.MustCompile(`Disabling track script (\S+) since`)

// dumpJSON is SIGRTMIN+2 of the C library.
const dumpJSON = 36

// reason returns the last meaningful line of a log.
func reason(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for _, mark := range []string{"segmentation fault", "exited", "FATAL", "Unable", "not ", "Stopped"} {
		for _, l := range lines {
			if strings.Contains(l, mark) {
				_, text, _ := strings.Cut(l, "20")
				return text
			}
		}
	}
	return lines[len(lines)-1]
}

// interfacesOf lists the interfaces that a configuration names.
func interfacesOf(cfg *ir.Config) []string {
	names := []string{"eth0"}
	add := func(name string) {
		if name != "" && name != "lo" && len(name) <= 15 && !strings.ContainsAny(name, ":/ ") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	addresses := func(list []ir.Address) {
		for _, a := range list {
			add(a.Dev)
		}
	}
	routes := func(list []ir.Route) {
		for _, r := range list {
			add(r.Dev)
			for _, n := range r.Nexthops {
				add(n.Dev)
			}
		}
	}
	rules := func(list []ir.Rule) {
		for _, r := range list {
			add(r.IIf)
			add(r.OIf)
		}
	}
	tracks := func(list []ir.Track) {
		for _, t := range list {
			add(t.Name)
		}
	}
	add(cfg.Global.DefaultInterface)
	addresses(cfg.StaticAddresses)
	routes(cfg.StaticRoutes)
	rules(cfg.StaticRules)
	for _, v := range cfg.Instances {
		add(v.Interface)
		addresses(v.Addresses)
		routes(v.Routes)
		rules(v.Rules)
		tracks(v.TrackInterfaces)
	}
	for _, g := range cfg.SyncGroups {
		tracks(g.TrackInterfaces)
	}
	for _, d := range cfg.UpDownDelays {
		add(d.Interface)
	}
	for _, g := range cfg.GARPGroups {
		for _, n := range g.Interfaces {
			add(n.Text)
		}
	}
	return names
}

// sourcesOf lists the addresses that advertisements on an interface must come from.
func sourcesOf(cfg *ir.Config, name string) (addrs []string) {
	for _, v := range cfg.Instances {
		if v.Interface == name && v.SourceAddr.IsValid() && !slices.Contains(addrs, netip.PrefixFrom(v.SourceAddr, 24).String()) {
			addrs = append(addrs, netip.PrefixFrom(v.SourceAddr, 24).String())
		}
	}
	return addrs
}

// sandbox makes a file system for keepalived: that of this machine, with writes redirected, with the users that the
// configuration names, and with a harmless file in place of every script.
func sandbox(t *testing.T, host *lab.Host, cfg *ir.Config, file string) (root string) {
	t.Helper()
	top := filepath.Join(host.Dir(), "sandbox")
	root = filepath.Join(top, "root")
	err := host.Do(func() error {
		if err := os.MkdirAll(top, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", top, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount the sandbox: %w", err)
		}
		for _, d := range []string{"root", "upper", "work"} {
			if err := os.Mkdir(filepath.Join(top, d), 0o755); err != nil {
				return err
			}
		}
		options := "lowerdir=/,upperdir=" + filepath.Join(top, "upper") + ",workdir=" + filepath.Join(top, "work")
		if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount the overlay: %w", err)
		}
		for _, d := range []string{"proc", "sys", "dev"} {
			if err := unix.Mount("/"+d, filepath.Join(root, d), "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
				return fmt.Errorf("mount %s: %w", d, err)
			}
		}
		return fillSandbox(root, cfg, absolute(t, file))
	})
	if err != nil {
		lab.Missing(t, "no sandbox for keepalived: %v", err)
	}
	return root
}

// fillSandbox writes the stubs and the users. A file is removed before it is written, because it may be a link to the outside.
func fillSandbox(root string, cfg *ir.Config, file string) error {
	in, err := os.OpenRoot(root) // no link leads out of it
	if err != nil {
		return err
	}
	defer in.Close()
	write := func(name, text string, mode os.FileMode) error {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		if err := in.MkdirAll(path.Dir(name), 0o755); err != nil {
			return nil // below a file, or a link that leads out: the script is missing then
		}
		_ = in.Remove(name)
		return in.WriteFile(name, []byte(text), mode)
	}
	passwd, err := in.ReadFile("etc/passwd")
	if err != nil {
		return err
	}
	group, err := in.ReadFile("etc/group")
	if err != nil {
		return err
	}
	id := 5000
	account := func(u ir.User) {
		id++
		if u.Name != "" && !bytes.Contains(passwd, []byte("\n"+u.Name+":")) && u.Name != "root" {
			passwd = fmt.Appendf(passwd, "%s:x:%d:%d::/:/bin/sh\n", u.Name, id, id)
		}
		for _, g := range []string{u.Name, u.Group} {
			if g != "" && !bytes.Contains(group, []byte("\n"+g+":")) && g != "root" {
				group = fmt.Appendf(group, "%s:x:%d:\n", g, id)
			}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	account(ir.User{Name: "keepalived_script"})
	account(cfg.Global.ScriptUser)
	for _, s := range cfg.Scripts {
		account(s.User)
	}
	errs := []error{in.MkdirAll("stubs", 0o755), in.MkdirAll("out", 0o755), write(file, string(text), 0o644)}
	for _, c := range cfg.Commands {
		account(c.User)
		program := c.Args[0]
		if program == "" {
			continue
		}
		if !strings.Contains(program, "/") {
			program = "/stubs/" + program
		}
		errs = append(errs, write(program, "#!/bin/sh\nexit 0\n", 0o755))
	}
	for _, f := range cfg.TrackFiles {
		if f.File != "" {
			errs = append(errs, write(f.File, "0\n", 0o644))
		}
	}
	errs = append(errs, write("etc/passwd", string(passwd), 0o644), write("etc/group", string(group), 0o644),
		write("etc/hosts", "127.0.0.1 "+dumpHost+"\n", 0o644))
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
