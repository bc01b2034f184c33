package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestHouse checks the rules of the house: which way imports run, who may touch the machine, who may look at the
// clock.
func TestHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, broken := range judge(t, filepath.ToSlash(rel), src) {
			t.Error(broken)
		}
		files++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("only %d Go files found below %s", files, root)
	}
}

// TestJudge checks that the rules catch what they are meant to catch.
func TestJudge(t *testing.T) {
	for _, c := range []struct{ file, body, want string }{
		{"grammar/x.go", `import _ "keepc/compiler/ir"`, "imports"},
		{"compiler/lint/x.go", `import _ "keepc/runtime/kernel"`, "imports"},
		{"runtime/vrrp/x.go", `import _ "keepc/cmd/keepc"`, "imports"},
		{"compiler/x.go", `import _ "os"`, "touches the machine"},
		{"runtime/router/x.go", `import _ "net"`, "touches the machine"},
		{"runtime/vrrp/x.go", `import _ "github.com/vishvananda/netlink"`, "touches the machine"},
		{"runtime/router/x.go", "import \"time\"\nvar _ = time.Duration(0)\nfunc f() { time.Now() }", "looks at the clock"},
		{"compiler/x.go", `import _ "github.com/alecthomas/participle/v2/lexer"`, "participle"},
		{"grammar/x.go", "func init() {}", "init"},
		{"grammar/x.go", "func f() { panic(1) }", "panic"},
		{"grammar/x.go", "var count int", "package-level"},
		{"grammar/x.go", "import \"embed\"\nvar files embed.FS", ""},
		{"grammar/x.go", "var seen = map[string]bool{}", "package-level"},
		{"grammar/x.go", "var words = []string{\"a\"}\nvar errX = errors()\nfunc errors() error { return nil }", ""},
		{"runtime/daemon/x.go", "import \"time\"\nfunc f() { time.Now() }", ""},
	} {
		got := strings.Join(judge(t, c.file, []byte("package x\n"+c.body)), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s with %q: got %q, want %q", c.file, c.body, got, c.want)
		}
	}
}

// judge returns the rules that a file breaks.
func judge(t *testing.T, file string, src []byte) (broken []string) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	complain := func(pos token.Pos, what string) {
		broken = append(broken, fset.Position(pos).String()+": "+what)
	}
	room := file[:strings.LastIndex(file, "/")]
	floor := strings.SplitN(room, "/", 2)[0]
	for _, i := range f.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if own, ok := strings.CutPrefix(path, "keepc/"); ok && storey(own) > storey(room) {
			complain(i.Pos(), floor+" imports "+path+": imports run grammar <- compiler <- runtime <- cmd")
		}
		if machine(path) && !mayTouchMachine(room) {
			complain(i.Pos(), room+" touches the machine through "+path)
		}
		if strings.HasPrefix(path, "github.com/alecthomas/participle") && floor != "grammar" {
			complain(i.Pos(), "participle belongs to grammar alone")
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				complain(d.Pos(), "no init(): lists are literal")
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR && mutable(v) {
					complain(v.Pos(), "package-level state: "+v.Names[0].Name)
				}
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && x.Name == "time" && slices.Contains([]string{"Now", "After", "Sleep", "NewTimer", "NewTicker", "AfterFunc", "Since", "Until"}, n.Sel.Name) && !mayLookAtClock(room) && file != start {
				complain(n.Pos(), room+" looks at the clock: time."+n.Sel.Name)
			}
		case *ast.CallExpr:
			if x, ok := n.Fun.(*ast.Ident); ok && x.Name == "panic" {
				complain(n.Pos(), "no panic outside tests")
			}
		}
		return true
	})
	return broken
}

func storey(room string) int {
	return slices.Index([]string{"grammar", "compiler", "runtime", "cmd"}, strings.SplitN(room, "/", 2)[0])
}

// machine reports whether a package reaches the machine. net/netip is a value type and does not.
func machine(path string) bool {
	switch path {
	case "os", "os/exec", "os/signal", "os/user", "net", "net/http", "syscall":
		return true
	}
	for _, p := range []string{"github.com/vishvananda/", "github.com/moby/ipvs", "github.com/mdlayher/", "golang.org/x/sys/", "golang.org/x/net/ipv", "github.com/fsnotify/"} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func mayTouchMachine(room string) bool {
	return in(room, "runtime/kernel", "runtime/probe", "runtime/script", "runtime/notify", "runtime/watch", "runtime/shortage", "runtime/rival", "runtime/daemon", "runtime/status", "runtime/lab", "cmd")
}

// start is the file that tells the verbs when they were started.
const start = "cmd/keepc/main.go"

func mayLookAtClock(room string) bool {
	return in(room, "runtime/daemon", "runtime/probe", "runtime/notify", "runtime/watch", "runtime/status", "runtime/lab")
}

func in(room string, rooms ...string) bool {
	return slices.ContainsFunc(rooms, func(r string) bool { return room == r || strings.HasPrefix(room, r+"/") })
}

// mutable reports whether a package-level variable can be state: it has no value, or one made to be filled later.
// Literal lists and values computed once are data.
func mutable(v *ast.ValueSpec) bool {
	if len(v.Values) == 0 {
		t, ok := v.Type.(*ast.SelectorExpr) // embedded files cannot change
		return !ok || t.Sel.Name != "FS"
	}
	for _, x := range v.Values {
		switch x := x.(type) {
		case *ast.CompositeLit:
			if len(x.Elts) == 0 && v.Names[0].Name != "_" {
				return true
			}
		case *ast.CallExpr:
			if f, ok := x.Fun.(*ast.Ident); ok && (f.Name == "make" || f.Name == "new") {
				return true
			}
		}
	}
	return false
}
