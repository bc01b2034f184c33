package kernel_test

import (
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"keepc/compiler/state"
	"keepc/runtime/kernel"
	"keepc/runtime/lab"
)

// TestTraffic checks that what passes through a service is counted for it and for its real server.
func TestTraffic(t *testing.T) {
	lab.NeedIPVS(t)
	h := lab.New(t).Host("lb01")
	h.Run("ip", "link", "set", "lo", "up")
	for _, a := range []string{web4.Addr.String(), "10.1.0.2"} {
		h.Run("ip", "addr", "add", a+"/32", "dev", "lo")
	}
	defer h.Serve("10.1.0.2:80", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))()
	k := open(t, h).Kernel
	to := state.DestinationKey{Service: web4, Server: netip.MustParseAddrPort("10.1.0.2:80")}
	check(t, h.Do(func() error { return kernel.Set(k, web4, state.Service{Scheduler: "rr"}) }))
	check(t, h.Do(func() error { return kernel.Set(k, to, state.Destination{Weight: 1}) }))
	for range 3 {
		if _, _, err := h.HTTPGet(t.Context(), "http://"+web4.Addr.String()+"/"); err != nil {
			t.Fatal(err)
		}
	}
	var all kernel.Traffics
	lab.Eventually(t, 20*time.Second, "all is counted, which Linux does every two seconds", func() bool {
		check(t, h.Do(func() (err error) {
			all, err = k.Traffic(t.Context())
			return err
		}))
		counted := func(c kernel.Traffic) bool {
			return c.Connections >= 1 && c.PacketsIn >= 5 && c.BytesIn > 5*40 && c.PacketsOut >= 3
		}
		return counted(all.Services[web4]) && counted(all.Servers[to])
	})
	t.Logf("%+v", all)
}
