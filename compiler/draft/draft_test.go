package draft

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keepc/compiler"
	"keepc/compiler/ipvsadm"
	"keepc/compiler/state"
	"keepc/grammar"
	"keepc/grammar/diag"
	"keepc/grammar/source"
)

// TestConfig reads what people keep and checks the file that is written: it has no errors and means the same.
func TestConfig(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("..", "..", "testdata", "import", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in testdata/import: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var h Host
			for _, f := range h.Read(text) {
				t.Error(f)
			}
			got := h.Config(Options{Check: "connect"})
			golden := strings.TrimSuffix(path, ".txt") + ".conf"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != string(got) {
				t.Errorf("%s differs (UPDATE=1 rewrites it): %v\n%s", golden, err, got)
			}
			holds(t, h, got)
		})
	}
}

// holds checks that a file has no errors and the same services.
func holds(t *testing.T, h Host, text []byte) {
	t.Helper()
	u := compiler.Load(source.New("draft.conf", text), compiler.Options{})
	for _, d := range u.Findings {
		if d.Severity == diag.Error {
			t.Errorf("%s: %s [%s]\n%s", d.Span, d.Message, d.Rule, text)
		}
	}
	var was, is strings.Builder
	if err := ipvsadm.Write(&was, h.State); err != nil {
		t.Fatal(err)
	}
	if err := ipvsadm.Write(&is, state.Desired(u.Config, state.Situation{})); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "is left out") && was.String() != is.String() {
		t.Errorf("was\n%s\nthe file wants\n%s\n%s", &was, &is, text)
	}
}

// TestWrong checks what is said about lines that cannot be used.
func TestWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"\nhello world", `2: "hello world" is neither a rule of ipvsadm nor a line of ip addr`},
		{"    inet 10.0.0.3/24 scope global eth0", "1: no line with the name of an interface came before"},
		{"2: eth0: <UP>\n inet nowhere scope global eth0", `2: "nowhere" is not an address`},
		{"ip addr add 10.0.0.3/24", "1: expected dev with the name of an interface"},
		{"ip addr add dev eth0", "1: expected an address"},
		{"ip link set eth0 up", "1: expected ip addr add ADDRESS dev INTERFACE"},
		{"ip addr add 10.0.0.3/24 dev eth0 scope nowhere", `1: "nowhere" is not a scope`},
		{"[{", "read what ip -j addr prints: unexpected end of JSON input"},
	} {
		var h Host
		found := h.Read([]byte(c.text))
		if len(found) != 1 || found[0].String() != c.want {
			t.Errorf("%q: got %v, want %s", c.text, found, c.want)
		}
	}
}

// FuzzRead checks that every text is read to its end, and that the resulting file has no syntax errors.
func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob(filepath.Join("..", "..", "testdata", "import", "*.txt"))
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("2: eth0    inet 10.0.0.3/24 brd + scope global eth0:0\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h Host
		_ = h.Read(text)
		got := h.Config(Options{Check: "ping"})
		if again := grammar.Format(got); string(again) != string(got) {
			t.Errorf("%s\nis laid out otherwise:\n%s", got, again)
		}
	})
}
