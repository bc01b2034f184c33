package watch

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/runtime/track"
)

// A place is a directory of root with a file of another user, and the directory t that contains the tracked file.
type place struct {
	t    *testing.T
	path string
}

func (p place) at(name string) string { return filepath.Join(p.path, name) }

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func newPlace(t *testing.T) place {
	p := place{t, t.TempDir()}
	p.must(os.WriteFile(p.at("precious"), []byte("precious"), 0o644))
	p.must(os.Mkdir(p.at("t"), 0o755))
	return p
}

func link(to, name string) func(place) {
	return func(p place) { p.must(os.Symlink(to, p.at(name))) }
}

func file(name, text string) func(place) {
	return func(p place) { p.must(os.WriteFile(p.at(name), []byte(text), 0o644)) }
}

func node(name string, mode uint32, device uint64) func(place) {
	return func(p place) { p.must(unix.Mknod(p.at(name), mode|0o644, int(device))) }
}

func owner(name string, uid int) func(place) {
	return func(p place) { p.must(os.Lchown(p.at(name), uid, uid)) }
}

func both(steps ...func(place)) func(place) {
	return func(p place) {
		for _, s := range steps {
			s(p)
		}
	}
}

// TestInitFile compares init_file with what Debian's keepalived 2.2.7 does, which is the same unless noted: it removes
// the name and makes a new file, so that the targets of links, symbolic or hard, are not changed.
func TestInitFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others")
	}
	for _, c := range []struct {
		name    string
		prepare func(place)
		file    string // "": t/load
		keep    bool   // without overwrite
		text    string // of the file afterwards; "": it is not a regular file
		says    string
	}{
		{name: "no file", text: "7\n"},
		{name: "no file, nothing to overwrite", keep: true, text: "7\n"},
		{name: "a file", prepare: file("t/load", "3"), text: "7\n"},
		{name: "a file that stays", prepare: file("t/load", "3"), keep: true, text: "3"},
		{name: "a link", prepare: link("../precious", "t/load"), text: "7\n"},
		{name: "a link that stays", prepare: link("../precious", "t/load"), keep: true, text: "precious"},
		{name: "a link to nothing", prepare: link("../made", "t/load"), text: "7\n"},
		{name: "a link to nothing, nothing to overwrite", prepare: link("../made", "t/load"), keep: true, text: "7\n"},
		{name: "a link to a device", prepare: link("/dev/null", "t/load"), keep: true, text: "7\n"}, // keepalived does not touch it
		{name: "a hard link", prepare: func(p place) { p.must(os.Link(p.at("precious"), p.at("t/load"))) }, text: "7\n"},
		{name: "a named pipe", prepare: node("t/load", unix.S_IFIFO, 0), says: "create /t/load: is not a regular file"},
		{name: "a device", prepare: node("t/load", unix.S_IFCHR, unix.Mkdev(1, 3)), says: "create /t/load: is not a regular file"},
		{name: "a directory", prepare: func(p place) { p.must(os.Mkdir(p.at("t/load"), 0o755)) }, says: "create /t/load: is not a regular file"},
		{name: "no directory", file: "none/load", says: "lstat /none: no such file or directory"},
		{name: "a directory of a user", prepare: owner("t", 65534), text: "7\n"},
		{name: "a link to the directory", prepare: link("t", "l"), file: "l/load", text: "7\n"},
		// keepalived follows this one.
		{name: "a user's link to a directory", prepare: both(link("t", "l"), owner("l", 65534)), file: "l/load", says: "/l is a link of user 65534 and is not followed to create a file"},
		{name: "links without an end", prepare: both(link("m", "l"), link("l", "m")), file: "l/load", says: "open /l: too many levels of symbolic links"},
		{name: "what an earlier run left behind", prepare: link("../precious", "t/.load.keepc"), text: "7\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			if c.prepare != nil {
				c.prepare(p)
			}
			name := p.at("t/load")
			if c.file != "" {
				name = p.at(c.file)
			}
			var said []string
			create([]*ir.TrackFile{{Name: "load", File: name, InitFile: &ir.InitFile{Value: 7, Overwrite: !c.keep}}}, ir.DefaultUmask, func(err error) { said = append(said, err.Error()) })
			want := ""
			if c.says != "" {
				want = "init_file of track_file load: " + c.says
			}
			if got := strings.ReplaceAll(strings.Join(said, "\n"), p.path, ""); strings.TrimPrefix(got, ": ") != want {
				t.Errorf("says %q, want %q", got, want)
			}
			if c.text != "" {
				if text, err := os.ReadFile(name); err != nil || string(text) != c.text {
					t.Errorf("the file is %q (%v), want %q", text, err, c.text)
				}
			}
			if text, err := os.ReadFile(p.at("precious")); err != nil || string(text) != "precious" {
				t.Errorf("somebody else's file is %q (%v)", text, err)
			}
			if _, err := os.Lstat(p.at("made")); err == nil {
				t.Error("a link was followed")
			}
			left, err := os.ReadDir(p.at("t"))
			if err != nil || len(left) > 1 || len(left) == 1 && left[0].Name() != "load" {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// TestInitFileKeepsTheOwner checks that the program that writes the file can continue: it still owns it.
func TestInitFileKeepsTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others")
	}
	p := newPlace(t)
	both(file("t/load", "3"), owner("t/load", 65534))(p)
	p.must(os.Chmod(p.at("t/load"), 0o664))
	p.must(replace(p.at("t/load"), []byte("7\n"), 0o600))
	info, err := os.Stat(p.at("t/load"))
	p.must(err)
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 65534 || info.Mode() != 0o664 {
		t.Errorf("got %v, owner %v", info.Mode(), info.Sys())
	}
}

func TestValue(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make devices")
	}
	for _, c := range []struct {
		name    string
		prepare func(place)
		want    int
		says    string
	}{
		{"a number", file("t/load", "17\n"), 17, ""},
		{"a number with more behind it", file("t/load", "  -5 x"), -5, ""},
		{"nothing", file("t/load", ""), 0, ""},
		{"no number", file("t/load", "many"), 0, ""},
		{"too large a number", file("t/load", "99999999999999"), 0, ""},
		{"no file", func(place) {}, 0, ""},
		{"a link to a number", both(file("n", "9"), link("../n", "t/load")), 9, ""},
		{"a huge file", both(file("t/load", "6 "), func(p place) { p.must(os.Truncate(p.at("t/load"), 1<<40)) }), 6, ""},
		{"a named pipe", node("t/load", unix.S_IFIFO, 0), 0, "open /t/load: is not a regular file"},
		{"a device without an end", node("t/load", unix.S_IFCHR, unix.Mkdev(1, 5)), 0, "open /t/load: is not a regular file"},
		{"a link to a device", link("/dev/zero", "t/load"), 0, "open /t/load: is not a regular file"},
		{"a link to itself", link("load", "t/load"), 0, "open /t/load: too many levels of symbolic links"},
		{"a directory", func(p place) { p.must(os.Mkdir(p.at("t/load"), 0o755)) }, 0, "open /t/load: is not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPlace(t)
			c.prepare(p)
			got, err := value(p.at("t/load"))
			said := ""
			if err != nil {
				said = strings.ReplaceAll(err.Error(), p.path, "")
			}
			if got != c.want || said != c.says {
				t.Errorf("got %d %q, want %d %q", got, said, c.want, c.says)
			}
		})
	}
}

// TestPipeDoesNotStopTheOthers checks that a pipe in place of a tracked file is reported once, and the other files are
// still tracked.
func TestPipeDoesNotStopTheOthers(t *testing.T) {
	p := newPlace(t)
	if err := unix.Mkfifo(p.at("t/pipe"), 0o644); err != nil {
		t.Skip(err)
	}
	file("t/load", "3")(p)
	cfg := &ir.Config{TrackFiles: []*ir.TrackFile{
		{Name: "pipe", File: p.at("t/pipe"), Weight: ir.Weight{N: 1}, InitFile: &ir.InitFile{Overwrite: true}}, {Name: "load", File: p.at("t/load"), Weight: ir.Weight{N: 1}},
	}}
	w := start(t, cfg)
	expect(t, w, "pipe", number(0))
	expect(t, w, "load", number(3))
	file("t/load", "4")(p)
	expect(t, w, "load", number(4))
}

// TestShortOfDescriptors checks that with no descriptor left nothing is known about files and processes: they keep
// their last state. The test runs in a separate process.
func TestShortOfDescriptors(t *testing.T) {
	if os.Getenv("KEEPC_SHORT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestShortOfDescriptors$", "-test.v")
		cmd.Env = append(os.Environ(), "KEEPC_SHORT=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	p := newPlace(t)
	file("t/load", "3")(p)
	var said []string
	f := newFiles(func(err error) { said = append(said, err.Error()) })
	f.list = []*ir.TrackFile{{Name: "load", File: p.at("t/load")}}
	c := census{list: []*ir.TrackProcess{{Name: "self", Process: []string{filepath.Base(os.Args[0])}, Quorum: 1}}, standing: map[track.Thing]standing{}}
	told := 0
	look := func() {
		f.read(func(_ track.Thing, s track.Status) {
			if told++; s != number(3) {
				t.Errorf("told of the file: %v", s)
			}
		})
		c.take(func(_ track.Thing, s track.Status) {
			if told++; !s.Good {
				t.Errorf("told of the process: %v", s)
			}
		}, f.warn)
	}
	look()
	var hoard []*os.File
	var limit unix.Rlimit
	p.must(unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	p.must(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: limit.Max}))
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		hoard = append(hoard, f)
	}
	look()
	look()
	for _, f := range hoard {
		p.must(f.Close())
	}
	look()
	want := []string{
		"track_file load is not read: open " + p.at("t/load") + ": too many open files; its last number counts",
		"list the processes: open /proc: too many open files; tracked processes keep their last count",
		"track_file load is readable again: 3",
		"tracked processes are counted again",
	}
	if !slices.Equal(said, want) || told != 4 {
		t.Errorf("told %d times, said %q, want %q", told, said, want)
	}
}
