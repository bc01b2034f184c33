// Command keepc checks, plans and enforces keepalived.conf.
package main

import (
	"os"
	"time"
)

func main() {
	dir, _ := os.Getwd() // without one, only absolute names work
	app := App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv, FS: hostFiles(), Dir: dir, Started: time.Now()}
	os.Exit(app.Start(os.Args))
}
