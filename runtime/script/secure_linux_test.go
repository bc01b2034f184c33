package script

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestPermitted holds what owner, group and mode say against what the kernel lets a user do.
func TestPermitted(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may make files of others, and act for them")
	}
	top := t.TempDir()
	for _, p := range []string{filepath.Dir(top), top} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, owner := range []int{0, 65534} {
		for _, dir := range []os.FileMode{0o755, 0o700, 0o710, 0o701, 0o070, 0o007} {
			for _, file := range []os.FileMode{0o755, 0o700, 0o710, 0o701, 0o070, 0o007, 0o644, 0o001, 0o000} {
				in := filepath.Join(top, fmt.Sprintf("%d-%o-%o", owner, dir, file))
				path := filepath.Join(in, "s.sh")
				for _, err := range []error{
					os.Mkdir(in, 0o700), os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700),
					os.Chmod(path, file), os.Chown(path, owner, 7), os.Chmod(in, dir), os.Chown(in, owner, 7),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				for _, who := range []*syscall.Credential{{Uid: 0, Gid: 0}, {Uid: 65534, Gid: 65534}, {Uid: 65534, Gid: 7}, {Uid: 1, Gid: 7}, {Uid: 1, Gid: 1}} {
					if real, ours := executable(path, who), permitted(path, who); (real == nil) != (ours == nil) {
						t.Errorf("%d:%d, directory %v and file %v of %d:7: the kernel says %v, permitted %v", who.Uid, who.Gid, dir, file, owner, real, ours)
					}
				}
			}
		}
	}
}
