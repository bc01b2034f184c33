package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"keepc/compiler/ir"
	"keepc/runtime/probe"
)

// A hashRun is one run of the verb hash.
type hashRun struct {
	*App
	virtualHost, version string
	sni                  bool
	timeout              time.Duration
}

func (a *App) hash() *cobra.Command {
	run := &hashRun{App: a}
	c := &cobra.Command{
		Use:   "hash URL",
		Short: "Print the digest of a page, for digest in HTTP_GET and SSL_GET",
		Long: "Fetch a page as a health check would, and print its MD5 digest for the keyword digest in HTTP_GET and SSL_GET, as genhash does.\n" +
			"The page is taken as sent: redirects are not followed, compressed or chunked bodies are not decoded. Certificates are not verified.\n\n" +
			"Exit codes: 0 done, 3 the server does not answer.",
		Example: `  keepc hash http://10.0.0.7/health
  keepc hash https://10.0.0.7:8443/ --virtualhost www.example.com --sni`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return run.main(args[0]) },
	}
	f := c.Flags()
	f.StringVarP(&run.virtualHost, "virtualhost", "V", "", "the Host header; the address by default")
	f.StringVarP(&run.version, "protocol", "P", "1.0", "the version of HTTP: 1.0, 1.0C (which closes the connection) or 1.1")
	f.BoolVar(&run.sni, "sni", false, "send the virtual host in TLS (SNI)")
	f.DurationVarP(&run.timeout, "timeout", "t", 5*time.Second, "how long to wait for the server")
	return c
}

func (r *hashRun) main(page string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	version := strings.ToUpper(r.version)
	if version != "1.0" && version != "1.0C" && version != "1.1" {
		return fmt.Errorf("--protocol %s: expected 1.0, 1.0C or 1.1", r.version)
	}
	u, err := url.Parse(page)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not a page: expected http://ADDRESS/PATH or https://ADDRESS/PATH", page)
	}
	target, err := webServer(ctx, u)
	if err != nil {
		return exit{exitFailed, err}
	}
	host := r.virtualHost
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && host == "" {
		host = u.Host
	}
	check := &ir.Check{
		Checker: &ir.HTTPCheck{
			TLS: u.Scheme == "https", Version: version, SNI: r.sni, URLs: []*ir.URL{{Path: u.RequestURI(), VirtualHost: host}},
		},
		Connection: ir.Connection{Target: target},
	}
	ask := probe.Ask{Check: check, Limit: r.timeout}
	if r.verbose {
		ask.Trace = r.step
	}
	status, digest, err := probe.Digest(ctx, ask)
	if err != nil {
		return exit{exitFailed, fmt.Errorf("%s: %w", page, err)}
	}
	if status < 200 || status > 299 {
		fmt.Fprintf(r.Stderr, "%s: the status is %d: a check takes it only with status_code %d\n", page, status, status)
	}
	_, err = fmt.Fprintf(r.Stdout, "%s\n", digest)
	return failed(err)
}

// step prints a step of a check and its time.
func (a *App) step(step string, took time.Duration) {
	fmt.Fprintf(a.Stderr, "  %8.1f ms  %s\n", took.Seconds()*1000, step)
}

// webServer returns the address of the server of a page.
func webServer(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if to, err := netip.ParseAddrPort(net.JoinHostPort(u.Hostname(), port)); err == nil {
		return to, nil
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, err
	}
	if len(all) == 0 {
		return netip.AddrPort{}, errors.New(u.Hostname() + " has no address")
	}
	return netip.AddrPortFrom(all[0].Unmap(), uint16(n)), nil
}
