package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"keepc/compiler/plan"
	"keepc/compiler/state"
)

// A Store keeps the text of a journal for the next process.
type Store interface {
	// Load reads it; there is none at first: nil.
	Load() ([]byte, error)
	Append([]byte) error
	// Replace replaces the text atomically.
	Replace([]byte) error
}

// A Journal records what was made, so that the next process removes what a killed one left behind. It is written
// before the kernel is: one line says what is about to be made, another that it is gone. It is best effort: what
// cannot be read or written is reported once, and stops nothing. A nil Journal records nothing.
type Journal struct {
	store   Store
	say     func(string)
	objects map[state.Key]state.Object // those that were made, as they were made
	lines   int                        // in the store
	gone    []byte                     // lines still to be written
	whole   bool                       // the store can be read to its end
	silent  bool                       // a failure to write has been reported
}

// line is one line of the text.
type line struct {
	Made string          `json:"made,omitempty"` // the name of a kind
	Gone string          `json:"gone,omitempty"` // the name of a kind
	What json.RawMessage `json:"what"`           // as the kind encodes it; for what is gone, only the key counts
}

// OpenJournal reads the journal. say is called with what is wrong with it, when that is found.
func OpenJournal(s Store, say func(string)) *Journal {
	j := &Journal{store: s, say: say, objects: map[state.Key]state.Object{}, whole: true}
	text, err := s.Load()
	if err != nil {
		say(fmt.Sprintf("cannot read what an earlier keepc made: %v; what it left behind stays", err))
		j.whole = false
		return j
	}
	for len(text) > 0 {
		one, rest, ended := bytes.Cut(text, []byte("\n"))
		if !ended || !j.read(one) {
			say(fmt.Sprintf("the journal of an earlier keepc is damaged after line %d; only the lines before it count", j.lines))
			j.whole = false
			break
		}
		text = rest
	}
	return j
}

// read reads one line; false: it is not valid.
func (j *Journal) read(text []byte) bool {
	var l line
	if json.Unmarshal(text, &l) != nil {
		return false
	}
	for _, kind := range state.Kinds() {
		if name := kind.About().Name; name != l.Made && name != l.Gone {
			continue
		}
		k, o, err := kind.Decode(l.What)
		if err != nil {
			return false
		}
		if j.lines++; l.Gone != "" {
			delete(j.objects, k)
		} else {
			j.objects[k] = o
		}
		return true
	}
	return false
}

// entries returns the objects that were made and are not gone, as far as is known.
func (j *Journal) entries() map[state.Key]state.Object {
	if j == nil {
		return nil
	}
	return j.objects
}

// note records what is about to be made of the changes.
func (j *Journal) note(changes plan.Plan) {
	if j == nil {
		return
	}
	var text []byte
	n := 0
	for _, c := range changes {
		if !c.Kind.Recorded() || c.After == nil {
			continue
		}
		if l := encode(c.Kind, "made", c.Key, c.After); l != nil {
			text, n = append(text, l...), n+1
			j.objects[c.Key] = c.After
		}
	}
	j.append(text, n)
}

// forget records that an object is gone, or is not ours. It is written with the next lines.
func (j *Journal) forget(k state.Key) {
	if j == nil || j.objects[k] == nil {
		return
	}
	j.gone = append(j.gone, encode(state.KindOf(k), "gone", k, j.objects[k])...)
	delete(j.objects, k)
}

func encode(kind state.AnyKind, word string, k state.Key, o state.Object) []byte {
	what, err := kind.Encode(k, o)
	if err != nil {
		return nil // keys and objects are plain data
	}
	l := line{What: what}
	if word == "made" {
		l.Made = kind.About().Name
	} else {
		l.Gone = kind.About().Name
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil
	}
	return append(text, '\n')
}

// append writes lines, preceded by those about what is gone.
func (j *Journal) append(text []byte, n int) {
	n += bytes.Count(j.gone, []byte("\n"))
	text = slices.Concat(j.gone, text)
	switch {
	case len(text) == 0:
	case !j.whole: // nothing after a damaged line is read
		j.gone = nil
		j.compact()
	default:
		err := j.store.Append(text)
		j.lines, j.gone = j.lines+n, nil
		j.whole = err == nil // part of it may have been written
		j.failed(err)
	}
}

// slack is the number of lines about removed objects that are tolerated.
const slack = 1000

// settle writes what is gone, and compacts the text if it is mostly about that, or cannot be appended to.
func (j *Journal) settle() {
	if j == nil {
		return
	}
	j.append(nil, 0)
	if !j.whole || j.lines > 2*len(j.objects)+slack || j.lines > 0 && len(j.objects) == 0 {
		j.compact()
	}
}

// compact rewrites the text.
func (j *Journal) compact() {
	var text []byte
	for k, o := range j.objects {
		text = append(text, encode(state.KindOf(k), "made", k, o)...)
	}
	err := j.store.Replace(text)
	if j.failed(err); err == nil {
		j.lines, j.whole = len(j.objects), true
	}
}

// failed reports, the first time in a row, that the journal cannot be written.
func (j *Journal) failed(err error) {
	if err != nil && !j.silent {
		j.say(fmt.Sprintf("cannot record what is made: %v; if keepc is killed now, the next one cannot remove what its file no longer names", err))
	}
	j.silent = err != nil
}
