// Package tutorial is the network of the LVS tutorial as lab hosts: two directors, two real servers and two clients on one
// segment, direct routing, one virtual address.
package tutorial

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"keepc/runtime/lab"
)

// VIP is the virtual address that the directors share.
var VIP = netip.AddrFrom4([4]byte{10, 0, 0, 3})

// URL is what the clients ask for.
const URL = "http://10.0.0.3/"

// A Cluster is the network without any daemon running.
type Cluster struct {
	LB01, LB02     *lab.Host // directors 10.0.0.5 and 10.0.0.6
	Web01, Web02   *lab.Host // real servers 10.0.0.7 and 10.0.0.8
	Client, Second *lab.Host // clients 10.0.0.100 and 10.0.0.101
}

// New builds the network. The real servers have the virtual address on lo and do not answer ARP for it, as direct
// routing requires.
func New(n *lab.Net) *Cluster {
	lan := n.Segment("lan")
	host := func(name, addr string) *lab.Host { return n.Host(name, lab.On(lan, "eth0", addr)) }
	c := &Cluster{
		LB01: host("lb01", "10.0.0.5/24"), LB02: host("lb02", "10.0.0.6/24"),
		Web01: host("web01", "10.0.0.7/24"), Web02: host("web02", "10.0.0.8/24"),
		Client: host("client", "10.0.0.100/24"), Second: host("second", "10.0.0.101/24"),
	}
	for _, web := range []*lab.Host{c.Web01, c.Web02} {
		web.Sysctl("net.ipv4.conf.all.arp_ignore", "1")
		web.Sysctl("net.ipv4.conf.all.arp_announce", "2")
		web.AddAddr("lo", VIP.String()+"/32")
	}
	return c
}

// Serve starts nginx on a real server: every page is the server's name. Connections stay open as long as the client wants.
func Serve(web *lab.Host) (*lab.Process, error) {
	conf := filepath.Join(web.Dir(), "nginx.conf")
	text := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
	access_log off;
	keepalive_timeout 600s;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 80 reuseport;
		location / { return 200 "%[2]s\n"; }
	}
}
`, web.Dir(), web.Name())
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("write the configuration of nginx: %w", err)
	}
	return web.Start("nginx", "-e", "stderr", "-c", conf), nil
}

// Get asks for a page through the virtual address over a new connection and returns the name of the server that answered.
func Get(ctx context.Context, client *lab.Host) (server string, err error) {
	status, body, err := client.HTTPGet(ctx, URL)
	switch {
	case err != nil:
		return "", err
	case status != 200:
		return "", fmt.Errorf("status %d", status)
	}
	return strings.TrimSpace(body), nil
}

// Holders returns the names of the directors that hold the virtual address.
func (c *Cluster) Holders() string {
	var names []string
	for _, h := range []*lab.Host{c.LB01, c.LB02} {
		if h.HasAddr(VIP) {
			names = append(names, h.Name())
		}
	}
	return strings.Join(names, " and ")
}
