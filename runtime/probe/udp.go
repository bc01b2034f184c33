package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"keepc/compiler/ir"
)

// greeting is what keepalived sends if the file has no payload: servers and their logs know it.
const greeting = "keepalived check - keepalived ch"

// udp sends one datagram and waits, as keepalived's UDP_CHECK does. The first answer decides, and so does an ICMP
// error: keepalived takes every error except "unreachable" for success. Silence is success unless an answer is
// required, so a check of a server that works silently takes the whole time.
func udp(ctx context.Context, c ir.Connection, u *ir.UDPCheck) error {
	conn, err := connect(ctx, "udp", c)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Reading ends with ctx, at its deadline or earlier.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	payload := []byte(u.Payload)
	if len(payload) == 0 {
		payload = []byte(greeting)
	}
	if _, err := conn.Write(payload); err != nil {
		return err
	}
	answer := make([]byte, u.MaxLength+1) // one more byte shows that an answer is too long
	n, err := conn.Read(answer)
	switch {
	case u.Reply == nil && errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case err != nil:
		return err
	case u.Reply == nil || len(u.Reply.Value) == 0: // keepalived checks the length of an answer only if it compares it
		return nil
	}
	return wrong(answer[:n], u)
}

// wrong says what is wrong with an answer. An answer shorter than the expected one must only match as far as it goes.
func wrong(answer []byte, u *ir.UDPCheck) error {
	switch {
	case len(answer) > u.MaxLength:
		return fmt.Errorf("the answer has more than %d bytes", u.MaxLength)
	case len(answer) < u.MinLength:
		return fmt.Errorf("the answer has %d bytes, fewer than %d", len(answer), u.MinLength)
	}
	for i := range min(len(answer), len(u.Reply.Value)) {
		if (answer[i]^u.Reply.Value[i])&u.Reply.Mask[i] != 0 {
			return fmt.Errorf("byte %d of the answer is wrong: %02x", i+1, answer[i])
		}
	}
	return nil
}
