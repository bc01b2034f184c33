package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// foreignTurns are turns of phrase that are another language word for word, with what English says instead.
var foreignTurns = []struct {
	turn    *regexp.Regexp
	but     []string // words before or within it that make it right
	instead string
}{
	{regexp.MustCompile(`\b(\w+ )?(is|are|was|were|be) no \w+`), []string{"there ", "no longer", "no more"}, "is not a"},
	{regexp.MustCompile(`\bany ?more\b`), nil, "no longer"},
	{regexp.MustCompile(`\bstands? (in|at|on|twice|between|before|behind|without|beside)\b`), nil, "is in, comes before, appears twice"},
	{regexp.MustCompile(`\bthe one below\b`), nil, "what it is"},
	{regexp.MustCompile(`\b(does|do|did) not help\b`), nil, "what is wrong"},
	{regexp.MustCompile(`\bworks for nobody\b`), nil, "what does not work"},
	{regexp.MustCompile(`\bwithout a word\b( \w+)?`), []string{"without a word of", "without a word about"}, "without a message, silently"},
}

// foreign returns the first such turn in a text, with what to write instead; empty: there is none.
func foreign(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, f := range foreignTurns {
		for _, turn := range f.turn.FindAllString(text, -1) {
			if !slices.ContainsFunc(f.but, func(but string) bool { return strings.Contains(strings.ToLower(turn), but) }) {
				return strconv.Quote(turn) + ": write " + f.instead
			}
		}
	}
	return ""
}

// TestForeign holds what counts as such a turn.
func TestForeign(t *testing.T) {
	for text, want := range map[string]bool{
		"eth0:1 is no interface name": true, "it is not used any more": true, "it stands in the block": true, "there is\nno file": false, "There is no file": false,
		"it is no longer used": false, "that is no more than 3": false, "a candidate stands for MASTER": false, "without a word of it": false, "dropped without a word": true,
	} {
		if got := foreign(text) != ""; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestEnglish holds that none of them is in what users read: the pages of the rules, the README, and the strings of the program.
func TestEnglish(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if turn := foreign(string(readme)); turn != "" {
		t.Errorf("README.md: %s", turn)
	}
	seen := 0
	for _, room := range []string{"grammar", "compiler", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			seen++
			switch filepath.Ext(path) {
			case ".txtar":
				if turn := foreign(string(text)); turn != "" {
					t.Errorf("%s: %s", path, turn)
				}
			case ".go":
				for at, s := range stringsOf(t, path, text) {
					if turn := foreign(s); turn != "" {
						t.Errorf("%s: %s", at, turn)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 500 {
		t.Errorf("only %d files", seen)
	}
}

// stringsOf returns the strings of a Go file, those that + joins as one, by where they start.
func stringsOf(t *testing.T, path string, text []byte) map[string]string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var join func(x ast.Expr) string
	join = func(x ast.Expr) string {
		switch x := x.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
				return s
			}
		case *ast.BinaryExpr:
			return join(x.X) + join(x.Y)
		}
		return " … "
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.BinaryExpr:
			if x.Op == token.ADD {
				all["from "+fset.Position(x.Pos()).String()] = join(x)
			}
		case *ast.BasicLit:
			all[fset.Position(x.Pos()).String()] = join(x)
		}
		return true
	})
	return all
}
