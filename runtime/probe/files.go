package probe

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// maxFile is the size of the largest file of certificates that is read, in bytes; all authorities of Debian together
// have 220 KiB.
const maxFile = 8 << 20

// files reads the files that checks need. It is safe for concurrent use. The zero value is ready.
type files struct {
	mu    sync.Mutex
	turns map[string]chan struct{}
	pools map[string]pool
}

// A pool is the certificates of a file, and the file as it was when they were read.
type pool struct {
	*x509.CertPool
	of fs.FileInfo
}

// within reads a file by a function, and waits for it no longer than the limit: a file system may hang. Then it keeps
// one goroutine for each file, and not one for each check.
func within[T any](ctx context.Context, f *files, name string, limit time.Duration, read func() (T, error)) (value T, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	turn := f.turn(name)
	late := func() error { return fmt.Errorf("%s cannot be read within %v", name, limit) }
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return value, late()
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-turn }()
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return value, late()
	}
}

func (f *files) turn(name string) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.turns == nil {
		f.turns = map[string]chan struct{}{}
	}
	if f.turns[name] == nil {
		f.turns[name] = make(chan struct{}, 1)
	}
	return f.turns[name]
}

// pool returns the certificates of a file in PEM. It reads the file only if it has changed since it was last read.
func (f *files) pool(name string) (*x509.CertPool, error) {
	f.mu.Lock()
	last, ok := f.pools[name]
	f.mu.Unlock()
	if ok {
		now, err := os.Stat(name)
		if err == nil && os.SameFile(now, last.of) && now.ModTime().Equal(last.of.ModTime()) && now.Size() == last.of.Size() {
			return last.CertPool, nil
		}
	}
	text, info, err := read(name)
	if err != nil {
		return nil, err
	}
	p := pool{x509.NewCertPool(), info}
	if !p.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has none in PEM", name)
	}
	if time.Since(info.ModTime()) > 2*time.Second { // the times of some file systems do not tell two writes in two seconds apart
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.pools == nil {
			f.pools = map[string]pool{}
		}
		f.pools[name] = p
	}
	return p.CertPool, nil
}

// read returns the text of a regular file, and the file as it was before it was read.
func read(name string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0) // a pipe must not wait for a writer
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(text) > maxFile {
		return nil, nil, fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return text, info, nil
}
