package ir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// AuthType is the authentication of VRRP version 2 (RFC 2338 section 5.3.6).
type AuthType uint8

const (
	AuthNone AuthType = iota
	AuthPass
	AuthAH
)

func (a AuthType) String() string { return [...]string{"none", "PASS", "AH"}[a] }

// Authentication of VRRP version 2. Packets carry the first 8 bytes of the password.
type Authentication struct {
	Type AuthType `json:"auth_type"`
	Pass Secret   `json:"auth_pass"`
}

// AuthHMAC signs advertisements with HMAC-SHA256, as keepalived 2.4 does.
type AuthHMAC struct {
	Origin
	Keys       []HMACKey `json:"key"`
	ActiveKey  uint8     // the key that signs
	TimeWindow time.Duration
	AntiReplay string // time or monotonic
	Mode       string // enforce, permissive or receive-only
}

// The values of AuthHMAC that change what it does.
const (
	HMACPermissive  = "permissive"   // takes advertisements without a signature, too
	HMACReceiveOnly = "receive-only" // and signs none
	HMACMonotonic   = "monotonic"    // compares stamps with each other, and with no clock
)

// Enforces reports whether advertisements without a signature are dropped.
func (a *AuthHMAC) Enforces() bool { return a.Mode != HMACPermissive && a.Mode != HMACReceiveOnly }

// Window is how far clocks may differ.
func (a *AuthHMAC) Window(advertInterval time.Duration) time.Duration {
	if a.TimeWindow > 0 {
		return a.TimeWindow
	}
	return max(3*advertInterval, 5*time.Second)
}

// Key returns the key with a number.
func (a *AuthHMAC) Key(id uint8) (HMACKey, bool) {
	i := slices.IndexFunc(a.Keys, func(k HMACKey) bool { return k.ID == id })
	if i < 0 {
		return HMACKey{}, false
	}
	return a.Keys[i], true
}

// Active returns the key that signs: the first one, unless active_key names another.
func (a *AuthHMAC) Active() (HMACKey, bool) {
	if a.ActiveKey == 0 && len(a.Keys) > 0 {
		return a.Keys[0], true
	}
	return a.Key(a.ActiveKey)
}

// The shortest and the longest key, in bytes.
const (
	minHMACKey = 32
	maxHMACKey = 64
)

// Why a key cannot be used.
var (
	ErrKeyInFile = errors.New("it is in a file")
	ErrKeyDigits = errors.New("it is not hexadecimal")
	ErrKeyLength = fmt.Errorf("it does not have %d to %d bytes", minHMACKey, maxHMACKey)
)

// Bytes returns the key, or one of the errors above.
func (k HMACKey) Bytes() ([]byte, error) {
	text := k.Key.Reveal()
	if strings.HasPrefix(text, "file:") {
		return nil, ErrKeyInFile
	}
	b := []byte(text)
	if digits, coded := strings.CutPrefix(text, "hex:"); coded {
		var err error
		if b, err = hex.DecodeString(digits); err != nil {
			return nil, ErrKeyDigits // err quotes the key
		}
	}
	if len(b) < minHMACKey || len(b) > maxHMACKey {
		return nil, ErrKeyLength
	}
	return b, nil
}

// An HMACKey is a key with its id.
type HMACKey struct {
	ID  uint8 `json:"id"`
	Key Secret
}
