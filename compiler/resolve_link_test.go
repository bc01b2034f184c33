package compiler_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// TestFollows checks that an instance follows its virtual interface, and the interfaces in its lines unless they say
// no_track. If a tracker in the file names the same interface, its weight counts.
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

// TestFollowsStatic checks which interfaces of static objects an instance follows: those of lines with dev or iif that
// come after their track_group, the first one of its name, and have no no_track.
func TestFollowsStatic(t *testing.T) {
	text := `static_ipaddress {
    192.0.2.1/24 dev eth1 track_group G
}
track_group G {
    group {
        VI_1
    }
}
track_group G {
    group {
        VI_2
    }
}
static_ipaddress {
    192.0.2.2/24 dev eth0 track_group G
    192.0.2.3/24 dev eth2 track_group G
    192.0.2.4/24 dev eth3 track_group G no_track
    192.0.2.5/24 dev eth4 track_group H
}
static_routes {
    198.51.100.0/24 dev eth5 track_group G
    198.51.101.0/24 nexthop dev eth6 nexthop dev eth7 track_group G
}
static_rules {
    iif eth8 oif eth9 table 100 track_group G
    oif eth10 table 100 track_group G
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 7
    track_interface {
        eth2 weight 5
    }
    virtual_ipaddress {
        192.0.2.10/24
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 8
    virtual_ipaddress {
        192.0.2.11/24
    }
}
`
	u := compiler.Load(source.New("lb01.conf", []byte(text)), compiler.Options{})
	for _, cfg := range []*ir.Config{u.Config, u.Literal().Config} {
		for i, want := range []string{"eth2 eth5 eth8", ""} {
			if got := strings.Join(cfg.Instances[i].Follows(), " "); got != want {
				t.Errorf("%s: got %q, want %q", cfg.Instances[i].Name, got, want)
			}
		}
	}
}

// TestLinkNames checks that names are given in file order, avoiding those that the file uses.
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
