package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"keepc/compiler/ir"
)

// A certificateError says why the certificate of the block SSL cannot be presented: that is about this machine, not
// about the server.
type certificateError struct{ err error }

func (e *certificateError) Error() string { return "the certificate of SSL: " + e.err.Error() }
func (e *certificateError) Unwrap() error { return e.err }

// certificate reads the certificate that a check presents, each time: it may be renewed. A key may be encrypted in the
// PEM format itself (RFC 1423), which is what a pass phrase in keepalived.conf is for.
func certificate(ctx context.Context, a Ask, t *ir.TLS) (*tls.Certificate, error) {
	one, err := within(ctx, a.files, t.Certificate, a.Limit, func() (*tls.Certificate, error) { return readCertificate(t) })
	if err != nil {
		return nil, &certificateError{err}
	}
	return one, nil
}

func readCertificate(t *ir.TLS) (*tls.Certificate, error) {
	chain, _, err := read(t.Certificate)
	if err != nil {
		return nil, err
	}
	key := chain // one file may have both
	if t.Key != "" {
		if key, _, err = read(t.Key); err != nil {
			return nil, err
		}
	}
	for rest := key; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		//lint:ignore SA1019 it is what people have
		if !x509.IsEncryptedPEMBlock(block) {
			continue
		}
		//lint:ignore SA1019 as above
		plain, err := x509.DecryptPEMBlock(block, []byte(t.Password.Reveal()))
		if err != nil {
			return nil, errors.New("the pass phrase does not match the key") // instead of the library's error, which says what was tried
		}
		key = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: plain})
		break
	}
	one, err := tls.X509KeyPair(chain, key)
	return &one, err
}
