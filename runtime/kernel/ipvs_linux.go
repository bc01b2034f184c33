package kernel

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/moby/ipvs"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"keepc/compiler/ir"
	"keepc/compiler/state"
)

// Flags of a service that say how the kernel holds it, not what was asked for (linux/ip_vs.h).
const (
	svcPersistent = 0x1
	svcHashed     = 0x2
)

// ipvsPatience limits one exchange with the kernel, because moby/ipvs waits for a lost reply forever. A table of
// 40,000 servers is read in a few seconds on an emulated machine.
const ipvsPatience = time.Minute

// The ipvsTable is the connection to IPVS: moby/ipvs reads, ipvsWriter writes. It opens when the kernel has ip_vs,
// even if that is later than the start of this process. Neither half is safe for concurrent use, hence the lock.
type ipvsTable struct {
	space  string // the network namespace of the table, as the path of a file; empty: that of the process
	mu     sync.Mutex
	reader *ipvs.Handle // nil: not open
	writer *ipvsWriter
	first  uint16 // the family's number when the table was first opened: moby/ipvs keeps using it forever
	absent string // why modprobe did not help: it is tried once, because a director looks at every reload
}

// use calls f with the open table, in its network namespace: f may open sockets of its own. Errors: ErrNoIPVS, those
// of f.
func (t *ipvsTable) use(f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return within(t.space, func() error {
		if t.reader == nil {
			if err := t.open(); err != nil {
				return err
			}
		}
		err := f()
		if err != nil {
			// A reply may have been lost, or the module unloaded: start again next time.
			t.reset()
		}
		return err
	})
}

func (t *ipvsTable) open() error {
	family, err := t.family()
	if err != nil {
		return err
	}
	if t.first != 0 && t.first != family {
		return errors.New("ip_vs was unloaded and loaded again since keepc read it first: restart keepc")
	}
	// moby/ipvs looks up the family once in the life of a process, so it must not be used before there is one. It also
	// runs modprobe, and logs the result.
	logrus.SetOutput(io.Discard)
	reader, err := ipvs.New("")
	if err != nil {
		return fmt.Errorf("open the IPVS table: %w", err)
	}
	writer, err := newIPVSWriter(family)
	if err != nil {
		reader.Close()
		return fmt.Errorf("open the IPVS table: %w", err)
	}
	t.reader, t.writer, t.first = reader, writer, family
	return nil
}

// family returns the number of the kernel's generic-netlink family, and loads the module if it is missing.
func (t *ipvsTable) family() (uint16, error) {
	family, err := familyNumber("IPVS")
	if errors.Is(err, unix.ENOENT) && t.absent == "" {
		out, failed := exec.Command("modprobe", "ip_vs").CombinedOutput()
		t.absent = cmp.Or(strings.TrimSpace(string(out)), fmt.Sprintf("modprobe ip_vs: %v", failed))
		family, err = familyNumber("IPVS")
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return 0, fmt.Errorf("%w (%s)", ErrNoIPVS, t.absent)
	case err != nil:
		return 0, fmt.Errorf("look for IPVS in the kernel: %w", err)
	}
	return family, nil
}

// LoadIPVS makes sure that the kernel has ip_vs, because this process may later lack the right to load it. Errors:
// ErrNoIPVS.
func LoadIPVS() error {
	_, err := (&ipvsTable{}).family()
	return err
}

func (t *ipvsTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reset()
}

func (t *ipvsTable) reset() {
	if t.reader == nil {
		return
	}
	t.reader.Close()
	t.writer.close()
	t.reader, t.writer = nil, nil
}

// look calls f with the open table's reader, for up to ipvsPatience. The kernel demands CAP_NET_ADMIN even for
// reading.
func (l *Linux) look(f func(*ipvs.Handle) error) error {
	err := l.table.use(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), ipvsPatience)
		defer cancel()
		defer context.AfterFunc(ctx, l.table.reader.Close)()
		return f(l.table.reader)
	})
	return permission(err, netAdmin)
}

// services lists all virtual servers.
func (l *Linux) services(state.State, iter.Seq[ir.ServiceKey]) (map[ir.ServiceKey]state.Service, error) {
	all := map[ir.ServiceKey]state.Service{}
	return all, l.look(func(reader *ipvs.Handle) error {
		list, err := reader.GetServices()
		if err != nil {
			return fmt.Errorf("list virtual servers: %w", err)
		}
		engines, err := l.table.engines()
		if err != nil {
			return err
		}
		for _, s := range list {
			k := serviceKey(s)
			all[k] = service(s, engines[k])
		}
		return nil
	})
}

// destinations lists the real servers of the virtual servers. The version in moby/ipvs truncates weights to 16 bits
// and knows no tunnels.
func (l *Linux) destinations(have state.State, _ iter.Seq[state.DestinationKey]) (map[state.DestinationKey]state.Destination, error) {
	all := map[state.DestinationKey]state.Destination{}
	return all, l.look(func(*ipvs.Handle) error {
		for k := range have.Services {
			err := l.table.dump(cmdGetDest, appendService(nil, k, nil), attrDest, func(a attributes) {
				all[state.DestinationKey{Service: k, Server: a.server()}] = a.destination()
			})
			if err != nil {
				return fmt.Errorf("list the real servers of %s: %w", k, err)
			}
		}
		return nil
	})
}

// Connections implements Balancing.
func (l *Linux) Connections(k ir.ServiceKey) (map[netip.AddrPort]Connections, error) {
	all := map[netip.AddrPort]Connections{}
	return all, l.look(func(*ipvs.Handle) error {
		err := l.table.dump(cmdGetDest, appendService(nil, k, nil), attrDest, func(a attributes) {
			all[a.server()] = Connections{Active: a.uint32(dstActive), Inactive: a.uint32(dstInactive), Persistent: a.uint32(dstPersistent)}
		})
		if err != nil && !errors.Is(err, unix.ESRCH) { // no such service
			return fmt.Errorf("count the connections of %s: %w", k, err)
		}
		return nil
	})
}

// Traffic implements Balancing. Linux counts in 64 bits since 4.1.
func (l *Linux) Traffic(ctx context.Context) (Traffics, error) {
	all := Traffics{map[ir.ServiceKey]Traffic{}, map[state.DestinationKey]Traffic{}}
	err := l.look(func(*ipvs.Handle) error {
		if ctx.Err() != nil {
			return nil
		}
		err := l.table.dump(cmdGetService, nil, attrService, func(a attributes) { all.Services[a.service()] = a.traffic(svcTraffic) })
		if err != nil {
			return fmt.Errorf("count the traffic of virtual servers: %w", err)
		}
		for k := range all.Services {
			if ctx.Err() != nil {
				return nil
			}
			err := l.table.dump(cmdGetDest, appendService(nil, k, nil), attrDest, func(a attributes) {
				all.Servers[state.DestinationKey{Service: k, Server: a.server()}] = a.traffic(dstTraffic)
			})
			if err != nil && !errors.Is(err, unix.ESRCH) { // it was deleted meanwhile
				return fmt.Errorf("count the traffic of the real servers of %s: %w", k, err)
			}
		}
		return nil
	})
	return all, errors.Join(err, ctx.Err())
}

// timeouts reads how long idle connections are remembered.
func (l *Linux) timeouts(state.State, iter.Seq[state.TimeoutsKey]) (map[state.TimeoutsKey]state.Timeouts, error) {
	all := map[state.TimeoutsKey]state.Timeouts{}
	return all, l.look(func(reader *ipvs.Handle) error {
		c, err := reader.GetConfig()
		if err != nil {
			return fmt.Errorf("read the timeouts of ipvs: %w", err)
		}
		all[state.TimeoutsKey{}] = state.Timeouts{Timeouts: ir.Timeouts{TCP: c.TimeoutTCP, TCPFin: c.TimeoutTCPFin, UDP: c.TimeoutUDP}}
		return nil
	})
}

func serviceKey(s *ipvs.Service) ir.ServiceKey {
	if s.FWMark != 0 {
		return ir.ServiceKey{FWMark: s.FWMark, IPv6: s.AddressFamily == unix.AF_INET6}
	}
	addr, _ := netip.AddrFromSlice(s.Address)
	return ir.ServiceKey{Protocol: ir.Protocol(s.Protocol), Addr: addr, Port: s.Port}
}

func service(s *ipvs.Service, engine string) state.Service {
	out := state.Service{Scheduler: s.SchedName, Engine: engine, Flags: s.Flags &^ (svcPersistent | svcHashed)}
	if s.Flags&svcPersistent != 0 {
		out.Persistence = time.Duration(s.Timeout) * time.Second
		out.Mask = ir.MaskOf(int(s.Netmask), true)
		if s.AddressFamily != unix.AF_INET6 {
			out.Mask = ir.ClientMask(binary.BigEndian.Uint32(binary.NativeEndian.AppendUint32(nil, s.Netmask)))
		}
	}
	return out
}

// netmask is a mask of clients as the kernel takes it: for IPv4 in network byte order, for IPv6 the length itself.
func netmask(m ir.ClientMask, v6 bool) uint32 {
	if m == 0 {
		m = ir.MaskOf(128, v6)
	}
	if v6 {
		return m.Bits()
	}
	return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, m.Bits()))
}
