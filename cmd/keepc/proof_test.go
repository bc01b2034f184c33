package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"keepc/runtime/lab"
)

// TestRepairProof checks that "keepc check --fix" makes no file worse for keepalived: Debian's keepalived -t complains
// about the repaired file as often as before or less, and its dump has every instance, address, tracker, script,
// route, rule and peer that it had. Virtual services, which keepalived only dumps on a machine with IPVS, are compared
// as keepc reads them. The files are those of the corpus, the cases, and mutations of the corpus: a letter of a
// keyword or a brace dropped, words glued, lines swapped, the same every time. By default some of the files are tried;
// KEEPC_REPAIR=all tries all of them, with three mutations each, and with KEEPC_PART=2/10 the second of ten parts of them.
func TestRepairProof(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts keepalived many times")
	}
	lab.NeedPrograms(t, "keepalived", "chroot", "timeout")
	all := os.Getenv("KEEPC_REPAIR") == "all"
	texts := proofTexts(t, all)
	if len(texts) == 0 {
		t.Skip("../shared/corpus is not here")
	}
	names := partOf(t, slices.Sorted(maps.Keys(texts)))
	var repaired, compared, silent atomic.Int32
	var before, after atomic.Int32
	t.Run("files", func(t *testing.T) {
		for _, name := range names {
			old := texts[name]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := proof{T: t, file: filepath.Join(t.TempDir(), "keepalived.conf")}
				better := p.repair(old)
				if bytes.Equal(better, old) {
					return
				}
				repaired.Add(1)
				p.services(old, better)
				m, n := p.complaints(old, better)
				before.Add(int32(m))
				after.Add(int32(n))
				switch p.objects(old, better) {
				case true:
					compared.Add(1)
				case false:
					silent.Add(1)
				}
			})
		}
	})
	t.Logf("%d files, %d repaired; complaints of keepalived -t: %d before, %d after; %d dumps compared, %d left out, for keepalived does not run with the file as it was",
		len(names), repaired.Load(), before.Load(), after.Load(), compared.Load(), silent.Load())
	if n := repaired.Load(); n < 5 {
		t.Errorf("only %d files were repaired", n)
	}
}

// proofTexts returns the files to try, by name.
func proofTexts(t *testing.T, all bool) map[string][]byte {
	t.Helper()
	texts := map[string][]byte{}
	add := func(pattern string, every, mutations int) {
		paths, err := filepath.Glob(filepath.Join(absolute(t, filepath.Join("..", "..", "..", "shared")), filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range paths {
			if !all && i%every != 0 {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 64<<10 { // those are for measuring
				continue
			}
			name := filepath.Base(path)
			texts[name] = text
			for n := range mutations {
				random := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				texts[fmt.Sprintf("%s, mutation %d", name, n+1)] = mutated(text, random)
			}
		}
	}
	if all {
		add("corpus/files/*", 1, 3)
	} else {
		add("corpus/files/*", 20, 1)
	}
	add("cases/*.conf", 8, 0)
	add("faults/*.conf", 4, 0)
	return texts
}

// mutated returns a text with one typical typing error.
func mutated(text []byte, random *rand.Rand) []byte {
	lines := strings.SplitAfter(string(text), "\n")
	for range 100 {
		i := random.IntN(len(lines))
		line := lines[i]
		body := strings.TrimLeft(line, " \t")
		word, rest, more := strings.Cut(body, " ")
		if word = strings.TrimRight(word, "\r\n"); word == "" || strings.ContainsAny(word[:1], "#!") {
			continue
		}
		indent := line[:len(line)-len(body)]
		switch random.IntN(4) {
		case 0:
			if len(word) < 4 {
				continue
			}
			n := random.IntN(len(word))
			lines[i] = indent + word[:n] + body[n+1:]
		case 1:
			n := strings.IndexAny(line, "{}")
			if n < 0 {
				continue
			}
			lines[i] = line[:n] + line[n+1:]
		case 2:
			if !more {
				continue
			}
			lines[i] = indent + word + rest
		default:
			if i+1 == len(lines) || !strings.HasSuffix(lines[i+1], "\n") {
				continue
			}
			lines[i], lines[i+1] = lines[i+1], lines[i]
		}
		return []byte(strings.Join(lines, ""))
	}
	return text
}

// A proof is the proof for one file.
type proof struct {
	*testing.T
	file string
}

func (p proof) write(text []byte) {
	p.Helper()
	if err := os.WriteFile(p.file, text, 0o644); err != nil {
		p.Fatal(err)
	}
}

// repair returns keepc's repair of a text.
func (p proof) repair(text []byte) []byte {
	p.Helper()
	p.write(text)
	app := App{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Env: func(string) string { return "" }, FS: os.DirFS("/"), Dir: filepath.Dir(p.file)}
	app.Main([]string{"check", "--fix", "--id", dumpHost, filepath.Base(p.file)})
	better, err := os.ReadFile(p.file)
	if err != nil {
		p.Fatal(err)
	}
	return better
}

// sayings are what a service, a server or a check may say differently because its line was repaired: a misspelled
// protocol, a weight glued to its number, a path without its keyword.
var sayings = regexp.MustCompile(`:(udp|tcp|sctp):|, WEIGHT = (\d+)|Checked url = ?(.*)`)

// services checks that no virtual service, real server or check is lost, and that none changes except for what a
// repaired line says.
func (p proof) services(old, better []byte) {
	p.Helper()
	heads := func(text []byte) map[string]int {
		p.write(text)
		count := map[string]int{}
		for _, b := range lvsDump(configOf(p.T, p.file)) {
			if !strings.HasPrefix(b.head, "BFD Instance = ") { // it does not concern virtual services if an instance tracks it
				count[b.head]++
			}
		}
		return count
	}
	lines := map[string]int{}
	for line := range strings.Lines(string(better)) {
		lines[line]++
	}
	for line := range strings.Lines(string(old)) {
		lines[line]--
	}
	var repaired []string
	for line, n := range lines {
		if n > 0 {
			repaired = append(repaired, strings.ToLower(line))
		}
	}
	before, after := heads(old), heads(better)
	for _, head := range slices.Sorted(maps.Keys(before)) {
		for lost := before[head] - after[head]; lost > 0; lost-- {
			i := slices.IndexFunc(slices.Sorted(maps.Keys(after)), func(now string) bool {
				return after[now] > before[now] && brought(head, now, repaired)
			})
			if i < 0 {
				p.Errorf("the repair loses %s", head)
				break
			}
			after[slices.Sorted(maps.Keys(after))[i]]--
		}
	}
}

// brought reports whether a head differs from another only by what repaired lines say, which are in lower case.
func brought(old, now string, repaired []string) bool {
	if sayings.ReplaceAllString(old, "") != sayings.ReplaceAllString(now, "") {
		return false
	}
	for _, m := range sayings.FindAllStringSubmatch(now, -1) {
		if strings.Contains(old, m[0]) || m[3] != "" && strings.HasSuffix(strings.TrimSpace(old), " =") { // a url had lost its block, with everything in it
			continue
		}
		said := strings.ToLower(cmp.Or(m[1:]...))
		if !slices.ContainsFunc(repaired, func(line string) bool { return strings.Contains(line, said) }) {
			return false
		}
	}
	return true
}

// complaints checks that keepalived -t does not complain more often, and returns how often it did.
func (p proof) complaints(old, better []byte) (before, after int) {
	p.Helper()
	ended := false
	count := func(text []byte) (all []complaint) {
		p.write(text)
		host, _ := dumpHostFor(p.T, p.file, configOf(p.T, p.file))
		out, _ := host.Try("timeout", "5", "keepalived", "-t", "-i", dumpHost, "-f", p.file) // it fails where it complains
		ended = ends.MatchString(out)
		for _, c := range complaints(out) {
			if !slices.ContainsFunc(surroundings, func(r remark) bool { return r.text.MatchString(c.text) }) {
				all = append(all, c)
			}
		}
		return all
	}
	second := count(better)
	first := count(old) // the last line, because ended is about it
	if ended {
		return len(first), len(second) // it never runs with the original file, and has not looked at what comes after
	}
	if len(second) > len(first) {
		p.Errorf("keepalived -t complains more: before %v, after %v", first, second)
	}
	return len(first), len(second)
}

// ends are keepalived's messages when it reads no further, or does not start VRRP.
var ends = regexp.MustCompile(`is missing a parameter after|must be set|Unknown interface!|Non-existent interface`)

// objects checks that keepalived's dump has everything that it had. It returns false if keepalived dumps nothing of
// the original file.
func (p proof) objects(old, better []byte) bool {
	p.Helper()
	p.write(better)
	cfg := configOf(p.T, p.file) // it has at least the interfaces and scripts of the other
	p.write(old)
	before, why := runForDump(p.T, p.file, cfg, nil)
	if why != "" {
		return false
	}
	p.write(better)
	after, why := runForDump(p.T, p.file, cfg, nil)
	if why != "" {
		p.Errorf("keepalived runs no longer: %s", why)
		return true
	}
	had, has := objectsOf(before.text), objectsOf(after.text)
	for _, object := range slices.Sorted(maps.Keys(had)) {
		if has[object] < had[object] {
			p.Errorf("the repair loses %s: %d of them, %d before", object, has[object], had[object])
		}
	}
	return true
}

// objectsOf counts the objects of a VRRP dump: "VRRP Instance = VI_1", "Virtual IP / 192.0.2.10/24". It ignores which
// instance has an address: without the brace between two instances, keepalived gives one what belongs to the other.
func objectsOf(dump string) map[string]int {
	all := map[string]int{}
	section, list := "", ""
	for line := range strings.Lines(dump) {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		name, _, _ := strings.Cut(text, " (")
		name = strings.TrimRight(name, " :")
		switch {
		case strings.HasPrefix(text, "------<"):
			section, list = strings.Trim(text, "-<> "), ""
		case text == "", section == "Global definitions", section == "Interfaces", section == "VRRP Sockpool":
		case indent == 1:
			name, _, _ = strings.Cut(text, ", ")
			list = ""
			all[name]++
		case strings.HasSuffix(text, ":"):
			list = name
		case strings.Contains(text, "script = '"):
			name, _, _ = strings.Cut(text, " = ")
			all[name]++
		case indent >= 5 && list != "Flags":
			words := strings.Fields(text)
			i := max(0, slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, "0123456789") }))
			if !strings.Contains(list, "Virtual") && section != "Static Addresses" {
				i = 0
			}
			all[cmp.Or(list, section)+" / "+strings.TrimRight(words[i], ",")]++
		}
	}
	return all
}
