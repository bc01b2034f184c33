package probe

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"keepc/compiler/ir"
	"keepc/compiler/pcre"
	"keepc/runtime/health"
)

// The limits of an answer. keepalived has only the first: a server that sends a byte now and then keeps it waiting
// forever.
const (
	maxHeader = 4095     // bytes, including the empty line
	maxPage   = 64 << 20 // bytes
	maxSearch = 1 << 20  // bytes of an answer in which a regex is searched
	rounds    = 10       // the whole check takes at most this many times the limit of a single read
)

// page requests one page of a check and judges the answer, as keepalived's HTTP_GET and SSL_GET do: by its status,
// digest and regex, all three. An answer ends when the server closes the connection, whatever length it announced.
// Redirects are not followed.
func page(ctx context.Context, a Ask, h *ir.HTTPCheck) error {
	if a.Page >= len(h.URLs) {
		return errors.New("there is no such page")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, rounds*a.Limit, errSlow)
	defer cancel()
	u := h.URLs[a.Page]
	err := right(ctx, a, h, u)
	if err != nil && context.Cause(ctx) == errSlow && !lacking(err) {
		err = fmt.Errorf("the answer does not end within %v", rounds*a.Limit)
	}
	if err != nil && len(h.URLs) > 1 {
		return &pageError{u.Path, err}
	}
	return err
}

var errSlow = errors.New("the answer does not end")

// A pageError says which page of several is wrong.
type pageError struct {
	path string
	err  error
}

func (e *pageError) Error() string { return e.path + ": " + e.err.Error() }
func (e *pageError) Unwrap() error { return e.err }

func right(ctx context.Context, a Ask, h *ir.HTTPCheck, u *ir.URL) error {
	var regex *pcre.Regex
	if u.Regex.Pattern != "" {
		var err error
		if regex, err = pcre.Compile(u.Regex); err != nil {
			regex = nil // package enforced has reported it
		}
	}
	got, err := fetch(ctx, a, h, u, regex != nil)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(u.Status, func(s ir.StatusRange) bool { return s.First <= got.status && got.status <= s.Last }) {
		return fmt.Errorf("status %d", got.status)
	}
	if len(u.Digests) > 0 && !slices.Contains(u.Digests, got.digest) {
		return fmt.Errorf("the digest of the page is %s", got.digest)
	}
	if regex == nil {
		return nil
	}
	switch matches, err := regex.Match(got.text); {
	case err != nil:
		return err
	case !matches && !u.Regex.NoMatch && got.cut:
		return fmt.Errorf("the first %d bytes do not match the regex", maxSearch)
	case !matches && !u.Regex.NoMatch:
		return errors.New("the page does not match the regex")
	case matches && u.Regex.NoMatch:
		return errors.New("the page matches the regex")
	}
	return nil
}

// An answer is that of a web server.
type answer struct {
	status int
	digest string // MD5 of the page, in hexadecimal
	text   []byte // the whole answer with its header; only on request
	cut    bool   // text is incomplete
}

// fetch asks for a page.
func fetch(ctx context.Context, a Ask, h *ir.HTTPCheck, u *ir.URL, text bool) (answer, error) {
	conn, err := dial(ctx, "tcp", a)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	a.step("connected to %v", conn.RemoteAddr())
	stream := net.Conn(conn)
	if h.TLS {
		secured := tls.Client(conn, client(a, h, u))
		if err := secured.HandshakeContext(ctx); err != nil {
			return answer{}, fmt.Errorf("TLS: %w", err)
		}
		state := secured.ConnectionState()
		if leaf := state.PeerCertificates; len(leaf) > 0 {
			*a.seen = health.Certificate{From: leaf[0].NotBefore, Until: leaf[0].NotAfter}
			a.step("certificate of %s, by %s, until %s", leaf[0].Subject, leaf[0].Issuer, leaf[0].NotAfter.UTC().Format("2006-01-02 15:04"))
		}
		if err := verify(ctx, a, state, h, u); err != nil {
			return answer{}, err
		}
		a.step("TLS: %s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
		stream = secured
	}
	if _, err := io.WriteString(stream, request(a.Check, h, u)); err != nil {
		return answer{}, err
	}
	got, err := receive(a, stream, text)
	if err == nil && u.TLSCompliant && conn.ended { // TLS signals the end before the connection does
		err = errors.New("the server closed the connection without ending TLS")
	}
	return got, err
}

// request returns what keepalived sends.
func request(c *ir.Check, h *ir.HTTPCheck, u *ir.URL) string {
	version, closes := strings.CutSuffix(h.Version, "C")
	connection := ""
	if closes || version == "1.1" {
		connection = "Connection: close\r\n"
	}
	host := u.VirtualHost
	if host == "" {
		host = c.Target.String()
	}
	return fmt.Sprintf("GET %s HTTP/%s\r\nUser-Agent: KeepAliveClient\r\n%sHost: %s\r\n\r\n", u.Path, version, connection, host)
}

// client returns the TLS settings: any server with any name is accepted, as by keepalived, and judged by verify
// afterwards. A check is not secret, so it does without the post-quantum key exchanges: they cost time, and their first
// message is longer than a packet, which some servers do not understand.
func client(a Ask, h *ir.HTTPCheck, u *ir.URL) *tls.Config {
	c := &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS10,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
	if h.SNI {
		c.ServerName = serverName(h, u)
	}
	if h.Client != nil && h.Client.Certificate != "" {
		c.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate(r.Context(), a, h.Client)
		}
	}
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		c.CipherSuites = append(c.CipherSuites, s.ID)
	}
	return c
}

// receive reads an answer to its end.
func receive(a Ask, from io.Reader, text bool) (got answer, err error) {
	header, page, err := head(from)
	if err != nil {
		return got, err
	}
	if got.status = status(header); got.status == 0 {
		return got, errors.New("the answer is not HTTP")
	}
	a.step("status %d", got.status)
	length := promised(header)
	sum := &shortHash{Hash: md5.New(), left: length}
	_, _ = sum.Write(page)
	if text {
		got.text = append(header, page...)
	}
	size := int64(len(page))
	for b := make([]byte, 16<<10); ; {
		n, err := from.Read(b)
		size += int64(n)
		_, _ = sum.Write(b[:n])
		if text {
			room := min(n, max(0, maxSearch-len(got.text)))
			got.text, got.cut = append(got.text, b[:room]...), got.cut || room < n
		}
		if size > maxPage {
			return got, fmt.Errorf("the page has more than %d bytes", maxPage)
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF): // many servers end TLS silently
			got.digest = hex.EncodeToString(sum.Sum(nil))
			a.step("%d bytes, digest %s", size, got.digest)
			return got, nil
		case err != nil:
			return got, err
		}
	}
}

// head reads the header of an answer, and what came with it.
func head(from io.Reader) (header, page []byte, err error) {
	b := make([]byte, 0, maxHeader)
	for {
		n, err := from.Read(b[len(b):maxHeader])
		b = b[:len(b)+n]
		if header, page, found := bytes.Cut(b, []byte("\r\n\r\n")); found {
			return b[: len(header)+4 : len(header)+4], page, nil
		}
		switch {
		case len(b) == maxHeader:
			return nil, nil, fmt.Errorf("the header of the answer does not end within %d bytes", maxHeader)
		case errors.Is(err, io.EOF) && len(b) == 0:
			return nil, nil, errors.New("the server closed the connection without an answer")
		case errors.Is(err, io.EOF):
			return nil, nil, errors.New("the server closed the connection in the middle of the header")
		case err != nil:
			return nil, nil, err
		}
	}
}

// status returns the status of a header: three digits between the first blanks. 0: it has none.
func status(header []byte) int {
	line, _, _ := strings.Cut(string(header), "\r\n")
	words := strings.Split(line, " ")
	if len(words) < 3 || len(words[1]) != 3 {
		return 0
	}
	n, err := strconv.ParseUint(words[1], 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// promised returns the length that a header announces, in bytes; the largest number if it announces none.
func promised(header []byte) int64 {
	for line := range strings.SplitSeq(string(header), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 63); err == nil && strings.EqualFold(name, "Content-Length") {
			return int64(n)
		}
	}
	return 1<<63 - 1
}

// A shortHash is a digest of only the first bytes.
type shortHash struct {
	hash.Hash
	left int64 // bytes
}

func (h *shortHash) Write(b []byte) (int, error) {
	n := min(int64(len(b)), h.left)
	h.left -= n
	return h.Hash.Write(b[:n])
}
