package privilege_test

import (
	"maps"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/compiler/privilege"
	"keepc/grammar/source"
)

// TestNeeds checks which words of a file need which capabilities, depending on what the machine allows everybody.
func TestNeeds(t *testing.T) {
	server := func(check string) string {
		return "virtual_server 192.0.2.1 80 {\n\tprotocol TCP\n\treal_server 10.0.0.1 80 {\n\t\t" + check + "\n\t}\n}\n"
	}
	instance := "vrrp_instance VI_1 {\n\tinterface eth0\n\tvirtual_router_id 51\n\tvirtual_ipaddress {\n\t\t10.0.0.3\n\t}\n}\n"
	tracked := func(init string) string { return "track_file load {\n\tfile /run/l\n\t" + init + "\n}\n" + instance }
	exempted := false
	exempt := func(*privilege.Host) { exempted = true }
	files := func(name string, a privilege.Access) func(*privilege.Host) {
		return func(h *privilege.Host) {
			others := h.File
			h.File = func(path string) privilege.Access {
				if path == name {
					return a
				}
				return others(path)
			}
		}
	}
	tls := "SSL {\n\tca /ca\n}\n" + server("SSL_GET {\n\t\t\turl {\n\t\t\t\tpath /\n\t\t\t}\n\t\t}")
	var asked *ir.Verification
	verified := func(v ir.Verification, unread string) func(*privilege.Host) {
		return func(h *privilege.Host) { asked = &v; files(unread, privilege.Access{There: true})(h) }
	}
	for _, c := range []struct {
		file  string
		is    func(*privilege.Host) // how the machine differs
		needs string                // in order, without CAP_NET_ADMIN and CAP_SYS_NICE, which every row needs
	}{
		{instance, nil, "NET_RAW of vrrp_instance VI_1"},
		{server("TCP_CHECK {\n\t\t}"), nil, ""},
		{server("TCP_CHECK {\n\t\t\tbind_port 53\n\t\t}"), nil, "NET_BIND_SERVICE of bind_port of TCP_CHECK"},
		{server("TCP_CHECK {\n\t\t\tbind_port 53\n\t\t}"), func(h *privilege.Host) { h.Port = 0 }, ""},
		{server("PING_CHECK {\n\t\t}"), nil, "NET_RAW of PING_CHECK"},
		{server("PING_CHECK {\n\t\t}"), func(h *privilege.Host) { h.Ping = true }, ""},
		{server("MISC_CHECK {\n\t\t\tmisc_path \"/bin/true\"\n\t\t}"), nil, "KILL of misc_path of real_server 10.0.0.1:80"},
		{server("MISC_CHECK {\n\t\t\tmisc_path \"/bin/true\"\n\t\t}"), exempt,
			"KILL of misc_path of real_server 10.0.0.1:80, DAC_OVERRIDE of misc_path of real_server 10.0.0.1:80, DAC_READ_SEARCH of misc_path of real_server 10.0.0.1:80"},
		{"global_defs {\n\tscript_user alice\n}\n" + server("MISC_CHECK {\n\t\t\tmisc_path \"/bin/true\"\n\t\t}"), exempt,
			"SETUID of misc_path of real_server 10.0.0.1:80 as user alice, SETGID of misc_path of real_server 10.0.0.1:80 as user alice, " +
				"KILL of misc_path of real_server 10.0.0.1:80, DAC_READ_SEARCH of misc_path of real_server 10.0.0.1:80"},
		{server("TCP_CHECK {\n\t\t\tbind_if eth0\n\t\t}"), nil, "NET_RAW of bind_if of TCP_CHECK"},
		{server("TCP_CHECK {\n\t\t\tbind_if eth0\n\t\t}"), func(h *privilege.Host) { h.Bind = true }, ""},
		{"net_namespace_ipvs blue\n" + server("TCP_CHECK {\n\t\t}"), nil, "SYS_ADMIN of net_namespace_ipvs"},
		{"global_defs {\n\tchecker_no_swap\n}\n" + instance, nil, "NET_RAW of vrrp_instance VI_1, IPC_LOCK of checker_no_swap"},
		{"global_defs {\n\tvrrp_notify_fifo /run/f alice\n}\n" + instance, nil, "NET_RAW of vrrp_instance VI_1, CHOWN of vrrp_notify_fifo, DAC_OVERRIDE of vrrp_notify_fifo"},
		{"vrrp_track_process web {\n\tprocess nginx\n}\n" + instance, nil, "NET_RAW of vrrp_instance VI_1"},
		{"vrrp_track_process web {\n\tprocess nginx\n}\n" + instance, func(h *privilege.Host) { h.Hidden = true }, "NET_RAW of vrrp_instance VI_1, SYS_PTRACE of vrrp_track_process web"},
		{instance, files("k.conf", privilege.Access{There: true, Write: true}), "NET_RAW of vrrp_instance VI_1, DAC_READ_SEARCH of k.conf"},
		{"global_defs {\n\tvrrp_notify_fifo /run/f\n}\n" + instance, nil, "NET_RAW of vrrp_instance VI_1"},
		{"global_defs {\n\tvrrp_notify_fifo /run/f\n}\n" + instance, files("/run/f", privilege.Access{Read: true}),
			"NET_RAW of vrrp_instance VI_1, DAC_OVERRIDE of vrrp_notify_fifo"},
		{tracked(""), nil, "NET_RAW of vrrp_instance VI_1"},
		{tracked(""), files("/run/l", privilege.Access{Read: true, Write: true}), "NET_RAW of vrrp_instance VI_1, DAC_READ_SEARCH of track_file load"},
		{tracked("init_file 7 overwrite"), nil, "NET_RAW of vrrp_instance VI_1"},
		{tracked("init_file 7 overwrite"), files("/run/l", privilege.Access{Read: true, Write: true}), "NET_RAW of vrrp_instance VI_1"},
		{tracked("init_file 7 overwrite"), files("/run/l", privilege.Access{There: true, Read: true, Write: true}),
			"NET_RAW of vrrp_instance VI_1, CHOWN of init_file of track_file load"},
		{tracked("init_file 7 overwrite"), files("/run/l", privilege.Access{Read: true}),
			"NET_RAW of vrrp_instance VI_1, DAC_OVERRIDE of init_file of track_file load"},
		{"global_defs {\n\treload_file /run/r\n}\n" + instance, files("/run/r", privilege.Access{Read: true}),
			"NET_RAW of vrrp_instance VI_1, DAC_OVERRIDE of reload_file"},
		{"global_defs {\n\treload_time_file /run/r\n}\n" + instance, files("/run/r", privilege.Access{}),
			"NET_RAW of vrrp_instance VI_1, DAC_OVERRIDE of reload_time_file, DAC_READ_SEARCH of reload_time_file"},
		{"SSL {\n\tcertificate /c\n\tkey /k\n}\n" + server("SSL_GET {\n\t\t\turl {\n\t\t\t\tpath /\n\t\t\t}\n\t\t}"), files("/k", privilege.Access{There: true}),
			"DAC_READ_SEARCH of the certificate of SSL"},
		{tls, files("/ca", privilege.Access{There: true}), ""},
		{tls, verified(ir.Verification{}, "/ca"), "DAC_READ_SEARCH of ca of SSL"},
		{tls, verified(ir.Verification{CA: "/own"}, "/ca"), ""},
		{tls, verified(ir.Verification{CA: "/own"}, "/own"), "DAC_READ_SEARCH of ca of verify_certificates"},
	} {
		h := privilege.Host{Other: func(u ir.User) bool { return u.Name == "alice" }, Port: 1024,
			File: func(string) privilege.Access {
				return privilege.Access{There: true, Own: true, Read: true, Write: true}
			}}
		exempted, asked = false, nil
		if c.is != nil {
			c.is(&h)
		}
		cfg := compiler.Load(source.New("k.conf", []byte(c.file)), compiler.Options{Settings: &ir.Settings{Verification: asked}}).Config
		var got []string
		for _, n := range privilege.Needs(&privilege.File{Config: cfg, Exempt: func(ir.Command) bool { return exempted }, Read: maps.Keys(map[string]bool{"k.conf": true})}, h) {
			if n.Capability != "CAP_NET_ADMIN" && n.Capability != "CAP_SYS_NICE" {
				got = append(got, strings.TrimPrefix(n.Capability, "CAP_")+" of "+n.Word)
			}
		}
		if got := strings.Join(got, ", "); got != c.needs {
			t.Errorf("%s\nneeds %q, want %q", c.file, got, c.needs)
		}
	}
}
