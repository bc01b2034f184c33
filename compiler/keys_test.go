package compiler

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// TestReadKeys reads keys of auth_hmac from files: one line each, as text or in hexadecimal, that nobody else can read.
func TestReadKeys(t *testing.T) {
	const key = "k2t9k2t9k2t9k2t9k2t9k2t9k2t9k2t9"
	files := fstest.MapFS{
		"etc/text":   {Data: []byte(key + "\n"), Mode: 0o600},
		"etc/hex":    {Data: []byte("hex:" + strings.Repeat("6b", 32)), Mode: 0o400},
		"etc/open":   {Data: []byte(key), Mode: 0o640},
		"etc/short":  {Data: []byte("k2t9\n"), Mode: 0o600},
		"etc/again":  {Data: []byte("file:/etc/text"), Mode: 0o600},
		"etc/large":  {Data: []byte(strings.Repeat(key, 100)), Mode: 0o600},
		"etc/folder": {Mode: fs.ModeDir | 0o700},
	}
	for file, want := range map[string]string{
		"/etc/text": key, "/etc/hex": strings.Repeat("k", 32),
		"/etc/open":   "mode 0640",
		"/etc/short":  "32 to 64 bytes",
		"/etc/again":  "in a file",
		"/etc/large":  "too large",
		"/etc/folder": "not a regular file",
		"/etc/none":   "does not exist",
		"etc/text":    "not absolute",
	} {
		text := "vrrp_instance A {\ninterface eth0\nvirtual_router_id 7\nauth_hmac {\nkey 9 " + key + "\nkey 1 file:" + file + "\n}\nvirtual_ipaddress {\n192.0.2.10\n}\n}\n"
		cfg := Load(source.New("x.conf", []byte(text)), Options{}).Config
		if len(cfg.NotEnforced) != 1 || !cfg.NotEnforced[0].Unread {
			t.Errorf("%s: before the file is read: %v", file, cfg.NotEnforced)
		}
		err := ReadKeys(cfg, files)
		if err != nil {
			if text := err.Error(); !strings.Contains(text, want) || !strings.HasPrefix(text, "x.conf:4:1: error: the file of key 1") || strings.Contains(text, "/etc") || strings.Contains(text, "k2t9") {
				t.Errorf("%s: want %q, got %v", file, want, err)
			}
			continue
		}
		if len(cfg.NotEnforced) > 0 {
			t.Errorf("%s: after the file is read: %v", file, cfg.NotEnforced)
		}
		var keys []ir.HMACKey
		for _, v := range cfg.Instances {
			keys = v.AuthHMAC.Keys
		}
		if got, err := keys[1].Bytes(); err != nil || string(got) != want {
			t.Errorf("%s: got %d bytes, %v", file, len(got), err)
		}
		if got, _ := keys[0].Bytes(); string(got) != key {
			t.Error("the other key is a different one")
		}
	}
}
