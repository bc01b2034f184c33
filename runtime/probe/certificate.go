package probe

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"

	"keepc/compiler/ir"
)

// A certificateError says why the certificate of the block SSL cannot be shown: that is about this machine, and not about the server.
type certificateError struct{ err error }

func (e *certificateError) Error() string { return "the certificate of SSL: " + e.err.Error() }
func (e *certificateError) Unwrap() error { return e.err }

// certificate reads the certificate that a check shows, each time: it may be renewed. A key may be encrypted in the way of PEM itself
// (RFC 1423), which is what a pass phrase of keepalived.conf is for.
func certificate(t *ir.TLS) (*tls.Certificate, error) {
	one, err := readCertificate(t)
	if err != nil {
		return nil, &certificateError{err}
	}
	return one, nil
}

func readCertificate(t *ir.TLS) (*tls.Certificate, error) {
	chain, err := os.ReadFile(t.Certificate)
	if err != nil {
		return nil, err
	}
	key := chain // one file may have both
	if t.Key != "" {
		if key, err = os.ReadFile(t.Key); err != nil {
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
			return nil, errors.New("the pass phrase does not fit the key") // and not what was tried
		}
		key = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: plain})
		break
	}
	one, err := tls.X509KeyPair(chain, key)
	return &one, err
}
