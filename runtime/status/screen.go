package status

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Screen writes the document for a person.
func (d Document) Screen(w io.Writer) error {
	var b strings.Builder
	if wrong := d.Wrong(); len(wrong) > 0 {
		b.WriteString("Wrong:\n")
		for _, line := range wrong {
			b.WriteString("  " + line + "\n")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "keepc (pid %d) enforces %s of %s; started %s.\n", d.PID, d.File, clock(d.Since, d.At), clock(d.Started, d.At))
	if r := d.Reload; r != nil && r.Refused != "" {
		fmt.Fprintf(&b, "The reload of %s was refused:\n", clock(r.At, d.At))
		for line := range strings.Lines(r.Refused) {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
	} else if r != nil {
		fmt.Fprintf(&b, "Last reload %s.\n", clock(r.At, d.At))
	}
	d.instances(&b)
	d.sessions(&b)
	d.announcements(&b)
	for _, s := range d.Services {
		s.screen(&b)
	}
	if len(d.Faults) > 0 {
		fmt.Fprintf(&b, "\nErrors of %s; keepalived goes on all the same, and so does keepc:\n", d.File)
	}
	for _, f := range d.Faults {
		b.WriteString("  " + f + "\n")
	}
	for _, f := range d.Unread {
		b.WriteString("\nNot read: " + f + "\n")
	}
	if len(d.NotEnforced) > 0 {
		b.WriteString("\nLeft out:\n")
	}
	for _, line := range d.NotEnforced {
		b.WriteString("  " + line + "\n")
	}
	d.objects(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	return nil
}

// maxObjects is the maximum number of objects not in place that are shown.
const maxObjects = 20

// objects shows what is not in the kernel as it should be.
func (d Document) objects(b *strings.Builder) {
	if len(d.NotInPlace) == 0 {
		return
	}
	b.WriteString("\nNot in place:\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for i, o := range d.NotInPlace {
		if i == maxObjects {
			break
		}
		what := o.State
		if o.Remove {
			what += " to go"
		}
		what += " since " + clock(o.Since, d.At)
		if o.Error != "" {
			what += "\t" + o.Error
		}
		fmt.Fprintf(t, "  %s %s\t%s\n", o.Kind, o.Name, what)
	}
	_ = t.Flush() // a Builder never fails
	if n := len(d.NotInPlace) - maxObjects; n > 0 {
		fmt.Fprintf(b, "  and %d more (--format json has all)\n", n)
	}
}

func (d Document) instances(b *strings.Builder) {
	if len(d.Instances) == 0 {
		return
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "instance\tVRID\ton\trole\tpriority\tsince\twhy")
	for _, i := range d.Instances {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", i.Name, i.vrid(), i.Interface, i.Role, i.PriorityText(), clock(i.Since, d.At), i.Why)
	}
	_ = t.Flush() // a Builder never fails
}

func (d Document) sessions(b *strings.Builder) {
	if len(d.Sessions) == 0 {
		return
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BFD session\tneighbour\tstate\tthere\tdetection\tsince\twhy")
	for _, s := range d.Sessions {
		detection := "-"
		if s.DetectionTime > 0 {
			detection = time.Duration(s.DetectionTime * float64(time.Second)).Round(time.Microsecond).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Neighbor, s.State, s.RemoteState, detection, clock(s.Since, d.At), s.Diagnostic)
	}
	_ = t.Flush() // a Builder never fails
}

func (d Document) announcements(b *strings.Builder) {
	if len(d.Announcements) == 0 {
		return
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "announcement\taddress\ttable\tstage\twhy")
	for _, a := range d.Announcements {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", a.Name, a.Address, a.Table, a.Stage, a.Why)
	}
	_ = t.Flush() // a Builder never fails
}

// PriorityText returns the effective priority, with its sum if trackers count.
func (i Instance) PriorityText() string {
	text := strconv.Itoa(int(i.Priority))
	if strings.Contains(i.Sum, " ") {
		text += " = " + i.Sum
	}
	return text
}

func (i Instance) vrid() string {
	text := strconv.Itoa(int(i.VRID))
	if i.IPv6 {
		text += " inet6"
	}
	return text
}

func (s Service) screen(b *strings.Builder) {
	alive, total := 0, 0
	for _, r := range s.Servers {
		total += r.Weight
		if r.Up {
			alive += r.Weight
		}
	}
	quorum := fmt.Sprintf("quorum %d", s.Quorum)
	if s.Lost {
		quorum += " is lost"
	}
	fmt.Fprintf(b, "\n%s  %s, weight %d of %d is alive", s.Name, quorum, alive, total)
	if s.Traffic != nil {
		b.WriteString("; " + s.Traffic.text())
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.TabIndent)
	for _, r := range s.Servers {
		why := r.Cause
		if r.Assigned {
			why = strings.TrimPrefix(why+"; "+r.drift(), "; ")
		} else if r.FileWeight != nil {
			why = strings.TrimPrefix(fmt.Sprintf("%s; weight %d by its check, %d in the file", why, r.Weight, *r.FileWeight), "; ")
		}
		if len(r.NotChecked) > 0 {
			why = strings.TrimPrefix(why+"; ", "; ") + "not checked: " + strings.Join(r.NotChecked, ", ") + " is not enforced yet"
		}
		line := "  " + r.Address.String() + "\t" + map[bool]string{true: "up", false: "down"}[r.Up]
		switch {
		case r.Traffic != nil:
			line += "\t" + r.Traffic.text()
		case s.Traffic != nil && why != "":
			line += "\t"
		}
		if why != "" {
			line += "\t" + why
		}
		fmt.Fprintln(t, line)
	}
	_ = t.Flush() // a Builder never fails
}

// text says how much there was.
func (t *Traffic) text() string {
	text := fmt.Sprintf("%d connections, %s in, %s out", t.Connections, inBytes(t.BytesIn), inBytes(t.BytesOut))
	if t.Connections == 1 {
		text = strings.Replace(text, "connections", "connection", 1)
	}
	return text
}

// drift describes how an operator's weight differs from the file, and how busy the server is.
func (r Server) drift() string {
	text := fmt.Sprintf("weight %d by an operator, %d in the file", r.Weight, *r.FileWeight)
	switch c := r.Connections; {
	case c == nil:
		return text
	case c.Active == 1:
		return text + "; 1 active connection"
	default:
		return fmt.Sprintf("%s; %d active connections", text, c.Active)
	}
}

// Drift lists the real servers whose weight an operator set, one line for each.
func (d Document) Drift() (lines []string) {
	for _, s := range d.Services {
		for _, r := range s.Servers {
			if r.Assigned {
				lines = append(lines, fmt.Sprintf("%s of %s: %s", r.Address, s.Name, r.drift()))
			}
		}
	}
	return lines
}

// clock formats a time of day; with the day if that differs from today.
func clock(t, now time.Time) string {
	if now.Sub(t) < 24*time.Hour {
		return t.Local().Format("15:04:05")
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
