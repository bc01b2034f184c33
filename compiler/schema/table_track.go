package schema

import (
	"fmt"
	"math"
	"strings"

	"keepc/compiler/ir"
	"keepc/grammar"
	"keepc/grammar/diag"
)

var script = block(head(Name, func(s *ir.Script) *string { return &s.Name }), ir.Script{Timeout: ir.Unset},
	Value("script", Program, func(s *ir.Script) *ir.Command { return &s.Command }, "The program; exit status 0 is good.").Required(),
	Value("interval", scriptSeconds, func(s *ir.Script) *duration { return &s.Interval }, "The time between two runs.").Default("1"),
	Value("timeout", scriptSeconds, func(s *ir.Script) *duration { return &s.Timeout }, "A run that takes longer is ended and counts as a failure.").Otherwise("interval"),
	Value("weight", Weighted(-253, 253), func(s *ir.Script) *ir.Weight { return &s.Weight }, "What the script adds to the priority; with 0 a failure is a FAULT.").Default("0"),
	Value("rise", Int[int](1, 1<<31-1), func(s *ir.Script) *int { return &s.Rise }, "Successes until the script counts as good.").Default("1"),
	Value("fall", Int[int](1, 1<<31-1), func(s *ir.Script) *int { return &s.Fall }, "Failures until the script counts as bad.").Default("1"),
	Value("user", Account, func(s *ir.Script) *ir.User { return &s.User }, "Who runs the script.").Otherwise("script_user"),
	Value("init_fail", Flag, func(s *ir.Script) *bool { return &s.InitFail }, "The script counts as bad until its first success."),
	misnamed[ir.Script]("command", "script"),
)

// scriptSeconds is a time of a script. keepalived before 2.3.2 ignores a line with a decimal point in it.
var scriptSeconds = Kind[duration]{CoarseDecimal(0.001, 4294).Expect, func(r *reader) (duration, bool) {
	words := r.rest
	d, ok := CoarseDecimal(0.001, 4294).read(r)
	if ok && strings.Contains(words[0].Text, ".") && r.fraction(words[0], "2.3.2") {
		return 0, false
	}
	return d, ok
}}

// trackFile is track_file; vrrp_track_file is its old name.
var trackFile = block(head(Name, func(f *ir.TrackFile) *string { return &f.Name }), ir.TrackFile{},
	Value("file", Path, func(f *ir.TrackFile) *string { return &f.File }, "The file that holds a number.").First().Required(),
	misnamed[ir.TrackFile]("path", "file"),
	Value("weight", Weighted(-254, 254), func(f *ir.TrackFile) *ir.Weight { return &f.Weight }, "The number in the file is multiplied by it.").Default("1"),
	Value("init_file", initFile, func(f *ir.TrackFile) **ir.InitFile { return &f.InitFile }, "Creates the file at the start."),
)

// initFile is the number for a new file, and whether an existing one gets it too, in any order; of two numbers the
// last one counts. A wrong number is 0: the file is created all the same.
var initFile = Kind[*ir.InitFile]{"[number] [overwrite]", func(r *reader) (*ir.InitFile, bool) {
	f := &ir.InitFile{}
	for len(r.rest) > 0 {
		w, _ := r.optional()
		switch {
		case w.Text == "overwrite":
			f.Overwrite = true
		case w.Text != "" && (w.Text[0] == '-' || w.Text[0] >= '0' && w.Text[0] <= '9'):
			if n, ok := r.int(w, math.MinInt32, math.MaxInt32, "-254..254"); ok {
				f.Value = int(n)
				r.insensible(w, f.Value)
			}
		default:
			r.unknownOption("init_file line", w, []string{"overwrite"})
		}
	}
	return f, true
}}

// insensible reports a number for a file that exceeds what a priority can change by. keepalived complains of it and
// uses it.
func (r *reader) insensible(w grammar.Word, n int) {
	if n < -254 || n > 254 {
		r.report(diag.Diagnostic{
			Rule: "value-range", Severity: diag.Warning, Message: fmt.Sprintf("init_file %d is outside -254..254", n), Span: w.Span,
			Label: "is written all the same",
		})
	}
}

// both is a keyword whose value is stored in two fields.
func both[T, V any](word string, k Kind[V], at func(*T) [2]*V, text string) Row[T] {
	return Row[T]{
		Keyword: &Keyword{Word: word, Expect: k.Expect, Text: text},
		read: func(r *reader, t *T) {
			if v, ok := k.read(r); ok {
				for _, p := range at(t) {
					*p = v
				}
			}
		},
	}
}

var trackProcess = block(head(Name, func(p *ir.TrackProcess) *string { return &p.Name }), ir.TrackProcess{},
	Value("process", Words("a program [and its parameters]"), func(p *ir.TrackProcess) *[]string { return &p.Process }, "The program that must run; with parameters they must match too.").First().Required().Since("2.0.11").Build("track-process"),
	misnamed[ir.TrackProcess]("name", "process"),
	Value("param_match", Optional(Choice("initial", "partial"), "exact"), func(p *ir.TrackProcess) *string { return &p.ParamMatch }, "How parameters must match; alone: exactly.").Otherwise("exactly").Since("2.0.16").Build("track-process"),
	Value("weight", Weighted(-254, 254), func(p *ir.TrackProcess) *ir.Weight { return &p.Weight }, "What the process adds to the priority; with 0 its absence is a FAULT.").Default("0").First().Since("2.0.11").Build("track-process"),
	Value("quorum", Int[int](1, 65535), func(p *ir.TrackProcess) *int { return &p.Quorum }, "How many processes are wanted.").Default("1").Since("2.0.11").Build("track-process"),
	Value("quorum_max", as(Int[int](0, 65535), pointer), func(p *ir.TrackProcess) **int { return &p.QuorumMax }, "How many processes are too many, above this number; 0: it must not run.").Otherwise("no limit").Since("2.0.16").Build("track-process"),
	both("delay", Decimal(0.000001, 3600), func(p *ir.TrackProcess) [2]*duration { return [2]*duration{&p.TerminateDelay, &p.ForkDelay} }, "Sets fork_delay and terminate_delay.").Otherwise("0").Since("2.0.11").Build("track-process"),
	Value("terminate_delay", Decimal(0.000001, 3600), func(p *ir.TrackProcess) *duration { return &p.TerminateDelay }, "How long a missing process is overlooked.").Otherwise("0").Since("2.0.16").Build("track-process"),
	Value("fork_delay", Decimal(0.000001, 3600), func(p *ir.TrackProcess) *duration { return &p.ForkDelay }, "How long a new process must live to count.").Otherwise("0").Since("2.0.16").Build("track-process"),
	Value("full_command", Flag, func(p *ir.TrackProcess) *bool { return &p.FullCommand }, "Compares the whole command line instead of the short name.").Since("2.0.11").Build("track-process"),
)

var (
	trackInterface   = track("track_interface line", tracked, -253, 253)
	trackScript      = track("track_script line", Name, -253, 253)
	trackFileLine    = track("track_file line", Name, -254, 254)
	trackProcessLine = track("track_process line", Name, -254, 254)
	trackBFD         = track("track_bfd line", Name, -253, 253)
)

// tracked is an interface; a colon after it is a typing error, not an old alias.
var tracked = Kind[string]{Interface.Expect, func(r *reader) (string, bool) {
	if s := r.peek(); strings.HasSuffix(s, ":") {
		r.invalid(r.rest[0], "an interface name", strings.TrimRight(s, ":"))
		return "", false
	}
	return Interface.read(r)
}}

func track(name string, subject Kind[string], lo, hi int64) *Entry[ir.Track] {
	weight := as(Weighted(lo, hi), pointer)
	return entry(name, head(subject, func(t *ir.Track) *string { return &t.Name }), ir.Track{},
		Value("weight", weight, func(t *ir.Track) **ir.Weight { return &t.Weight }, "Counts here instead of the weight of what is tracked.").First().Refused("keepalived ignores it"),
	)
}

var unicastPeer = entry("unicast_peer line", head(Addr, func(p *ir.UnicastPeer) *address { return &p.Addr }), ir.UnicastPeer{MaxTTL: 255},
	Value("min_ttl", Int[uint8](0, 255), func(p *ir.UnicastPeer) *uint8 { return &p.MinTTL }, "The lowest TTL that is accepted from the peer.").Default("0"),
	Value("max_ttl", Int[uint8](0, 255), func(p *ir.UnicastPeer) *uint8 { return &p.MaxTTL }, "The highest TTL that is accepted from the peer.").Default("255"),
)
