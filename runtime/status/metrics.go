package status

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keepc/compiler/state"
	"keepc/runtime/bfd"
	"keepc/runtime/reconcile"
	"keepc/runtime/vrrp"
)

// A metric is one of the metrics for Prometheus: the values that it has for a T, a subject of the Document.
type metric[T any] struct {
	name   string
	help   string
	kind   prometheus.ValueType
	labels []string // in addition to those of the subject
	values func(T, func(value float64, labels ...string))
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// one makes the values of a metric that has one value per subject.
func one[T any](value func(T) float64) func(T, func(float64, ...string)) {
	return func(x T, yield func(float64, ...string)) { yield(value(x)) }
}

// roles are the roles of an instance.
var roles = [...]vrrp.Role{vrrp.Init, vrrp.Backup, vrrp.Master, vrrp.Faulty}

func directorMetrics() []metric[Document] {
	return []metric[Document]{
		{"keepc_start_time_seconds", "Unix time at which this director started.", gauge, nil,
			one(func(d Document) float64 { return seconds(d.Started) })},
		{"keepc_configuration_timestamp_seconds", "Unix time since which the configuration has been in force.", gauge, nil,
			one(func(d Document) float64 { return seconds(d.Since) })},
		{"keepc_reloads_total", "Reloads, by result.", counter, []string{"result"}, func(d Document, yield func(float64, ...string)) {
			yield(float64(d.Statistics.Reloads), "done")
			yield(float64(d.Statistics.ReloadsRefused), "refused")
		}},
		{"keepc_reload_refused", "1 while the last reload was refused: what is enforced is not what the file says.", gauge, nil,
			one(func(d Document) float64 { return truth(d.Reload != nil && d.Reload.Refused != "") })},
		{"keepc_wrong", "Number of lines that keepc status shows as wrong; 0 when all is well.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.Wrong())) })},
		{"keepc_configuration_errors", "Errors in the file in force that neither keepalived nor keepc stops for.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.Faults)) })},
		{"keepc_not_enforced", "Reasons why parts of the file are left out.", gauge, nil,
			one(func(d Document) float64 { return float64(len(d.NotEnforced)) })},
		{"keepc_foreign_advertisements_total", "Advertisements for virtual routers that this director does not have, except those that the kernel drops.", counter, nil,
			one(func(d Document) float64 { return float64(d.Statistics.VRIDErrors) })},
		{"keepc_log_lines_lost_total", "Log lines lost because the log was too slow.", counter, nil,
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
		{"keepc_instance_role_timestamp_seconds", "Unix time since which the instance has had its role.", gauge, nil,
			one(func(i Instance) float64 { return seconds(i.Since) })},
		{"keepc_instance_priority", "The effective priority: the file's plus the weights of trackers.", gauge, nil,
			one(func(i Instance) float64 { return float64(i.Priority) })},
		{"keepc_instance_transitions_total", "Changes of role, by whether the instance became MASTER.", counter, []string{"to"}, func(i Instance, yield func(float64, ...string)) {
			yield(float64(i.Statistics.MasterTransitions), "master")
			yield(float64(i.Statistics.Transitions-i.Statistics.MasterTransitions), "other")
		}},
		{"keepc_advertisements_sent_total", "Advertisements sent.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementSent) })},
		{"keepc_advertisements_late_total", "Advertisements sent more than 10 ms late.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementLate) })},
		{"keepc_advertisements_received_total", "Advertisements accepted.", counter, nil,
			one(func(i Instance) float64 { return float64(i.Statistics.AdvertisementRcvd) })},
		{"keepc_advertisements_dropped_total", "Advertisements dropped, by reason.", counter, []string{"reason"}, func(i Instance, yield func(float64, ...string)) {
			for reason, n := range i.Statistics.Drops {
				yield(float64(n), reason)
			}
		}},
		{"keepc_condition_advertisements_total", "Packets that showed a condition: two masters, or a cause of two masters.", counter, []string{"condition", "peer"}, func(i Instance, yield func(float64, ...string)) {
			for _, c := range i.Conditions {
				yield(float64(c.Count), c.Name, c.Peer.String())
			}
		}},
		{"keepc_condition_timestamp_seconds", "Unix time at which a condition was last seen.", gauge, []string{"condition", "peer"}, func(i Instance, yield func(float64, ...string)) {
			for _, c := range i.Conditions {
				yield(seconds(c.Last), c.Name, c.Peer.String())
			}
		}},
	}
}

func sessionMetrics() []metric[Session] {
	return []metric[Session]{
		{"keepc_bfd_session_up", "1 while the BFD session is up at this end.", gauge, nil, one(func(s Session) float64 { return truth(s.State == bfd.Up.String()) })},
		{"keepc_bfd_session_timestamp_seconds", "Unix time since which the session has had its state.", gauge, nil,
			one(func(s Session) float64 { return seconds(s.Since) })},
		{"keepc_bfd_session_detection_seconds", "The silence after which the session is down; 0 while nothing was heard.", gauge, nil,
			one(func(s Session) float64 { return s.DetectionTime })},
		{"keepc_bfd_session_transitions_total", "Changes of the state of the session to up and from it.", counter, []string{"to"}, func(s Session, yield func(float64, ...string)) {
			yield(float64(s.Ups), "up")
			yield(float64(s.Downs), "down")
		}},
		{"keepc_bfd_packets_total", "Control packets of the session.", counter, []string{"direction"}, func(s Session, yield func(float64, ...string)) {
			yield(float64(s.Received), "in")
			yield(float64(s.Sent), "out")
		}},
		{"keepc_bfd_packets_invalid_total", "Control packets for the session that were dropped.", counter, nil, one(func(s Session) float64 { return float64(s.Invalid) })},
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

// trafficMetrics are the counters of IPVS; there are none if the kernel does not report them.
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
		{"keepc_" + name + "_packets_total", "Packets of the " + what + " that passed IPVS; with direct routing and tunnels, answers do not.", counter, []string{"direction"},
			both(func(t *Traffic) uint64 { return t.PacketsIn }, func(t *Traffic) uint64 { return t.PacketsOut })},
		{"keepc_" + name + "_bytes_total", "Bytes of the " + what + " that passed IPVS.", counter, []string{"direction"},
			both(func(t *Traffic) uint64 { return t.BytesIn }, func(t *Traffic) uint64 { return t.BytesOut })},
	}
}

func serviceMetrics() []metric[Service] {
	return []metric[Service]{
		{"keepc_service_quorum_up", "1 while the virtual server has its quorum.", gauge, nil, one(func(s Service) float64 { return truth(!s.Lost) })},
		{"keepc_service_servers", "Real servers of the virtual server, by state.", gauge, []string{"state"}, func(s Service, yield func(float64, ...string)) {
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

// A served is a real server in its virtual server.
type served struct {
	Server
	service string
}

func serverMetrics() []metric[served] {
	return []metric[served]{
		{"keepc_server_up", "1 while the checks of the real server say that it is up.", gauge, nil, one(func(s served) float64 { return truth(s.Up) })},
		{"keepc_server_weight", "The weight that the real server has while it is up.", gauge, nil, one(func(s served) float64 { return float64(s.Weight) })},
		{"keepc_server_checks_total", "Health checks of the real server, by result.", counter, []string{"result"}, func(s served, yield func(float64, ...string)) {
			yield(float64(s.Checks.Done-s.Checks.Failed-s.Checks.Inconclusive), "passed")
			yield(float64(s.Checks.Failed), "failed")
			yield(float64(s.Checks.Inconclusive), "inconclusive")
		}},
		{"keepc_server_check_seconds_total", "Total time of all health checks of the real server, in seconds.", counter, nil,
			one(func(s served) float64 { return s.Checks.Seconds })},
		{"keepc_server_certificate_expiry_timestamp_seconds", "Unix time at which the certificate ends that the real server showed to SSL_GET; of several, the first.", gauge, nil,
			func(s served, yield func(float64, ...string)) {
				if !s.CertificateEnds.IsZero() {
					yield(seconds(s.CertificateEnds))
				}
			}},
	}
}

// stages are the stages of an announcement.
var stages = [...]state.Stage{state.Withdrawn, state.Announced, state.Moving, state.Draining}

func announcementMetrics() []metric[Announcement] {
	return []metric[Announcement]{
		{"keepc_announcement_stage", "1 for the stage that the announcement of an address has, 0 for the others.", gauge, []string{"stage"},
			func(a Announcement, yield func(float64, ...string)) {
				for _, s := range stages {
					yield(truth(a.Stage == s.String()), s.String())
				}
			}},
	}
}

func kindMetrics() []metric[reconcile.Kind] {
	return []metric[reconcile.Kind]{
		{"keepc_objects", "Objects in the kernel, by state: what is not in place is drift.", gauge, []string{"state"}, func(k reconcile.Kind, yield func(float64, ...string)) {
			yield(float64(k.InPlace), "in_place")
			yield(float64(k.Pending), reconcile.Pending)
			yield(float64(k.Failed), reconcile.Failed)
		}},
		{"keepc_object_writes_total", "Writes that the kernel accepted.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Writes) })},
		{"keepc_object_repairs_total", "Writes that undid somebody else's change.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Repairs) })},
		{"keepc_object_failures_total", "Writes that the kernel refused.", counter, nil, one(func(k reconcile.Kind) float64 { return float64(k.Failures) })},
	}
}

// A family is the metrics of one kind of subject.
type family[T any] struct {
	labels   []string
	subjects func(Document, func(subject T, labels ...string))
	metrics  []metric[T]
}

// collect writes the metrics of every subject. It leaves out a subject with the labels of a previous one, such as the
// session that a reload has just replaced, and repairs labels that are not UTF-8, for names in a file may be in any
// encoding: Prometheus would refuse the whole page.
func (f family[T]) collect(d Document, to chan<- prometheus.Metric) {
	for _, m := range f.metrics {
		desc := prometheus.NewDesc(m.name, m.help, slices.Concat(f.labels, m.labels), nil)
		seen := map[string]bool{}
		f.subjects(d, func(subject T, own ...string) {
			m.values(subject, func(value float64, labels ...string) {
				all := slices.Concat(own, labels)
				for i, label := range all {
					all[i] = strings.ToValidUTF8(label, "\ufffd")
				}
				if series := strings.Join(all, "\xff"); !seen[series] { // which is in no label
					seen[series] = true
					to <- prometheus.MustNewConstMetric(desc, m.kind, value, all...)
				}
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
		family[Session]{[]string{"session", "neighbor"}, func(d Document, yield func(Session, ...string)) {
			for _, s := range d.Sessions {
				yield(s, s.Name, s.Neighbor)
			}
		}, sessionMetrics()},
		family[Script]{[]string{"script"}, func(d Document, yield func(Script, ...string)) {
			for _, s := range d.Scripts {
				yield(s, s.Name)
			}
		}, scriptMetrics()},
		family[Announcement]{[]string{"announcement", "address"}, func(d Document, yield func(Announcement, ...string)) {
			for _, a := range d.Announcements {
				yield(a, a.Name, a.Address.String())
			}
		}, announcementMetrics()},
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

// A collector serves the metrics of a director: for each request it asks the director for its Document.
type collector struct{ Director }

// Describe implements prometheus.Collector: the Document decides which metrics there are.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. If the director does not answer, keepc_up is 0, and there is nothing else.
func (c collector) Collect(to chan<- prometheus.Metric) {
	build := prometheus.NewDesc("keepc_build_info", "1, with the version of the program.", []string{"version", "goversion"}, nil)
	to <- prometheus.MustNewConstMetric(build, gauge, 1, c.Version, runtime.Version())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d, err := c.Document(ctx, Counted)
	to <- prometheus.MustNewConstMetric(prometheus.NewDesc("keepc_up", "1 if the director answered.", nil, nil), gauge, truth(err == nil))
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
