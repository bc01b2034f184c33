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
	// Replace puts another text in its place, whole or not at all.
	Replace([]byte) error
}

// A Journal remembers what was made, so that the next process removes what a killed one left behind. It is written before the kernel
// is: a line says what is about to be made, another one that it is gone. It serves where it can: what cannot be read or written is said
// once, and stops nothing. A nil Journal remembers nothing.
type Journal struct {
	store   Store
	say     func(string)
	objects map[state.Key]state.Object // that were made, with what they were made to be
	lines   int                        // in the store
	gone    []byte                     // lines that are still to be written
	whole   bool                       // what is in the store can be read to its end
	silent  bool                       // it was said that it cannot be written
}

// line is one line of the text.
type line struct {
	Made string          `json:"made,omitempty"` // the name of a kind
	Gone string          `json:"gone,omitempty"` // the name of a kind
	What json.RawMessage `json:"what"`           // as the kind encodes it; of what is gone, the key counts
}

// OpenJournal reads the journal. say is told what is wrong with it, as it comes up.
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
			say(fmt.Sprintf("the journal of an earlier keepc is damaged behind line %d; what is before it counts", j.lines))
			j.whole = false
			break
		}
		text = rest
	}
	return j
}

// read takes one line in; false: it is none.
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

// entries are the objects that were made and are not gone, for all that is known.
func (j *Journal) entries() map[state.Key]state.Object {
	if j == nil {
		return nil
	}
	return j.objects
}

// note writes down what is about to be made of the changes.
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

// forget notes that an object is gone, or is not ours. It is written with the next lines.
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

// append writes lines, and those of what is gone before them.
func (j *Journal) append(text []byte, n int) {
	n += bytes.Count(j.gone, []byte("\n"))
	text = slices.Concat(j.gone, text)
	switch {
	case len(text) == 0:
	case !j.whole: // nobody reads on behind a damaged line
		j.gone = nil
		j.compact()
	default:
		err := j.store.Append(text)
		j.lines, j.gone = j.lines+n, nil
		j.whole = err == nil // a part of it may be there
		j.failed(err)
	}
}

// slack is how many lines may be about what is gone.
const slack = 1000

// settle writes down what is gone, and shortens the text where it is mostly about that, or cannot be appended to.
func (j *Journal) settle() {
	if j == nil {
		return
	}
	j.append(nil, 0)
	if !j.whole || j.lines > 2*len(j.objects)+slack || j.lines > 0 && len(j.objects) == 0 {
		j.compact()
	}
}

// compact writes the text anew.
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

// failed says, the first time in a row, that the journal cannot be written.
func (j *Journal) failed(err error) {
	if err != nil && !j.silent {
		j.say(fmt.Sprintf("cannot write down what is made: %v; should keepc be killed now, the next one cannot remove what its file no longer names", err))
	}
	j.silent = err != nil
}
