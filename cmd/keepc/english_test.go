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

// A foreignTurn is a turn of phrase, with what English says instead.
type foreignTurn struct {
	turn    *regexp.Regexp
	but     []string // words before or within it that make it right
	instead string
}

// foreignTurns are turns of phrase that are another language word for word.
var foreignTurns = []foreignTurn{
	{regexp.MustCompile(`\b(\w+ )?(is|are|was|were|be) no \w+`), []string{"there ", "no longer", "no more", "can be", "must be"}, "is not a"},
	{regexp.MustCompile(`\bany ?more\b`), nil, "no longer"},
	{regexp.MustCompile(`\bstands? (in|at|on|twice|between|before|behind|without|beside)\b`), nil, "is in, comes before, appears twice"},
	{regexp.MustCompile(`\bworks for nobody\b`), nil, "what does not work"},
	{regexp.MustCompile(`\bwithout a word\b( \w+)?`), []string{"without a word of", "without a word about"}, "without a message, silently"},
	{regexp.MustCompile(`\banew\b`), nil, "again"},
	{regexp.MustCompile(`\bothers than\b`), nil, "anyone but, users other than"},
	{regexp.MustCompile(`\bin vain\b`), nil, "what does not work"},
	{regexp.MustCompile(`, for (it|they|there|nobody|nothing|everything) `), nil, "because"},
	{regexp.MustCompile(`\b(for|to|of|by) who\b`), nil, "for those who, for a client that"},
	{regexp.MustCompile(`\bwhat becomes of\b`), nil, "what happens to"},
}

// foreignTexts are those of a text for users; a comment has the code beside it.
var foreignTexts = []foreignTurn{
	{regexp.MustCompile(`\bthe one below\b`), nil, "what it is"},
	{regexp.MustCompile(`\b(does|do|did) not help\b`), nil, "what is wrong"},
}

// foreignComments are those of a comment.
var foreignComments = []foreignTurn{
	{regexp.MustCompile(`\b(tells|says) whether\b`), nil, "reports whether"},
	{regexp.MustCompile(`\bholds that\b`), nil, "checks that"},
	{regexp.MustCompile(`\bbut for\b`), nil, "except for"},
	{regexp.MustCompile(`\bso many\b`), nil, "a number of, that many"},
	{regexp.MustCompile(`\btakes? note\b`), nil, "records"},
	{regexp.MustCompile(`\bin the place of\b`), nil, "instead of, in place of"},
	{regexp.MustCompile(`\b(one|a \w+) a (line|file|verb|keyword|host|namespace)\b`), nil, "one per line"},
}

// foreign returns the first of the foreignTurns, and of more, in a text, with what to write instead; empty: there is none.
func foreign(text string, more ...foreignTurn) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, f := range slices.Concat(foreignTurns, more) {
		for _, turn := range f.turn.FindAllString(text, -1) {
			if !slices.ContainsFunc(f.but, func(but string) bool { return strings.Contains(strings.ToLower(turn), but) }) {
				return strconv.Quote(turn) + ": write " + f.instead
			}
		}
	}
	return ""
}

// TestForeign checks what counts as such a turn.
func TestForeign(t *testing.T) {
	for text, want := range map[string]bool{
		"eth0:1 is no interface name": true, "it is not used any more": true, "it stands in the block": true, "there is\nno file": false, "There is no file": false,
		"it is no longer used": false, "that is no more than 3": false, "a candidate stands for MASTER": false, "without a word of it": false, "dropped without a word": true,
		"it is made anew": true, "for who asks": true, "for those who ask": false, "dropped, for nobody reads it": true, "for it": false,
	} {
		if got := foreign(text) != ""; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestEnglish checks that none of them is in what users read, which is the pages of the rules, the README and the strings of the program,
// nor in the comments of any Go file.
func TestEnglish(t *testing.T) {
	root := filepath.Join("..", "..")
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if turn := foreign(string(readme), foreignTexts...); turn != "" {
		t.Errorf("README.md: %s", turn)
	}
	seen := 0
	for _, room := range []string{"grammar", "compiler", "runtime", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || d.Name() == "english_test.go" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".txtar":
				seen++
				if turn := foreign(string(text), foreignTexts...); turn != "" {
					t.Errorf("%s: %s", path, turn)
				}
			case ".go":
				seen++
				inGo(t, path, text)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d files", seen)
	}
}

// inGo reports the turns in the comments of a Go file, and in its strings unless it is a test.
func inGo(t *testing.T, path string, text []byte) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Comments {
		if turn := foreign(c.Text(), foreignComments...); turn != "" {
			t.Errorf("%s: %s", fset.Position(c.Pos()), turn)
		}
	}
	if strings.HasSuffix(path, "_test.go") {
		return
	}
	for at, s := range stringsOf(fset, f) {
		if turn := foreign(s, foreignTexts...); turn != "" {
			t.Errorf("%s: %s", at, turn)
		}
	}
}

// stringsOf returns the strings of a Go file, those that + joins as one, by where they start.
func stringsOf(fset *token.FileSet, f *ast.File) map[string]string {
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
