package ipvsadm

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"keepc/compiler/state"
)

// read applies lines to an empty table.
func read(t testing.TB, text string) state.State {
	t.Helper()
	s := state.New()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if err := Apply(&s, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return s
}

func written(t testing.TB, s state.State) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func diff(want, got state.State) string {
	return cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.IgnoreTypes(state.Provenance{}))
}

// TestRules reads rules as people and ipvsadm -Sn write them, and checks how they are written back.
func TestRules(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a service", "-A -t 10.0.0.3:80 -s wrr", "-A -t 10.0.0.3:80 -s wrr"},
		{"with the program's name", "sudo /sbin/ipvsadm -A -t 10.0.0.3:80", "-A -t 10.0.0.3:80 -s wlc"},
		{"in long words", "--add-service --udp-service 10.0.0.3:53 --scheduler sh --ops", "-A -u 10.0.0.3:53 -s sh -o"},
		{"bundled", "-At 10.0.0.3:80", "-A -t 10.0.0.3:80 -s wlc"},
		{"persistence alone", "-A -t 10.0.0.3:80 -p", "-A -t 10.0.0.3:80 -s wlc -p 300"},
		{"persistence before another flag", "-A -t 10.0.0.3:80 -p -s rr", "-A -t 10.0.0.3:80 -s rr -p 300"},
		{"granularity", "-A -t 10.0.0.3:80 -p 20 -M 255.255.255.0", "-A -t 10.0.0.3:80 -s wlc -p 20 -M 255.255.255.0"},
		{"granularity of bits that do not lead", "-A -t 10.0.0.3:80 -p 20 -M 255.0.255.0", "-A -t 10.0.0.3:80 -s wlc -p 20 -M 255.0.255.0"},
		{"granularity of IPv6", "-A -t [2001:db8::3]:443 -s sh -p 5 -M 64", "-A -t [2001:db8::3]:443 -s sh -p 5 -M 64"},
		{"granularity of one client", "-A -t 10.0.0.3:80 -p 20 -M 255.255.255.255", "-A -t 10.0.0.3:80 -s wlc -p 20"},
		{"engine", "-A -u 10.0.0.3:5060 -s sh -p 300 --pe sip -o", "-A -u 10.0.0.3:5060 -s sh -p 300 --pe sip -o"},
		{"flags of schedulers", "-A -t 10.0.0.3:80 -s mh -b mh-port,mh-fallback\n-A -t 10.0.0.4:80 -s rr -b flag-3",
			"-A -t 10.0.0.3:80 -s mh -b flag-1,flag-2\n-A -t 10.0.0.4:80 -s rr -b flag-3"},
		{"firewall marks", "-A -f 7 -s rr\n-A -f 8 -6 -s rr -p 360 -M 64", "-A -f 7 -s rr\n-A -f 8 -6 -s rr -p 360 -M 64"},
		{"sctp", "-A --sctp-service 10.0.0.3:99 -s lc", "-A --sctp-service 10.0.0.3:99 -s lc"},
		{"real servers", "-A -t 10.0.0.3:80\n-a -t 10.0.0.3:80 -r 10.0.0.7:8080 -m -w 0 -x 9 -y 3\n-a -t 10.0.0.3:80 -r 10.0.0.8\n-a -t 10.0.0.3:80 -r 10.0.0.9:80 -i",
			"-A -t 10.0.0.3:80 -s wlc\n-a -t 10.0.0.3:80 -r 10.0.0.7:8080 -m -w 0 -x 9 -y 3\n-a -t 10.0.0.3:80 -r 10.0.0.8:80 -g -w 1\n-a -t 10.0.0.3:80 -r 10.0.0.9:80 -i -w 1"},
		{"tunnels", "-A -t 10.0.0.3:80\n-a -t 10.0.0.3:80 -r 10.0.0.7 -i --tun-type gue --tun-port 5555 --tun-csum\n-a -t 10.0.0.3:80 -r 10.0.0.8 -i --tun-type gre\n-a -t 10.0.0.3:80 -r 10.0.0.9 -i --tun-type ipip",
			"-A -t 10.0.0.3:80 -s wlc\n-a -t 10.0.0.3:80 -r 10.0.0.7:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-csum\n-a -t 10.0.0.3:80 -r 10.0.0.8:80 -i -w 1 --tun-type gre --tun-nocsum\n-a -t 10.0.0.3:80 -r 10.0.0.9:80 -i -w 1"},
		{"edited", "-A -t 10.0.0.3:80 -s rr -p 9\n-E -t 10.0.0.3:80 -s lc\n-a -t 10.0.0.3:80 -r 10.0.0.8:80\n-e -t 10.0.0.3:80 -r 10.0.0.8:80 -w 5",
			"-A -t 10.0.0.3:80 -s lc\n-a -t 10.0.0.3:80 -r 10.0.0.8:80 -g -w 5"},
		{"cleared", "-A -t 10.0.0.3:80\n-C\n-A -t 10.0.0.4:80", "-A -t 10.0.0.4:80 -s wlc"},
		{"timeouts", "--set 30 5 60", "--set 30 5 60"},
		{"timeouts one by one", "--set 30 5 60\n--set 0 7 0", "--set 30 7 60"},
		{"timeouts as listed", "Timeout (tcp tcpfin udp): 900 120 300", "--set 900 120 300"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := read(t, c.in)
			got := written(t, s)
			if strings.TrimSpace(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if d := diff(s, read(t, got)); d != "" {
				t.Errorf("written and read again:\n%s", d)
			}
		})
	}
}

// TestWrong checks what is said about lines that are not rules.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"-L -n", "unknown shorthand"},
		{"-A", "expected one service"},
		{"-A -a -t 10.0.0.9:80", "expected one of -A"},
		{"-A -t web:http", "ipvsadm -Sn prints"},
		{"-A -t 10.0.0.3:80", "tcp 10.0.0.3:80 is there already"},
		{"-A -t 10.0.0.9:80 -M 255.0.255", "not a netmask"},
		{"-A -t 10.0.0.9:80 -p 9999999", "outside 0..2678400"},
		{"-A -t 10.0.0.9:80 -b sticky", "not a flag"},
		{"-A -t 10.0.0.9:80 -u 10.0.0.9:80", "expected one service"},
		{"-E -t 10.0.0.9:80", "there is no tcp 10.0.0.9:80 to edit"},
		{"-a -t 10.0.0.9:80 -r 10.0.0.7:80", "its -A line must come before"},
		{"-a -t 10.0.0.3:80 -r 10.0.0.7:80 -g -m", "expected one of -g, -i and -m"},
		{"-a -t 10.0.0.3:80 -r 10.0.0.7:80 -w -1", "-w -1 is negative"},
		{"-A -t 10.0.0.9:80 extra", `"extra" is one word too many`},
		{"-a -t 10.0.0.3:80 -r 10.0.0.7:80 -i --tun-type vxlan", "not a type of tunnel"},
		{"-a -t 10.0.0.3:80 -r 10.0.0.7:80 -i --tun-type gue", "--tun-port belongs to gue"},
		{"--set 30 5", "three numbers"},
		{"--set 30 5 -1", "unknown shorthand"},
		{"--set 30 5 9999999", "not a number of seconds"},
		{"-h", "help"},
	} {
		s := read(t, "-A -t 10.0.0.3:80 -s wrr")
		err := Apply(&s, c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.line, err, c.want)
		}
		if d := diff(read(t, "-A -t 10.0.0.3:80 -s wrr"), s); d != "" {
			t.Errorf("%s: the table changed:\n%s", c.line, d)
		}
	}
}

// FuzzApply checks that whatever is accepted is written in a form that is read back as the same.
func FuzzApply(f *testing.F) {
	f.Add("-A -t 10.0.0.3:80 -s wrr -p 20\n-a -t 10.0.0.3:80 -r 10.0.0.7:80 -g -w 1\n--set 30 5 60")
	f.Add("-A -u [2001:db8::3]:53 -p -M 64 --pe sip -b sh-port\n-E -u [2001:db8::3]:53\nTimeout (tcp tcpfin udp): 1 2 3")
	f.Add("ipvsadm -A -f 7 -6\n-a -f 7 -6 -r [::1] -m -x 1 -y 2\n-C")
	f.Fuzz(func(t *testing.T, text string) {
		s := state.New()
		for _, line := range strings.Split(text, "\n") {
			_ = Apply(&s, line)
		}
		got := written(t, s)
		if got != "" && written(t, read(t, got)) != got {
			t.Errorf("%q is read as\n%s", got, written(t, read(t, got)))
		}
	})
}
