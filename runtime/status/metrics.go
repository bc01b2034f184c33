package status

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keepc/runtime/reconcile"
	"keepc/runtime/vrrp"
)

// A metric is one of the names that a director shows to Prometheus: what it has of a T, a subject of the Document.
type metric[T any] struct {
	name   string
	help   string
	kind   prometheus.ValueType
	labels []string // beside those of the subject
	values func(T, func(value float64, labels ...string))
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// one makes the values of a metric that has one for each subject.
func one[T any](value func(T) float64) func(T, func(float64, ...string)) {
	return func(x T, yield func(float64, ...string)) { yield(value(x)) }
}

// roles in which an instance can be.
var roles = [...]vrrp.Role{vrrp.Init, vrrp.Backup, vrrp.Master, vrrp.Faulty}

func directorMetrics() []metric[Document] {
	return []metric[Document]{
		{"keepc_start_time_seconds", "When this director began, in seconds since 1970.", gauge, nil,
			one(func(d Document) float64 { return seconds(d.Started) })},
		{"keepc_configuration_timestamp_seconds", "Since when the configuration in force is, in seconds since 1970.", gauge, nil,
			one(func(d Document) float64 { return seconds(d.Since) })},
		{"keepc_reloads_total", "Reloads by what became of them.", counter, []string{"result"}, func(d Document, yield func(float64, ...string)) {
			yield(float64(d.Statistics.Reloads), "done")
			yield(float64(d.Statistics.ReloadsRefused), "refused")
		}},
		{"keepc_reload_refused", "1 while the last reload is one that was refused: the file is not what is enforced.", gauge, nil,
			one(func(d Document) float64 { return truth(d.Reload != nil && d.Reload.Refused != "") })},
		{"keepc_wrong", "How many lines keepc status shows as wrong; 0 when all is well.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.Wrong())) })},
		{"keepc_configuration_errors", "Errors of the file in force, with which keepalived goes on and keepc too.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.Faults)) })},
		{"keepc_not_enforced", "Reasons for which something in the file is left out.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.NotEnforced)) })},
		{"keepc_foreign_advertisements_total", "Advertisements of virtual routers that this director does not have, without those that the kernel drops.", counter, nil,
			one(func(d Document) float64 { return float64(d.Statistics.VRIDErrors) })},
		{"keepc_log_lines_lost_total", "Lines that the log was too slow for.", counter, nil,
			one(func(d Document) float64 { return float64(d.Statistics.NotesLost) })},
	}
}

func instanceMetrics() []metric[Instance] {
	return []metric[Instance]{
		{"keepc_instance_role", "1 for the role that the instance has, 0 for the others.", gauge, []string{"role"}, func(i Instance, yield func(float64, ...string)) {
			for _, r := range roles {
				yield(truth(i.Role == r.String()), r.String())
			}
		}},
		{"keepc_instance_role_timestamp_seconds", "Since when the instance has its role, in seconds since 1970.", gauge, nil,
			one(func(i Instance) float64 { return seconds(i.Since) })},
		{"keepc_instance_priority", "The effective priority: that of the file with what trackers add.", gauge, nil,
			one(func(i Instance) float64 { return float64(i.Priority) })},
		{"keepc_instance_transitions_total", "Changes of the role, by whether the instance became MASTER.", counter, []string{"to"}, func(i Instance, yield func(float64, ...string)) {
			yield(float64(i.Statistics.MasterTransitions), "master")
			yield(float64(i.Statistics.Transitions-i.Statistics.MasterTransitions), "other")
		}},
		{"keepc_advertisements_sent_total", "Advertisements that left.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementSent) })},
		{"keepc_advertisements_late_total", "Advertisements that left more than 10 ms after their time.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementLate) })},
		{"keepc_advertisements_received_total", "Advertisements that were accepted.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementRcvd) })},
		{"keepc_advertisements_dropped_total", "Advertisements that were dropped, by what is wrong with them.", counter, []string{"reason"}, func(i Instance, yield func(float64, ...string)) {
			for reason, n := range i.Statistics.Drops {
				yield(float64(n), reason)
			}
		}},
		{"keepc_condition_advertisements_total", "Packets that showed a condition: two masters, or what makes them.", counter, []string{"condition", "peer"}, func(i Instance, yield func(float64, ...string)) {
			for _, c := range i.Conditions {
				yield(float64(c.Count), c.Name, c.Peer.String())
			}
		}},
		{"keepc_condition_timestamp_seconds", "When a condition was last seen, in seconds since 1970.", gauge, []string{"condition", "peer"}, func(i Instance, yield func(float64, ...string)) {
			for _, c := range i.Conditions {
				yield(seconds(c.Last), c.Name, c.Peer.String())
			}
		}},
	}
}

func scriptMetrics() []metric[Script] {
	return []metric[Script]{
		{"keepc_script_good", "1 while the vrrp_script succeeds, 0 while it fails or has not ended yet.", gauge, nil,
			one(func(s Script) float64 { return truth(s.Good) })},
		{"keepc_script_runs_total", "Runs of the vrrp_script.", counter, nil, one(func(s Script) float64 { return float64(s.Runs) })},
		{"keepc_script_failures_total", "Runs of the vrrp_script that failed.", counter, nil, one(func(s Script) float64 { return float64(s.Failures) })},
	}
}

// trafficMetrics are those of what IPVS counts; there are none where it does not tell.
func trafficMetrics[T any](name, what string, of func(T) *Traffic) []metric[T] {
	both := func(in, out func(*Traffic) uint64) func(T, func(float64, ...string)) {
		return func(x T, yield func(float64, ...string)) {
			if t := of(x); t != nil {
				yield(float64(in(t)), "in")
				yield(float64(out(t)), "out")
			}
		}
	}
	return []metric[T]{
		{"keepc_" + name + "_connections_total", "Connections that IPVS gave to the " + what + ".", counter, nil, func(x T, yield func(float64, ...string)) {
			if t := of(x); t != nil {
				yield(float64(t.Connections))
			}
		}},
		{"keepc_" + name + "_packets_total", "Packets of the " + what + " that passed IPVS: with direct routing and tunnels no answers do.", counter, []string{"direction"},
			both(func(t *Traffic) uint64 { return t.PacketsIn }, func(t *Traffic) uint64 { return t.PacketsOut })},
		{"keepc_" + name + "_bytes_total", "Bytes of the " + what + " that passed IPVS.", counter, []string{"direction"},
			both(func(t *Traffic) uint64 { return t.BytesIn }, func(t *Traffic) uint64 { return t.BytesOut })},
	}
}

func serviceMetrics() []metric[Service] {
	return []metric[Service]{
		{"keepc_service_quorum_up", "1 while the virtual server has its quorum.", gauge, nil, one(func(s Service) float64 { return truth(!s.Lost) })},
		{"keepc_service_servers", "Real servers of the virtual server, by how they are.", gauge, []string{"state"}, func(s Service, yield func(float64, ...string)) {
			up := 0
			for _, r := range s.Servers {
				if r.Up {
					up++
				}
			}
			yield(float64(up), "up")
			yield(float64(len(s.Servers)-up), "down")
		}},
	}
}

// A served is a real server in its virtual one.
type served struct {
	Server
	service string
}

func serverMetrics() []metric[served] {
	return []metric[served]{
		{"keepc_server_up", "1 while the real server is in service as far as its checks say.", gauge, nil, one(func(s served) float64 { return truth(s.Up) })},
		{"keepc_server_weight", "The weight that is wanted of the real server while it is up.", gauge, nil, one(func(s served) float64 { return float64(s.Weight) })},
		{"keepc_server_checks_total", "Health checks of the real server, by result.", counter, []string{"result"}, func(s served, yield func(float64, ...string)) {
			yield(float64(s.Checks.Done-s.Checks.Failed-s.Checks.Inconclusive), "passed")
			yield(float64(s.Checks.Failed), "failed")
			yield(float64(s.Checks.Inconclusive), "inconclusive")
		}},
		{"keepc_server_check_seconds_total", "How long all health checks of the real server took together.", counter, nil,
			one(func(s served) float64 { return s.Checks.Seconds })},
	}
}

func kindMetrics() []metric[reconcile.Kind] {
	return []metric[reconcile.Kind]{
		{"keepc_objects", "Objects in the kernel by how they are: what is not in place is drift.", gauge, []string{"state"}, func(k reconcile.Kind, yield func(float64, ...string)) {
			yield(float64(k.InPlace), "in_place")
			yield(float64(k.Pending), reconcile.Pending)
			yield(float64(k.Failed), reconcile.Failed)
		}},
		{"keepc_object_writes_total", "Writes that the kernel took.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Writes) })},
		{"keepc_object_repairs_total", "Writes that undid what somebody else had done.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Repairs) })},
		{"keepc_object_failures_total", "Writes that the kernel refused.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Failures) })},
	}
}

// A family is the metrics of one kind of subject.
type family[T any] struct {
	labels   []string
	subjects func(Document, func(subject T, labels ...string))
	metrics  []metric[T]
}

func (f family[T]) collect(d Document, to chan<- prometheus.Metric) {
	for _, m := range f.metrics {
		desc := prometheus.NewDesc(m.name, m.help, append(append([]string{}, f.labels...), m.labels...), nil)
		f.subjects(d, func(subject T, own ...string) {
			m.values(subject, func(value float64, labels ...string) {
				to <- prometheus.MustNewConstMetric(desc, m.kind, value, append(append([]string{}, own...), labels...)...)
			})
		})
	}
}

// families are all metrics, by subject.
func families() []interface {
	collect(Document, chan<- prometheus.Metric)
} {
	return []interface {
		collect(Document, chan<- prometheus.Metric)
	}{
		family[Document]{nil, func(d Document, yield func(Document, ...string)) { yield(d) }, directorMetrics()},
		family[Instance]{[]string{"vrrp_instance", "interface", "vrid", "family", "twin"}, func(d Document, yield func(Instance, ...string)) {
			for _, i := range d.Instances {
				family := "ipv4"
				if i.IPv6 {
					family = "ipv6"
				}
				yield(i, i.Name, i.Interface, strconv.Itoa(int(i.VRID)), family, strconv.Itoa(i.Twin))
			}
		}, instanceMetrics()},
		family[Script]{[]string{"script"}, func(d Document, yield func(Script, ...string)) {
			for _, s := range d.Scripts {
				yield(s, s.Name)
			}
		}, scriptMetrics()},
		family[Service]{[]string{"service"}, func(d Document, yield func(Service, ...string)) {
			for _, s := range d.Services {
				yield(s, s.Name)
			}
		}, slices.Concat(serviceMetrics(), trafficMetrics("service", "virtual server", func(s Service) *Traffic { return s.Traffic }))},
		family[served]{[]string{"service", "server"}, func(d Document, yield func(served, ...string)) {
			for _, s := range d.Services {
				for _, r := range s.Servers {
					yield(served{r, s.Name}, s.Name, r.Address.String())
				}
			}
		}, slices.Concat(serverMetrics(), trafficMetrics("server", "real server", func(s served) *Traffic { return s.Traffic }))},
		family[reconcile.Kind]{[]string{"kind"}, func(d Document, yield func(reconcile.Kind, ...string)) {
			for _, k := range d.Kinds {
				yield(k, k.Kind)
			}
		}, kindMetrics()},
	}
}

// A collector shows a director to Prometheus: each time it is asked, it asks the director for its Document.
type collector struct{ Director }

// Describe implements prometheus.Collector: which metrics there are depends on the Document.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. keepc_up is 0, and nothing else there, when the director does not answer.
func (c collector) Collect(to chan<- prometheus.Metric) {
	build := prometheus.NewDesc("keepc_build_info", "1, with the version of the program.", []string{"version", "goversion"}, nil)
	to <- prometheus.MustNewConstMetric(build, gauge, 1, c.Version, runtime.Version())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := c.Document(ctx, Counted)
	to <- prometheus.MustNewConstMetric(prometheus.NewDesc("keepc_up", "1 when the director answered.", nil, nil), gauge, truth(err == nil))
	if err != nil {
		return
	}
	for _, f := range families() {
		f.collect(d, to)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
