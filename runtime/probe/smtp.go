package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"keepc/compiler/ir"
)

// maxReply is the maximum length of a line of a mail server, in bytes, as in keepalived.
const maxReply = 512

// smtp greets a mail server and says goodbye, as keepalived's SMTP_CHECK does. The first line of the greeting must
// begin with "220 ", and that of the answer to HELO with "250 ": a multi-line greeting, which begins with "220-",
// fails. QUIT needs an answer, whatever that says.
func smtp(ctx context.Context, a Ask, s *ir.SMTPCheck) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rounds*a.Limit, errSlow)
	defer cancel()
	err := greet(ctx, a, s)
	if err != nil && context.Cause(ctx) == errSlow {
		return fmt.Errorf("the greeting does not end within %v", rounds*a.Limit)
	}
	return err
}

func greet(ctx context.Context, a Ask, s *ir.SMTPCheck) error {
	conn, err := dial(ctx, "tcp", a)
	if err != nil {
		return err
	}
	defer conn.Close()
	a.step("connected to %v", conn.RemoteAddr())
	from := bufio.NewReaderSize(conn, maxReply)
	for _, x := range []struct{ to, command, code string }{
		{"the connection", "", "220 "}, {"HELO", "HELO " + s.Helo + "\r\n", "250 "}, {"QUIT", "QUIT\r\n", ""},
	} {
		if _, err := io.WriteString(conn, x.command); err != nil {
			return err
		}
		line, err := from.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("a line of the server has more than %d bytes", maxReply)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the server closed the connection without an answer to %s", x.to)
		case err != nil:
			return err
		case !strings.HasPrefix(text, x.code):
			return fmt.Errorf("the server said %q, not %s", shorten(text), strings.TrimSpace(x.code))
		}
		a.step("answer to %s: %q", x.to, shorten(text))
		_, _ = from.Discard(from.Buffered()) // what it says beyond that is ignored
	}
	return nil
}

// shorten cuts a text from a server to the length of a line.
func shorten(text string) string {
	if len(text) > 60 {
		return text[:60] + "..."
	}
	return text
}
