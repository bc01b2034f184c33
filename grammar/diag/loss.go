package diag

// Loss is what keepalived does at a finding of severity error, and what the file loses by it. The zero value is not an
// answer: the finding leaves the answer to its rule. A director does not start with a file that has an error without
// an answer.
type Loss int

// The losses, in rising order. Keeps: keepalived does as the line says, and that is what is wrong. GoesOnWith: it
// continues with something else: a default, a part of the value, or what it could make of the line. DropsWord: the
// line, or a word of it, does not count. DropsBlock: nor does its block, the block that it opens, or the file that it
// names. DropsInstance: a whole instance or virtual server is missing. Ends: keepalived exits, hangs or crashes, so
// the file has never run.
const (
	Keeps Loss = iota + 1
	GoesOnWith
	DropsWord
	DropsBlock
	DropsInstance
	Ends
)

// losses are the words for each Loss: in the JSON form, and after "keepalived ".
var losses = [...]struct{ name, text string }{
	Keeps:         {"keeps", "does as the line says"},
	GoesOnWith:    {"value", "goes on with something else"},
	DropsWord:     {"word", "goes on without the line, or without a word of it"},
	DropsBlock:    {"block", "goes on without the block"},
	DropsInstance: {"instance", "goes on without the instance or virtual server"},
	Ends:          {"ends", "does not run with the file"},
}

// String returns one word, as in the JSON form of a finding; empty for the zero value.
func (l Loss) String() string { return losses[l].name }

// Text completes the sentence "keepalived …". It is empty for the zero value.
func (l Loss) Text() string { return losses[l].text }

// Runs reports whether keepalived runs all the same.
func (l Loss) Runs() bool { return l >= Keeps && l < Ends }

// DropsLine reports whether keepalived runs without the line of a finding, or without a word of it.
func (d *Diagnostic) DropsLine() bool {
	return d.Severity == Error && d.Loss >= DropsWord && d.Loss < Ends && !d.Span.IsZero()
}
