package probe

import (
	"context"
	"errors"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/health"
)

// Digest fetches the first page of an HTTP check once, as keepalived's genhash does, and returns its status and its
// MD5 digest in hexadecimal, whatever the check requires of them. An error says why there is no answer, in an
// operator's words.
func Digest(ctx context.Context, a Ask) (status int, digest string, err error) {
	h, ok := a.Check.Checker.(*ir.HTTPCheck)
	if !ok || len(h.URLs) == 0 {
		return 0, "", errors.New("a page needs a check by HTTP")
	}
	a.began, a.seen = time.Now(), new(health.Certificate)
	ctx, cancel := context.WithTimeout(ctx, rounds*a.Limit)
	defer cancel()
	got, err := fetch(ctx, a, h, h.URLs[0], false)
	if err != nil {
		return 0, "", errors.New(plain(err, a.Limit))
	}
	return got.status, got.digest, nil
}
