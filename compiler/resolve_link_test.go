package compiler_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/grammar/source"
)

// TestFollows: an instance follows its virtual interface, and what its lines name unless they say no_track. A tracker of the file that
// names the same interface decides what it weighs.
func TestFollows(t *testing.T) {
	text := `vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 7
    use_vmac
    virtual_ipaddress {
        192.0.2.10/24
        192.0.2.11/24 dev eth1
        192.0.2.12/24 dev eth2 no_track
        192.0.2.13/24 dev eth3 use_vmac
    }
    virtual_routes {
        198.51.100.0/24 dev eth4
        198.51.101.0/24 dev eth5 no_track
    }
    virtual_rules {
        from 192.0.2.10 iif eth6 oif eth7 table 100
        from 192.0.2.10 iif eth8 table 100 no_track
    }
    track_interface {
        eth7 weight 5
    }
}
`
	cfg := compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{}).Config
	want := "vrrp.7 eth1 vrrp1.7 eth4 eth6"
	if got := strings.Join(cfg.Instances[0].Follows(), " "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLinkNames: names are given in the order of the file, beside those that the file takes.
func TestLinkNames(t *testing.T) {
	text, err := os.ReadFile("../testdata/enforced/vmac.conf")
	if err != nil {
		t.Fatal(err)
	}
	cfg := compiler.Load(source.New("vmac.conf", text), compiler.Options{}).Config
	var names []string
	for _, v := range cfg.Instances {
		for _, l := range v.Links {
			names = append(names, l.Name+"@"+l.Base)
		}
	}
	if want := []string{"vmac7@eth0", "virtual.8@eth0", "other.9@eth1", "other.10@eth0"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
