package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// stamp is the version that a release build sets: -ldflags "-X main.stamp=0.1.0".
var stamp = "devel"

// rulesPage is the URL of a page about the rules, set by whoever builds a release: -ldflags "-X
// main.rulesPage=https://...". SARIF links to each rule there by its name.
var rulesPage = ""

func (a *App) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.Stdout, versionLine())
			return failed(err)
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("keepc %s %s %s/%s", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// programVersion returns that of a release, or what Go recorded about the build.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && stamp == "devel" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return stamp
}
