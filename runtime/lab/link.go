package lab

import (
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// A Link is an interface of a host with the cable that leads to its segment.
type Link struct {
	host        *Host
	name        string
	far         netlink.Link // the cable's other end, a port of the bridge
	switchboard *netlink.Handle
}

// Down unplugs the cable: the interface stays up and loses its carrier.
func (l *Link) Down() {
	l.host.t.Helper()
	l.host.must(l.switchboard.LinkSetDown(l.far), "unplug "+l.name)
	l.await(netlink.OperLowerLayerDown, netlink.OperDown)
}

// Up plugs the cable in again.
func (l *Link) Up() {
	l.host.t.Helper()
	l.host.must(l.switchboard.LinkSetUp(l.far), "plug "+l.name)
	l.await(netlink.OperUp)
}

// Isolate splits the segment without any link going down: isolated links do not hear each other, only the rest of the
// segment, which hears them all.
func (l *Link) Isolate(on bool) {
	l.host.t.Helper()
	l.host.must(l.switchboard.LinkSetIsolated(l.far, on), "isolate "+l.name)
}

// MAC is the interface's Ethernet address.
func (l *Link) MAC() net.HardwareAddr {
	l.host.t.Helper()
	return l.get().Attrs().HardwareAddr
}

// Index is the interface's number inside the host.
func (l *Link) Index() int {
	l.host.t.Helper()
	return l.get().Attrs().Index
}

func (l *Link) get() netlink.Link {
	l.host.t.Helper()
	link, err := l.host.netlink.LinkByName(l.name)
	l.host.must(err, "find "+l.name)
	return link
}

// await waits until the kernel has noticed the carrier, a little after the other end changed.
func (l *Link) await(states ...netlink.LinkOperState) {
	l.host.t.Helper()
	Eventually(l.host.t, 5*time.Second, fmt.Sprintf("%s of %s to be %v", l.name, l.host.name, states[0]), func() bool {
		state := l.get().Attrs().OperState
		for _, s := range states {
			if s == state {
				return true
			}
		}
		return false
	})
}
