package daemon

import (
	"encoding/json"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/status"
)

// pipes is a socket in virtual time.
type pipes struct {
	far  chan net.Conn
	done chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.far:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return nil }

// connect returns the client's end of a new connection.
func (p *pipes) connect() net.Conn {
	near, far := net.Pipe()
	p.far <- far
	return near
}

// ask reads a document.
func (p *pipes) ask(t *testing.T, q status.Question) (d status.Document) {
	t.Helper()
	c := p.connect()
	defer c.Close()
	if _, err := c.Write([]byte(q + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(c).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStatus follows a director through roles, trouble and reloads.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		p := newPipes()
		b.status = p
		b.start()
		snapshot := func() status.Document { t.Helper(); return p.ask(t, status.About) }
		synctest.Wait() // the first want is in force
		start := snapshot()
		if start.Version != status.Version || start.File != "test.conf" || start.Reload != nil || len(start.Problems) != 0 {
			t.Errorf("%+v", start)
		}
		if i := start.Instances[0]; i.Name != "oldboy" || i.Interface != "eth0" || i.VRID != 62 || i.Role != "BACKUP" || i.Priority != 100 || i.Why != "starts; master down after 3.609s" {
			t.Errorf("%+v", i)
		}
		if s := start.Services[0]; s.Name != "tcp 10.0.0.3:80" || len(s.Servers) != 1 || !s.Servers[0].Up {
			t.Errorf("%+v", s)
		}
		after(5 * time.Second)
		if i := snapshot().Instances[0]; i.Role != "MASTER" || i.Since.Sub(start.Started) < 3*time.Second {
			t.Errorf("after 5s: %+v", i)
		}
		if made := snapshot().Made; !slices.Equal(start.Made, []string{"tcp 10.0.0.3:80"}) || !slices.Equal(made, []string{"10.0.0.3/24 dev eth0", "tcp 10.0.0.3:80"}) {
			t.Errorf("made %q as BACKUP, %q as MASTER", start.Made, made)
		}
		b.reload("vrrp_instance {")
		after(time.Second)
		if d := snapshot(); d.Reload == nil || d.Reload.Refused == "" || !d.Since.Equal(start.Started) {
			t.Errorf("after a broken file: %+v", d.Reload)
		}
		b.reload(first)
		after(time.Second)
		if d := snapshot(); d.Reload.Refused != "" || !d.Since.After(start.Started) || d.Instances[0].Role != "MASTER" {
			t.Errorf("after a good file: %+v", d)
		}
		if s := snapshot(); s.Statistics.Reloads != 1 || s.Statistics.ReloadsRefused != 1 {
			t.Errorf("one reload, and one refused: %+v", s.Statistics)
		}
		if c := snapshot().Instances[0].Statistics; c.Transitions != 2 || c.MasterTransitions != 1 || c.AdvertisementSent != 5 || c.AdvertisementLate != 0 {
			t.Errorf("a master for 4 s, and a reload: %+v", c)
		}
		b.SetIPVS(false)
		after(time.Minute)
		if d := snapshot(); len(d.Problems) != 1 || d.Problems[0] != "ipvs: read the kernel's state: the kernel has no ip_vs" {
			t.Errorf("without ip_vs: %q", d.Problems)
		}
		p.connect() // a client that reads nothing holds nobody up
		b.stop(t)
		if _, open := <-p.done; open {
			t.Error("the socket is still there")
		}
	})
}

// TestDrain checks that an operator's weight is in the kernel at once, is shown as drift with live connections, and
// stays over a reload until it is undone.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox("10.0.0.5", first)
		p := newPipes()
		b.status = p
		b.start()
		synctest.Wait()
		ask := func(a status.Assignment) (d status.Document) {
			t.Helper()
			c := p.connect()
			defer c.Close()
			if _, err := c.Write([]byte(a.Question() + "\n")); err != nil {
				t.Fatal(err)
			}
			if err := json.NewDecoder(c).Decode(&d); err != nil {
				t.Fatal(err)
			}
			return d
		}
		server := p.ask(t, status.About).Services[0].Servers[0].Address
		key := state.DestinationKey{Server: server}
		for k := range b.destinations(t) {
			key = k
		}
		b.SetConnections(map[state.DestinationKey]kernel.Connections{key: {Active: 3}})
		drain := status.Assignment{Server: server.Addr().String(), Weight: new(int)}
		d := ask(drain)
		active, known := d.Active(drain)
		if r := d.Services[0].Servers[0]; d.Error != "" || !r.Assigned || r.Weight != 0 || !known || active != 3 || len(d.Drift()) != 1 {
			t.Errorf("%+v %+v", d, r)
		}
		if w := b.destinations(t)[key].Weight; w != 0 {
			t.Errorf("the kernel has weight %d", w)
		}
		b.reload(first)
		after(time.Second)
		if r := p.ask(t, status.About).Services[0].Servers[0]; !r.Assigned || b.destinations(t)[key].Weight != 0 {
			t.Errorf("after a reload: %+v", r)
		}
		if d := ask(status.Assignment{Server: server.String()}); d.Services[0].Servers[0].Assigned || b.destinations(t)[key].Weight == 0 {
			t.Errorf("enabled: %+v", d.Services[0])
		}
		for _, a := range []status.Assignment{{Server: "10.99.99.99"}, {Server: "web"}, {Server: server.String(), Service: "tcp 1.2.3.4:5"}} {
			if d := ask(a); d.Error == "" {
				t.Errorf("%+v has no error", a)
			}
		}
		b.stop(t)
	})
}

// destinations are the real servers in the kernel.
func (b *box) destinations(t *testing.T) map[state.DestinationKey]state.Destination {
	t.Helper()
	have, unread := b.Read(kernel.Scope{Kinds: []state.AnyKind{state.ServiceKind, state.DestinationKind}})
	if err := unread.Err(); err != nil {
		t.Fatal(err)
	}
	return have.Destinations
}
