package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// virtiofsd comes with Debian's qemu, outside PATH.
const virtiofsd = "/usr/lib/qemu/virtiofsd"

// bootLimit is how long the machine may take until its first output, in real time; it takes about four seconds here.
const bootLimit = time.Minute

// VMReady returns what keeps RunInVM from working, if anything does.
func VMReady() error {
	if _, err := vmImage(); err != nil {
		return err
	}
	for _, program := range []string{"qemu-system-x86_64", virtiofsd} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w; `make deps` installs it", err)
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("virtiofsd needs root to share this machine's files")
	}
	return nil
}

// RunInVM boots a virtual machine whose kernel has IPVS, runs cmd in it and returns cmd's exit status. Of cmd, Args,
// Dir, Env and Stdout count, with the meaning that exec.Cmd gives them; Stdout gets both kinds of output. The command
// finds every file of this machine in its place and may write everywhere, but what it writes is lost with the machine.
// Machines run one after another. When ctx ends, so does the machine.
//
// The processor is emulated, unless KEEPC_KVM=1 in this program's environment asks for the real one.
func RunInVM(ctx context.Context, cmd *exec.Cmd) (status int, err error) {
	image, err := vmImage()
	if err != nil {
		return 0, err
	}
	unlock, err := lock(ctx, filepath.Join(image, "lock"))
	if err != nil {
		return 0, fmt.Errorf("wait for another virtual machine: %w", err)
	}
	defer unlock()
	dir, err := os.MkdirTemp("", "keepc-vm-")
	if err != nil {
		return 0, fmt.Errorf("prepare the virtual machine: %w", err)
	}
	defer os.RemoveAll(dir)
	kvm := os.Getenv("KEEPC_KVM") == "1"
	job, err := vmJob(cmd, kvm)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "job"), job, 0o600)
	}
	if err != nil {
		return 0, fmt.Errorf("prepare the virtual machine: %w", err)
	}
	if err := boot(ctx, dir, vmFlags(image, dir, kvm), cmd.Stdout); err != nil {
		return 0, fmt.Errorf("virtual machine: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "status"))
	if err == nil {
		status, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		console, _ := os.ReadFile(filepath.Join(dir, "console"))
		return 0, fmt.Errorf("virtual machine: ended before its command did\n%s", console)
	}
	return status, nil
}

// boot runs qemu, and virtiofsd beside it, until the machine powers off.
func boot(ctx context.Context, dir string, flags []string, output io.Writer) error {
	files, err := share(dir)
	if err != nil {
		return err
	}
	defer files.kill()

	var complaints bytes.Buffer
	talks := &firstWrite{to: output, done: make(chan struct{})}
	qemu := exec.Command("qemu-system-x86_64", flags...)
	qemu.Stdout, qemu.Stderr = talks, &complaints
	// At the end of its input qemu would unplug the port for output as well;
	// this input ends when qemu does.
	if _, err := qemu.StdinPipe(); err != nil {
		return err
	}
	machine, err := startChild(qemu, func() error { return nil })
	if err != nil {
		return err
	}
	select {
	case <-talks.done:
	case <-machine.done:
	case <-ctx.Done():
	case <-time.After(bootLimit):
		machine.kill()
		console, _ := os.ReadFile(filepath.Join(dir, "console"))
		return fmt.Errorf("not up after %v\n%s%s", bootLimit, complaints.Bytes(), console)
	}
	select {
	case <-machine.done:
		if machine.err != nil {
			return fmt.Errorf("qemu: %w\n%s", machine.err, complaints.Bytes())
		}
		return nil
	case <-ctx.Done():
		machine.kill()
		return ctx.Err()
	}
}

// firstWrite passes output on and signals the first.
type firstWrite struct {
	to   io.Writer // nil: discarded
	done chan struct{}
	once sync.Once
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.done) })
	if w.to == nil {
		return len(p), nil
	}
	return w.to.Write(p)
}

// vmFlags are qemu's flags: a machine with few parts, since each takes time to probe.
func vmFlags(image, dir string, kvm bool) []string {
	accel, cpu := "tcg,thread=multi", "qemu64,+rdrand"
	if kvm {
		accel, cpu = "kvm", "host"
	}
	const memory = "2G"
	in := func(name string) string { return filepath.Join(dir, name) }
	return []string{
		"-accel", accel, "-cpu", cpu, "-smp", "2", "-m", memory,
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-kernel", filepath.Join(image, "vmlinuz"), "-initrd", filepath.Join(image, "initrd"),
		// The time stamp counter as the clock needs no exit into qemu, and there is no reason to randomize the
		// kernel's address.
		"-append", strings.Join([]string{
			"console=ttyS0 quiet panic=-1 tsc=reliable nokaslr mitigations=off random.trust_cpu=on",
			"keepc_image=" + image, "keepc_job=" + in("job"),
		}, " "),
		"-serial", "file:" + in("console"),
		// The files: virtiofsd reads and writes the machine's memory.
		"-object", "memory-backend-memfd,id=memory,share=on,size=" + memory, "-numa", "node,memdev=memory",
		"-chardev", "socket,id=files,path=" + in("files"), "-device", "vhost-user-fs-pci,chardev=files,tag=host",
		// The ports: 1 for output, 2 for the exit status.
		"-device", "virtio-serial",
		"-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,chardev=output,nr=1",
		"-chardev", "file,id=status,path=" + in("status"), "-device", "virtserialport,chardev=status,nr=2",
	}
}

// vmJob is the shell script that the machine runs.
func vmJob(cmd *exec.Cmd, kvm bool) ([]byte, error) {
	dir, err := filepath.Abs(cmd.Dir)
	if err != nil {
		return nil, err
	}
	machine := machineEnv + "=qemu/tcg"
	if kvm {
		machine = machineEnv + "=qemu/kvm"
	}
	words := slices.Concat(cmd.Environ(), []string{machine}, cmd.Args)
	for i, word := range words {
		words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return fmt.Appendf(nil, "cd '%s' && exec env -i %s\n", dir, strings.Join(words, " ")), nil
}

// vmImage returns what vm/image.sh has made, in the root of the Go module of the working directory.
func vmImage() (string, error) {
	root, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the virtual machine's image: %w", err)
	}
	for root != "/" && !exists(filepath.Join(root, "go.mod")) {
		root = filepath.Dir(root)
	}
	image, err := filepath.EvalSymlinks(filepath.Join(root, ".cache", "vm"))
	if err != nil || !exists(filepath.Join(image, "initrd")) {
		return "", fmt.Errorf("no virtual machine image in %s/.cache; `make vm` makes it", root)
	}
	return image, nil
}

// share starts the program that serves this machine's files, on a socket
// called files in dir.
func share(dir string) (*child, error) {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "files"), Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	// Nothing else runs in the machine long enough to see a file change: caching everything forever is safe and fast.
	cmd := exec.Command(virtiofsd, "--fd=3", "-f", "-o", "source=/", "-o", "cache=always", "-o", "sandbox=chroot", "-o", "log_level=err")
	cmd.ExtraFiles = []*os.File{socket}
	return startChild(cmd, func() error { return nil })
}

// lock waits until this program holds the file exclusively.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
