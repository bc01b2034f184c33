package ir

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// A full configuration has one of everything, and every command has a distinct name.
func full(commands *[]string) *Config {
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[Command]():
			name := fmt.Sprintf("/command/%d", len(*commands))
			*commands = append(*commands, name)
			v.Set(reflect.ValueOf(Command{Args: []string{name}}))
		case v.Type() == reflect.TypeFor[Checker](): // one that has a command
			misc := new(MiscCheck)
			fill(reflect.ValueOf(misc).Elem())
			v.Set(reflect.ValueOf(misc))
		case v.Type() == reflect.TypeFor[Origin](), v.Kind() == reflect.Interface:
		case v.Kind() == reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case v.Kind() == reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0))
		case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[Config]().PkgPath():
			for i := range v.NumField() {
				switch f := v.Type().Field(i); {
				case !f.IsExported():
				case f.Name == "Commands" && v.Type() == reflect.TypeFor[Config](): // copies, for lint
				case f.Name == "SyncGroup": // one of those that Config lists
				case f.Name == "NotRun": // what MapCommands has removed
				case f.Name == "QuorumAddress": // a command that keepc understands is not run
				default:
					fill(v.Field(i))
				}
			}
		}
	}
	c := &Config{}
	fill(reflect.ValueOf(c).Elem())
	c.Instances[0].SyncGroup = c.SyncGroups[0]
	c.Scripts[0].Name, c.Instances[0].TrackScripts[0].Name, c.SyncGroups[0].TrackScripts[0].Name = "web", "web", "web"
	return c
}

// TestMapCommands finds commands that were added to the configuration and are missing in MapCommands: they would never
// be vetted.
func TestMapCommands(t *testing.T) {
	var all, seen, again []string
	c := full(&all)
	next := c.MapCommands(func(what string, c Command) Command {
		seen = append(seen, c.Args[0])
		return Command{Args: []string{"/new" + c.Args[0]}}
	})
	slices.Sort(all)
	slices.Sort(seen)
	if !slices.Equal(seen, all) {
		t.Errorf("got %v, want all commands of a configuration: %v", seen, all)
	}
	c.MapCommands(func(_ string, c Command) Command { again = append(again, c.Args[0]); return c })
	if slices.Sort(again); !slices.Equal(again, all) {
		t.Errorf("the configuration itself changed: %v", again)
	}
	for i := range all {
		all[i] = "/new" + all[i]
	}
	again = nil
	next.MapCommands(func(_ string, c Command) Command { again = append(again, c.Args[0]); return c })
	if slices.Sort(again); !slices.Equal(again, all) {
		t.Errorf("the copy has %v, want %v", again, all)
	}
	if next.Instances[0].SyncGroup != next.SyncGroups[0] {
		t.Error("the instance is not in the group of its own configuration")
	}

	none := c.MapCommands(func(string, Command) Command { return Command{} })
	none.MapCommands(func(what string, _ Command) Command { t.Error(what); return Command{} })
	if n := len(none.Scripts) + len(none.Instances[0].TrackScripts) + len(none.SyncGroups[0].TrackScripts) + len(none.VirtualServers[0].RealServers[0].Checks); n != 0 {
		t.Error("a script, a line that tracks it or a check is left without its command")
	}
	if len(c.Scripts)+len(c.Instances[0].TrackScripts)+len(c.SyncGroups[0].TrackScripts)+len(c.VirtualServers[0].RealServers[0].Checks) != 4 {
		t.Error("the configuration itself lost something")
	}
}
