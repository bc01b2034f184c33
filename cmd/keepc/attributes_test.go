//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAttributesStay checks that a replaced file keeps its access control list and its other extended attributes.
func TestAttributesStay(t *testing.T) {
	list := binary.LittleEndian.AppendUint32(nil, 2) // the version
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{
		{0x01, 6, ^uint32(0)}, // the owner may read and write
		{0x02, 4, 12345},      // so may user 12345 read
		{0x04, 4, ^uint32(0)}, // the group
		{0x10, 4, ^uint32(0)}, // the mask
		{0x20, 0, ^uint32(0)}, // others may do nothing
	} {
		list = binary.LittleEndian.AppendUint16(list, e.tag)
		list = binary.LittleEndian.AppendUint16(list, e.perm)
		list = binary.LittleEndian.AppendUint32(list, e.id)
	}
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	attributes := map[string][]byte{"user.note": []byte("by hand"), "user.empty": nil, "system.posix_acl_access": list}
	for name, value := range attributes {
		if err := unix.Setxattr(file, name, value, 0); err != nil {
			t.Skipf("files of %s have no extended attributes here: %v", filepath.Dir(file), err)
		}
	}
	if err := replaceFile(file, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "new" {
		t.Fatalf("%q, %v", text, err)
	}
	for name, value := range attributes {
		now, err := readAttribute(func(b []byte) (int, error) { return unix.Getxattr(file, name, b) })
		if err != nil || !bytes.Equal(now, value) {
			t.Errorf("%s is %x, not %x: %v", name, now, value, err)
		}
	}
}
