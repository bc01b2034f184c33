package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/compiler/report"
	"keepc/grammar/diag"
	"keepc/runtime/daemon"
	"keepc/runtime/kernel"
	"keepc/runtime/status"
)

// A runRun is one run of the verb run.
type runRun struct {
	*App
	watch bool

	stdin   sync.Once
	text    []byte // of standard input
	readErr error
}

func (a *App) run() *cobra.Command {
	run := &runRun{App: a}
	c := &cobra.Command{
		Use:   "run [file]",
		Short: "Enforce the file, and keep it enforced",
		Long: "Take part in VRRP, program IPVS and check real servers as the file says, until SIGTERM or SIGINT.\n" +
			"SIGHUP reloads the file. A file with errors is refused; at a reload the old configuration stays in force.\n\n" + unbounded,
		Example: `  keepc run
  keepc run --watch lb01.conf
  keepc run -v --format json lb01.conf`,
		Annotations: onHost(formats("human", "json")),
		Args:        cobra.MaximumNArgs(1),
		RunE:        func(c *cobra.Command, args []string) error { return run.main(c.Context(), a.oneFile(args)) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&run.watch, "watch", false, "reload by itself when the file changes")
	return c
}

func (r *runRun) main(ctx context.Context, name string) error {
	if err := kernel.Capabilities(); err != nil {
		return failed(fmt.Errorf("run: %w", err))
	}
	// One director a network namespace: two would fight for the addresses. The socket that it answers on is the lock.
	only, err := status.Listen()
	var taken *status.TakenError
	if err != nil && !errors.As(err, &taken) {
		return failed(fmt.Errorf("run: %w", err))
	}
	if only != nil {
		defer only.Close()
	}

	signal.Ignore(syscall.SIGPIPE) // who reads the log may go; the director stays
	out := daemon.NewWriter(r.Stdout)
	defer out.Close(time.Second)
	log := slog.New(r.handler(out))
	if taken != nil {
		log.Error(taken.Error(), "subject", "status")
	}

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends a farewell that hangs
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)

	code := exitFailed
	err = daemon.Run(ctx, daemon.Options{
		File: r.shown(name),
		Load: func() daemon.Loaded {
			l := r.load(name)
			code = l.code
			return l.Loaded
		},
		Open: func() (kernel.Kernel, error) {
			k, err := kernel.Open()
			if err != nil {
				return nil, err
			}
			return kernel.Record(k, func(w kernel.Write) {
				if w.Err == nil {
					log.Debug(fmt.Sprintf("%s %s", w.Verb, w.Key), "subject", "kernel")
				}
			}), nil
		},
		Log:    log,
		Reload: hup,
		Watch:  r.watch,
		Seed:   rand.Uint64(),
		Status: only,
		Thread: true,
	})
	var refused *daemon.RefusedError
	if errors.As(err, &refused) {
		fmt.Fprintln(r.Stderr, refused.Findings)
		return exit{code: code}
	}
	return failed(err)
}

// notYet names what keepc cannot do yet and would do wrongly on the wire: better no director than a second master.
func notYet(cfg *ir.Config) string {
	var lines []string
	for _, u := range cfg.NotEnforced {
		if u.Refused {
			lines = append(lines, fmt.Sprintf("%s: error: %s", u.At, u))
		}
	}
	return strings.Join(lines, "\n")
}

func (r *runRun) handler(out io.Writer) slog.Handler {
	level := slog.LevelInfo
	switch {
	case r.verbose:
		level = slog.LevelDebug
	case r.quiet:
		level = slog.LevelWarn
	}
	if r.format == "json" {
		return slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level})
	}
	return daemon.NewConsole(out, level)
}

// A loaded configuration with the exit code for the case that it is refused.
type loaded struct {
	daemon.Loaded
	code int
}

// load reads and compiles a file for a director. Errors of severity error refuse it, and so does a file that asks for nothing:
// it is one that somebody is writing.
func (r *runRun) load(name string) loaded {
	app := *r.App
	files := daemon.Files{}
	app.FS = &recordingFS{FS: r.FS, files: files}
	if name == "-" { // standard input can be read once
		r.stdin.Do(func() { r.text, r.readErr = r.read(name) })
		if r.readErr != nil {
			return loaded{Loaded: daemon.Loaded{Refused: r.readErr.Error(), Files: files}, code: exitFailed}
		}
		app.Stdin = bytes.NewReader(r.text)
	}
	l := app.load(name)
	l.Files = files
	if l.Config == nil {
		return l
	}
	why := notYet(l.Config)
	if len(l.Config.Instances)+len(l.Config.VirtualServers) == 0 {
		why = r.shown(name) + ": error: it has no instance and no virtual server; there is nothing to enforce"
	}
	if why != "" {
		l.Config, l.Refused, l.code = nil, why, exitFindings
	}
	return l
}

// load reads and compiles a file. Errors of severity error refuse it.
func (a *App) load(name string) (l loaded) {
	f := a.file(job{name: name, ids: a.ids, version: a.forVersion})
	if f.err != nil {
		l.Refused, l.code = f.err.Error(), exitFailed
		return l
	}
	f.Findings = slices.DeleteFunc(f.Findings, func(d diag.Diagnostic) bool { return d.Severity < diag.Error })
	if len(f.Findings) == 0 {
		l.Config = f.readings[0].config
		return l
	}
	var b strings.Builder
	l.code = exitFindings
	if err := report.Short(&b, report.NewCheck([]report.File{f.File}), false); err != nil {
		b.WriteString(err.Error())
	}
	l.Refused = strings.TrimRight(b.String(), "\n")
	return l
}

// A recordingFS notes what is read, so that a director knows which files its configuration depends on: includes too, those that
// are missing, and the directories in which an include looks for files.
type recordingFS struct {
	fs.FS
	files daemon.Files
}

func (r *recordingFS) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil {
		r.files["/"+name] = daemon.NewDigest(nil, err)
		return nil, err
	}
	return &recordedFile{File: f, hash: sha256.New(), end: func(d daemon.Digest) { r.files["/"+name] = d }}, nil
}

// ReadDir implements fs.ReadDirFS, which fs.Glob prefers.
func (r *recordingFS) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := fs.ReadDir(r.FS, name)
	r.files["/"+name] = daemon.NewDigest(nil, err)
	if err == nil {
		r.files["/"+name] = daemon.NewListing(list)
	}
	return list, err
}

// Stat implements fs.StatFS: looking is not reading.
func (r *recordingFS) Stat(name string) (fs.FileInfo, error) {
	info, err := fs.Stat(r.FS, name)
	if err != nil {
		r.files["/"+name] = daemon.NewDigest(nil, err)
	}
	return info, err
}

// Lstat implements fs.ReadLinkFS.
func (r *recordingFS) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(r.FS, name) }

// ReadLink implements fs.ReadLinkFS.
func (r *recordingFS) ReadLink(name string) (string, error) { return fs.ReadLink(r.FS, name) }

// A recordedFile is read once from its start, and counts as what was read.
type recordedFile struct {
	fs.File
	hash hash.Hash
	read bool
	end  func(daemon.Digest)
}

func (f *recordedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.hash.Write(b[:n])
	f.read = true
	return n, err
}

func (f *recordedFile) Close() error {
	if f.read {
		f.end(daemon.Digest(f.hash.Sum(nil)))
	}
	return f.File.Close()
}
