package daemon

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/compiler/ir"
)

// TestAccept checks which reloads are refused, and why: the file in force, and the machine for it, may be as bad.
func TestAccept(t *testing.T) {
	dir := t.TempDir()
	here, gone := filepath.Join(dir, "here.conf"), filepath.Join(dir, "gone.conf")
	if err := os.WriteFile(here, []byte("# a part"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := NewDigest([]byte("a part"), nil)
	faults := func(same ...string) (list []Fault) {
		for _, s := range same {
			list = append(list, Fault{Text: "test.conf: error: " + s, Same: s})
		}
		return list
	}
	with := func(files Files, own []Fault, host ...string) Loaded {
		return Loaded{Config: &ir.Config{}, Files: files, Faults: own, OnHost: func() []Fault { return faults(host...) }}
	}
	announcing := with(nil, nil)
	announcing.Config = &ir.Config{Announcements: []*ir.Announcement{{}}}
	broken := func(l Loaded) Loaded { l.Beside = faults("announc"); return l }
	for _, c := range []struct {
		name        string
		before, now Loaded
		asked       bool
		refused     string // empty: it is accepted
	}{
		{name: "nothing is wrong", before: with(nil, nil), now: with(nil, nil)},
		{name: "one error more", before: with(nil, faults("a")), now: with(nil, faults("a", "b")), refused: "test.conf: error: b"},
		{name: "the same error elsewhere", before: with(nil, faults("a", "b")), now: with(nil, faults("b", "a"))},
		{name: "the same error twice", before: with(nil, faults("a")), now: with(nil, faults("a", "a")), refused: "test.conf: error: a"},
		{name: "an error less", before: with(nil, faults("a", "b")), now: with(nil, faults("b"))},
		{name: "an interface that is not here", before: with(nil, nil), now: with(nil, nil, "no eth7"), refused: "test.conf: error: no eth7"},
		{name: "the old file would miss it, too", before: with(nil, nil, "no eth7"), now: with(nil, nil, "no eth7")},
		{
			name: "a file is empty", asked: true, refused: here + ": error: it was read before, and is empty now",
			before: with(Files{here: read}, nil), now: with(Files{here: NewDigest(nil, nil)}, nil),
		},
		{
			name: "a file is missing", asked: true, refused: gone + ": error: it was read before, and is missing now",
			before: with(Files{gone: read}, nil), now: with(Files{gone: NewDigest(nil, fs.ErrNotExist)}, nil),
		},
		{
			name: "a file was missing before", before: with(Files{gone: NewDigest(nil, fs.ErrNotExist)}, nil),
			now: with(Files{gone: NewDigest(nil, fs.ErrNotExist)}, nil),
		},
		{name: "a file is not named any more", before: with(Files{here: read}, nil), now: with(Files{}, nil)},
		{name: "settings that announce nothing are broken", before: with(nil, nil), now: broken(with(nil, nil))},
		{
			name: "settings that announced something are broken", asked: true, refused: "test.conf: error: announc",
			before: announcing, now: broken(with(nil, nil)),
		},
		{name: "a part of a pattern is gone", before: with(Files{gone: read}, nil), now: with(Files{}, nil), refused: gone + ": error: it was read before, and is missing now"},
		{name: "somebody took out a part and asks for it", before: with(Files{gone: read}, nil), now: with(Files{}, nil), asked: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.now.accept(c.before, c.asked)
			if c.now.Refused != c.refused || (c.now.Config == nil) != (c.refused != "") {
				t.Errorf("refused %q, want %q", c.now.Refused, c.refused)
			}
		})
	}
	refused := Loaded{Refused: "as it was"}
	if refused.accept(with(Files{gone: read}, nil), false); strings.Contains(refused.Refused, "missing") {
		t.Error("what is refused already is refused twice")
	}
}
