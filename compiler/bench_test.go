package compiler

import (
	"fmt"
	"strings"
	"testing"

	"keepc/grammar"
	"keepc/grammar/source"
)

// big is a configuration of virtual servers with fifty real servers each.
func big(services int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "virtual_server 10.%d.%d.1 80 {\n\tdelay_loop 6\n\tlb_algo wrr\n\tlb_kind DR\n\tprotocol TCP\n", i/250, i%250)
		for j := range 50 {
			fmt.Fprintf(&b, "\treal_server 192.168.%d.%d 80 {\n\t\tweight 1\n\t\tTCP_CHECK {\n\t\t\tconnect_timeout 1\n\t\t\tretry 1\n\t\t\tdelay_before_retry 3\n\t\t\tconnect_port 80\n\t\t}\n\t}\n", i%250, j+1)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// BenchmarkCompile measures everything after the parse.
func BenchmarkCompile(b *testing.B) {
	text := big(1000)
	file, _ := grammar.Parse(source.New("big.conf", []byte(text)))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, found := understand(file, Options{}); len(found) > 0 {
			b.Fatal(found[0].Message)
		}
	}
}
