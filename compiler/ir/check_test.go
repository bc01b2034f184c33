package ir

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"keepc/grammar/source"
)

// TestSame changes every value of a check, one by one: each change makes a different check. Its place in the file does
// not.
func TestSame(t *testing.T) {
	for _, c := range []Checker{
		&TCPCheck{}, &PingCheck{}, &HTTPCheck{}, &SMTPCheck{}, &DNSCheck{}, &UDPCheck{}, &MiscCheck{}, &FileCheck{}, &BFDCheck{},
	} {
		one, other := filled(c), filled(c)
		if !one.Same(other) {
			t.Errorf("%s is not the same as its like", c.Keyword())
		}
		for _, d := range []Checker{&TCPCheck{}, &HTTPCheck{TLS: true}, &BFDCheck{Name{Text: "other"}}} {
			if c.Same(d) && reflect.TypeOf(c) != reflect.TypeOf(d) {
				t.Errorf("%s is the same as %s", c.Keyword(), d.Keyword())
			}
		}
		leaves(reflect.ValueOf(other).Elem(), c.Keyword(), func(name string, v reflect.Value) {
			old := reflect.New(v.Type()).Elem()
			old.Set(v)
			change(v)
			if one.Same(other) || other.Same(one) {
				t.Errorf("%s: another value makes no other check", name)
			}
			v.Set(old)
		})
	}
}

// filled is a check with a value in every field.
func filled(of Checker) *Check {
	c := &Check{Checker: reflect.New(reflect.TypeOf(of).Elem()).Interface().(Checker)}
	leaves(reflect.ValueOf(c).Elem(), "", func(_ string, v reflect.Value) { change(v) })
	return c
}

// leaves calls visit for every value that is not composed of others. Lists get one element, and pointers a target.
func leaves(v reflect.Value, name string, visit func(string, reflect.Value)) {
	switch {
	case slices.Contains([]reflect.Type{reflect.TypeFor[Origin](), reflect.TypeFor[source.Span]()}, v.Type()):
	case v.Type() == reflect.TypeFor[Secret]():
		visit(name, v)
	case v.Kind() == reflect.Interface:
		leaves(v.Elem().Elem(), name, visit)
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		leaves(v.Elem(), name, visit)
	case v.Kind() == reflect.Slice:
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		leaves(v.Index(0), name, visit)
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[Check]().PkgPath():
		for i := range v.NumField() {
			switch f := v.Type().Field(i); {
			case f.Name == "Hosts": // which Compile takes out
			case f.Name == "LogAllFailures": // says nothing about the server
			case f.Name == "User" && v.Type() == reflect.TypeFor[MiscCheck](): // becomes that of the command
			default:
				leaves(v.Field(i), name+" "+f.Name, visit)
			}
		}
	default:
		visit(name, v)
	}
}

// change changes a value.
func change(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(v.Int() + 1)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(v.Uint() + 1)
	case reflect.Struct:
		if s, ok := v.Interface().(Secret); ok {
			v.Set(reflect.ValueOf(NewSecret(s.Reveal() + "x")))
			return
		}
		a, _ := v.Interface().(netip.AddrPort)
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.IPv6LinkLocalAllNodes(), a.Port()+1)))
	}
}
