package schema

import (
	"strings"

	"keepc/compiler/ir"
)

var script = block(head(Name, func(s *ir.Script) *string { return &s.Name }), ir.Script{Timeout: ir.Unset},
	Value("script", Program, func(s *ir.Script) *ir.Command { return &s.Command }, "The program; exit status 0 is good.").Required(),
	Value("interval", CoarseDecimal(0.001, 4294), func(s *ir.Script) *duration { return &s.Interval }, "The time between two runs.").Default("1"),
	Value("timeout", CoarseDecimal(0.001, 4294), func(s *ir.Script) *duration { return &s.Timeout }, "A run that takes longer is ended and counts as a failure.").Otherwise("interval"),
	Value("weight", Weighted(-253, 253), func(s *ir.Script) *ir.Weight { return &s.Weight }, "What the script adds to the priority; with 0 a failure is a FAULT.").Default("0"),
	Value("rise", Int[int](1, 1<<31-1), func(s *ir.Script) *int { return &s.Rise }, "Successes until the script counts as good.").Default("1"),
	Value("fall", Int[int](1, 1<<31-1), func(s *ir.Script) *int { return &s.Fall }, "Failures until the script counts as bad.").Default("1"),
	Value("user", Account, func(s *ir.Script) *ir.User { return &s.User }, "Who runs the script.").Otherwise("script_user"),
	Value("init_fail", Flag, func(s *ir.Script) *bool { return &s.InitFail }, "The script counts as bad until its first success."),
)

// trackFile is track_file; vrrp_track_file is its old name.
var trackFile = block(head(Name, func(f *ir.TrackFile) *string { return &f.Name }), ir.TrackFile{},
	Value("file", Path, func(f *ir.TrackFile) *string { return &f.File }, "The file that holds a number.").Required(),
	Value("weight", Weighted(-254, 254), func(f *ir.TrackFile) *ir.Weight { return &f.Weight }, "The number in the file is multiplied by it.").Default("1"),
	Checked[ir.TrackFile]("init_file", AnyWords("[number] [overwrite]"), "Creates the file at the start."),
)

var trackProcess = block(head(Name, func(p *ir.TrackProcess) *string { return &p.Name }), ir.TrackProcess{},
	Value("process", Words("a program [and its parameters]"), func(p *ir.TrackProcess) *[]string { return &p.Process }, "The program that must run; with parameters they must match too.").Required().Since("2.0.11").Build("track-process"),
	Checked[ir.TrackProcess]("param_match", Optional(Choice("initial", "partial"), ""), "How parameters must match; alone: exactly.").Otherwise("exactly").Since("2.0.16").Build("track-process"),
	Value("weight", Weighted(-254, 254), func(p *ir.TrackProcess) *ir.Weight { return &p.Weight }, "What the process adds to the priority; with 0 its absence is a FAULT.").Default("0").Since("2.0.11").Build("track-process"),
	Checked[ir.TrackProcess]("quorum", Int[int](1, 65535), "How many processes are wanted.").Default("1").Since("2.0.11").Build("track-process"),
	Checked[ir.TrackProcess]("quorum_max", Int[int](0, 65535), "How many processes are too many, above this number; 0: it must not run.").Otherwise("no limit").Since("2.0.16").Build("track-process"),
	Checked[ir.TrackProcess]("delay", Decimal(0.000001, 3600), "Sets fork_delay and terminate_delay.").Otherwise("0").Since("2.0.11").Build("track-process"),
	Checked[ir.TrackProcess]("terminate_delay", Decimal(0.000001, 3600), "How long a missing process is overlooked.").Otherwise("0").Since("2.0.16").Build("track-process"),
	Checked[ir.TrackProcess]("fork_delay", Decimal(0.000001, 3600), "How long a new process must live to count.").Otherwise("0").Since("2.0.16").Build("track-process"),
	Checked[ir.TrackProcess]("full_command", Flag, "Compares the whole command line instead of the short name.").Since("2.0.11").Build("track-process"),
)

var (
	trackInterface   = track("track_interface line", tracked, -253, 253)
	trackScript      = track("track_script line", Name, -253, 253)
	trackFileLine    = track("track_file line", Name, -254, 254)
	trackProcessLine = track("track_process line", Name, -254, 254)
	trackBFD         = track("track_bfd line", Name, -253, 253)
)

// tracked is an interface; a colon behind it is a slip, not an old alias.
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
		Value("weight", weight, func(t *ir.Track) **ir.Weight { return &t.Weight }, "Counts here instead of the weight of what is tracked."),
	)
}

var unicastPeer = entry("unicast_peer line", head(Addr, func(p *ir.UnicastPeer) *address { return &p.Addr }), ir.UnicastPeer{MaxTTL: 255},
	Value("min_ttl", Int[uint8](0, 255), func(p *ir.UnicastPeer) *uint8 { return &p.MinTTL }, "The lowest TTL that is accepted from the peer.").Default("0"),
	Value("max_ttl", Int[uint8](0, 255), func(p *ir.UnicastPeer) *uint8 { return &p.MaxTTL }, "The highest TTL that is accepted from the peer.").Default("255"),
)
