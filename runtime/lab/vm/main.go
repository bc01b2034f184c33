// Command vm runs a command in the lab's virtual machine and exits with its status:
//
//	go run ./runtime/lab/vm ipvsadm -Ln
//
// The command sees this machine's files, working directory and environment, and has ip_vs. `make vm` makes the image.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"keepc/runtime/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: vm [--] COMMAND [ARGUMENT ...]")
		return 2
	}
	status, err := lab.RunInVM(ctx, &exec.Cmd{Args: args, Stdout: os.Stdout})
	if err != nil {
		fmt.Fprintf(os.Stderr, "vm: %v\n", err)
		return 1
	}
	return status
}
