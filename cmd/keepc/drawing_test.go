package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDrawing checks that the README's drawing has every package, once, and no others, and that the paths and identifiers that the README
// mentions exist.
func TestDrawing(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	drawn, there := drawing(t, string(readme)), rooms(t, root)
	for room, times := range drawn {
		if times > 1 || !there[room] {
			t.Errorf("the drawing has %s %d times; it is a package: %v", room, times, there[room])
		}
	}
	for room := range there {
		if drawn[room] == 0 {
			t.Errorf("the drawing lacks %s", room)
		}
	}
	byName := map[string]string{}
	for room := range there {
		byName[path.Base(room)] = room
	}
	for _, quoted := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(readme), -1) {
		word := quoted[1]
		if regexp.MustCompile(`^(grammar|compiler|runtime|cmd|testdata|\.ci)/[\w./*-]+$`).MatchString(word) {
			if found, _ := filepath.Glob(filepath.Join(root, word)); found == nil {
				t.Errorf("the README mentions %s, which does not exist", word)
			}
		}
		if m := regexp.MustCompile(`^([a-z]+)\.([A-Za-z]\w*)(?:\.([A-Z]\w*))?$`).FindStringSubmatch(word); m != nil && byName[m[1]] != "" {
			if !declares(t, filepath.Join(root, byName[m[1]]), m[2], m[3]) {
				t.Errorf("the README mentions %s, which %s does not declare", word, byName[m[1]])
			}
		}
	}
}

// drawing counts the packages of the README's drawing, by their directories.
func drawing(t *testing.T, readme string) map[string]int {
	t.Helper()
	_, rest, _ := strings.Cut(readme, "\n## Architecture\n")
	_, text, found := strings.Cut(rest, "\n```\ngrammar/")
	text, _, closed := strings.Cut("grammar/"+text, "\n```\n")
	if !found || !closed {
		t.Fatal("the README has no drawing of the packages")
	}
	drawn := map[string]int{}
	floor := ""
	for line := range strings.Lines(text) {
		for _, room := range regexp.MustCompile(`(?:^|\s)([a-z/]+)/`).FindAllStringSubmatch(line, -1) {
			if strings.HasPrefix(line, " ") {
				drawn[floor+"/"+room[1]]++
			} else if floor = room[1]; floor != "runtime" { // runtime has only packages below it
				drawn[floor]++
			}
		}
	}
	return drawn
}

// rooms returns the directories with Go files, or with an action for GitHub, as the drawing names them: without those below a package's
// directory.
func rooms(t *testing.T, root string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && file != root {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(root, file)
		if err != nil || filepath.Ext(file) != ".go" && d.Name() != "action.yml" {
			return err
		}
		parts := strings.Split(filepath.ToSlash(filepath.Dir(rel)), "/")
		there[strings.Join(parts[:min(2, len(parts))], "/")] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// declares reports whether a package declares a name, which has a method or field, if one is given.
func declares(t *testing.T, dir, name, member string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				found[receiver(d)+d.Name.Name] = true
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						found[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							found[n.Name] = true
						}
					}
				}
			}
		}
	}
	if member != "" {
		return found[name+"."+member]
	}
	return found[name] || slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(k string) bool { return strings.HasSuffix(k, "."+name) })
}

// receiver returns the type of a method's receiver and a dot; empty for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	of := d.Recv.List[0].Type
	if p, ok := of.(*ast.StarExpr); ok {
		of = p.X
	}
	if g, ok := of.(*ast.IndexExpr); ok {
		of = g.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}
