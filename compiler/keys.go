package compiler

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"keepc/compiler/enforced"
	"keepc/compiler/ir"
)

// maxKeyFile is the size of the largest file of a key: 64 bytes in hexadecimal have 132, with a line feed.
const maxKeyFile = 1 << 10

// ReadKeys replaces the keys of auth_hmac that are in files by those. It changes the configuration, which must not be
// in use yet. The error names the line of the first key that cannot be used, and no path: a key that was meant as text
// may look like one.
func ReadKeys(cfg *ir.Config, fsys fs.FS) error {
	for _, v := range cfg.Instances {
		if v.AuthHMAC == nil {
			continue
		}
		for i := range v.AuthHMAC.Keys {
			k := &v.AuthHMAC.Keys[i]
			file, ok := strings.CutPrefix(k.Key.Reveal(), "file:")
			if !ok {
				continue
			}
			text, err := readKey(fsys, file)
			if err == nil {
				k.Key = ir.NewSecret(text)
				_, err = k.Bytes()
			}
			if err != nil {
				return fmt.Errorf("%s: error: the file of key %d of auth_hmac of %s: %w", v.At("auth_hmac").Position(), k.ID, v.Name, err)
			}
		}
	}
	cfg.NotEnforced = enforced.Judge(cfg)
	return nil
}

// readKey returns the only line of a file that nobody but its owner can read or change.
func readKey(fsys fs.FS, file string) (string, error) {
	if !path.IsAbs(file) {
		return "", errors.New("its path is not absolute")
	}
	name := strings.TrimPrefix(path.Clean(file), "/")
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return "", unplaced(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return "", errors.New("it is not a regular file")
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("users other than its owner may use it (mode %04o): chmod 600", info.Mode().Perm())
	case info.Size() > maxKeyFile:
		return "", errors.New("it is too large for a key")
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return "", unplaced(err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// unplaced returns the cause of an error about a file.
func unplaced(err error) error {
	if about := (*fs.PathError)(nil); errors.As(err, &about) {
		return about.Err
	}
	return err
}
