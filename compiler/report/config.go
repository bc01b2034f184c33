package report

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"keepc/compiler/ir"
	"keepc/grammar/source"
)

// ConfigVersion is the version of the JSON form of a configuration; it grows when a field changes its meaning or is
// removed.
const ConfigVersion = 1

// Config writes the configuration of a file as JSON. A block is an object named by the word of the file; its parts are
// named by their Go fields in the style of the file, or by their json tags. Durations are in seconds; "at" is the
// place of the line. Numbers are always written, even 0; what is false, empty or absent is left out.
func Config(w io.Writer, file string, cfg *ir.Config) error {
	var e configEncoder
	e.WriteString(`{"version":` + strconv.Itoa(ConfigVersion) + `,"file":`)
	e.text(file)
	e.fields(reflect.ValueOf(cfg).Elem(), false)
	e.WriteString("}\n")
	var out bytes.Buffer
	if err := json.Indent(&out, e.Bytes(), "", "  "); err != nil {
		return fmt.Errorf("lay the configuration out: %w", err)
	}
	_, err := out.WriteTo(InJSON(w))
	return err
}

// A configEncoder writes values as JSON without white space.
type configEncoder struct {
	bytes.Buffer
	open bool // nothing in it is secret
}

// A member is how a field of a struct is written.
type member struct {
	name         string
	skip, inline bool
	omitZero     bool // also of numbers
}

// fields writes the fields of a struct as members of an object that is open; first reports whether it is still empty.
func (e *configEncoder) fields(v reflect.Value, first bool) bool {
	for i := range v.NumField() {
		m, f := memberOf(v.Type().Field(i)), v.Field(i)
		switch {
		case m.skip, !f.CanInterface(), f.Kind() == reflect.Pointer && f.IsNil():
		case f.Type() == reflect.TypeFor[ir.Checker]():
			first = e.checker(f.Interface().(ir.Checker), first)
		case m.inline:
			first = e.fields(reflect.Indirect(f), first)
		case absent(f), m.omitZero && f.IsZero():
		default:
			if !first {
				e.WriteByte(',')
			}
			first = false
			e.text(m.name)
			e.WriteByte(':')
			e.value(f)
		}
	}
	return first
}

// checker writes the kind of a check, and the part of that kind: "kind":"HTTP_GET","http":{…}.
func (e *configEncoder) checker(c ir.Checker, first bool) bool {
	if !first {
		e.WriteByte(',')
	}
	e.WriteString(`"kind":`)
	e.text(c.Keyword())
	if part := reflect.ValueOf(c).Elem(); part.NumField() > 0 {
		e.WriteByte(',')
		e.text(snake(strings.TrimSuffix(part.Type().Name(), "Check")))
		e.WriteByte(':')
		e.value(part)
	}
	return false
}

func (e *configEncoder) value(v reflect.Value) {
	switch x := v.Interface().(type) {
	case ir.Origin:
		e.place(x.Span())
		return
	case source.Span:
		e.place(x)
		return
	case ir.Number:
		if x.Name != "" {
			e.text(x.Name)
		} else {
			fmt.Fprint(e, x.N)
		}
		return
	case time.Duration:
		e.WriteString(strconv.FormatFloat(x.Seconds(), 'f', -1, 64))
		return
	case encoding.TextMarshaler:
		text, _ := x.MarshalText() // those of netip and ir do not fail
		e.text(string(text))
		return
	case []string:
		e.words(x)
		return
	case ir.Unenforced: // our own words, not those of the file
		e.open = true
		defer func() { e.open = false }()
	case fmt.Stringer:
		if v.Kind() != reflect.Struct && v.Kind() != reflect.Pointer {
			e.text(x.String())
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		e.value(v.Elem())
	case reflect.Struct:
		e.WriteByte('{')
		e.fields(v, true)
		e.WriteByte('}')
	case reflect.Slice:
		e.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				e.WriteByte(',')
			}
			e.value(v.Index(i))
		}
		e.WriteByte(']')
	case reflect.String:
		text := v.String()
		if !e.open {
			text = Hide(text)
		}
		e.text(text)
	default: // booleans and numbers
		fmt.Fprint(e, v.Interface())
	}
}

func (e *configEncoder) place(at source.Span) {
	p := at.Position()
	e.text(p.File + ":" + strconv.Itoa(p.Line))
}

// words writes the words of a command without the passwords in them, as an excerpt shows them.
func (e *configEncoder) words(words []string) {
	secrets := secretParts(strings.Join(words, " "))
	e.WriteByte('[')
	at := 0
	for i, w := range words {
		if i > 0 {
			e.WriteByte(',')
		}
		var own []part
		for _, p := range secrets {
			if from, to := max(p.from-at, 0), min(p.to-at, len(w)); from < to {
				own = append(own, part{from, to})
			}
		}
		e.text(hideParts(w, own))
		at += len(w) + 1
	}
	e.WriteByte(']')
}

// text writes a JSON string; bytes that are not UTF-8 become U+FFFD.
func (e *configEncoder) text(s string) {
	enc := json.NewEncoder(e)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings and buffers do not fail
	e.Truncate(e.Len() - 1)
}

// absent reports whether a value is left out: every zero value that is not a number.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice:
		return v.Len() == 0
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return false
	}
	return v.IsZero()
}

// memberOf reads the json tag of a field: a name, "-", ",omitzero" for a number that is left out if it is 0, or
// ",inline" for a struct whose fields belong to the surrounding object, as those of embedded structs do.
func memberOf(f reflect.StructField) member {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	m := member{name: name, skip: name == "-", inline: options == "inline" || f.Anonymous && name == "", omitZero: options == "omitzero"}
	if f.Type == reflect.TypeFor[ir.Origin]() {
		m.name, m.inline = "at", false
	}
	if m.name == "" {
		m.name = snake(f.Name)
	}
	return m
}

// snake turns GARPMasterDelay into garp_master_delay.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, c := range runes {
		starts := unicode.IsUpper(c) && i > 0 &&
			(unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]) && unicode.IsUpper(runes[i-1]))
		if starts {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
