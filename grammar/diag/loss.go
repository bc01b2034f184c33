package diag

// Loss is what keepalived does where a finding of severity error is, and what a file loses by it. The zero value is no answer: where a
// finding is made it leaves the answer to its rule, and a director does not start with a file for which nobody has one.
type Loss int

// The losses, the least first. Keeps: keepalived does as the line says, and what is wrong is that it does. GoesOnWith: it goes on with
// something else, as a default, a part of the value, or what it could make of the line. DropsWord: the line, or a word of it, does not
// count. DropsBlock: nor does the block that it is in, or opens, or the file that it names. DropsInstance: an instance or virtual server
// is not there at all. Ends: keepalived ends, hangs or crashes, so that the file has never run.
const (
	Keeps Loss = iota + 1
	GoesOnWith
	DropsWord
	DropsBlock
	DropsInstance
	Ends
)

// losses are the words for each Loss: that of the JSON form, and what follows "keepalived ".
var losses = [...]struct{ name, text string }{
	Keeps:         {"keeps", "does as the line says"},
	GoesOnWith:    {"value", "goes on with something else"},
	DropsWord:     {"word", "goes on without the line, or without a word of it"},
	DropsBlock:    {"block", "goes on without the block"},
	DropsInstance: {"instance", "goes on without the instance or virtual server"},
	Ends:          {"ends", "does not run with the file"},
}

// String is one word, as in the JSON form of a finding; empty for the zero value.
func (l Loss) String() string { return losses[l].name }

// Text says what keepalived does: it completes the sentence "keepalived …". It is empty for the zero value.
func (l Loss) Text() string { return losses[l].text }

// Runs tells whether keepalived runs all the same.
func (l Loss) Runs() bool { return l >= Keeps && l < Ends }
