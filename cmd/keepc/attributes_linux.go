package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// keepAttributes copies the extended attributes of the file that is replaced to a new file, including access control
// lists. It fails if one of them cannot be kept.
func keepAttributes(f *os.File, old string) error {
	list, err := readAttribute(func(b []byte) (int, error) { return unix.Listxattr(old, b) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil // the file system has none
	}
	if err != nil {
		return fmt.Errorf("list extended attributes: %w", err)
	}
	for _, name := range strings.FieldsFunc(string(list), func(r rune) bool { return r == 0 }) {
		value, err := readAttribute(func(b []byte) (int, error) { return unix.Getxattr(old, name, b) })
		if err != nil {
			return fmt.Errorf("read the extended attribute %s: %w", name, err)
		}
		has, err := readAttribute(func(b []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, b) })
		if err == nil && bytes.Equal(has, value) {
			continue // as SELinux labels every file anyway
		}
		if err := unix.Fsetxattr(int(f.Fd()), name, value, 0); err != nil {
			return fmt.Errorf("keep the extended attribute %s: %w", name, err)
		}
	}
	return nil
}

// readAttribute asks for the size of a value, then for the value.
func readAttribute(read func([]byte) (int, error)) ([]byte, error) {
	n, err := read(nil)
	if err != nil || n == 0 {
		return nil, err
	}
	value := make([]byte, n)
	n, err = read(value)
	return value[:max(n, 0)], err
}
