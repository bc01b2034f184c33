package daemon

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/ir"
	"keepc/runtime/kernel"
)

// TestReloadDrainsWhatItGivesUp checks that the services of an announced address that a reload removes from the file
// stay while the address drains, and so does everything else that the reload changes.
func TestReloadDrainsWhatItGivesUp(t *testing.T) {
	const second = `virtual_server 10.0.0.4 80 {
	lb_algo wrr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.7 80 {
		weight 1
	}
}
`
	heavier := strings.Replace(first, "weight 1", "weight 3", 1)
	at := netip.MustParseAddr("10.0.0.4")
	other := ir.ServiceKey{Protocol: ir.TCP, Addr: at, Port: 80}
	for _, c := range []struct {
		name   string
		drain  uint32 // drain_table
		file   string
		then   string // the file that is reloaded 1 s later; empty: none
		end    bool   // of the director, 2 s after the reload
		played string
	}{
		{"by way of the drain table", 199, first, "", false, "198+199 service | 199 service | 199 service | - -"},
		{"without one", 0, first, "", false, "- service | - - | - - | - -"},
		{"a service that stays", 199, heavier + second, "", false, "198 service | 198 service | 198 service | 198 service"},
		{"the director ends meanwhile", 199, first, "", true, "198+199 service | 199 service | 199 service | - -"},
		{"a second reload takes it back", 199, first, heavier + second, false, "198+199 service | 199 service | 198 service | 198 service"},
		{"a second reload is refused", 199, first, "vrrp_instance {", false, "198+199 service | 199 service | 199 service | - -"},
		{"a second reload gives up the same", 199, first, heavier, false, "198+199 service | 199 service | 199 service | - -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBox("10.0.0.5", first+second)
				b.beside = []*ir.Announcement{{Name: ir.Name{Text: "edge"}, Addresses: []ir.PlacedAddr{{Addr: at}}, Table: 198, DrainTable: c.drain, Drain: 5 * time.Second}}
				b.start()
				after(10 * time.Second)
				b.reload(c.file)
				var played []string
				look := func(d time.Duration) {
					after(d)
					have, _, _ := kernel.Observe(b.Fake)
					var tables []string
					for _, table := range []uint32{198, 199} {
						for k := range have.Routes {
							if k.Table == table && k.Dst.Addr() == at {
								tables = append(tables, map[uint32]string{198: "198", 199: "199"}[table])
							}
						}
					}
					serves := "-"
					if _, some := have.Services[other]; some {
						serves = "service"
					}
					if len(tables) == 0 {
						tables = []string{"-"}
					}
					played = append(played, strings.Join(tables, "+")+" "+serves)
				}
				look(100 * time.Millisecond)
				look(900 * time.Millisecond)
				if c.then != "" {
					b.reload(c.then)
				}
				if c.end {
					b.cancel()
				}
				look(4 * time.Second)
				look(5 * time.Second)
				if got := strings.Join(played, " | "); got != c.played {
					t.Errorf("0.1, 1, 5 and 10 s after the reload:\n%s\nwant\n%s\n%s", got, c.played, b.log.String())
				}
				if c.end {
					if err := <-b.done; err != nil {
						t.Error(err)
					}
					return
				}
				if !b.said("done in ") {
					t.Errorf("the reload did not end:\n%s", b.log.String())
				}
				b.stop(t)
			})
		})
	}
}
