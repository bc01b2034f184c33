package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// man writes the manual: it is for who makes packages.
func (a *App) man() *cobra.Command {
	return &cobra.Command{
		Use:   "man dir",
		Short: "Write the manual, a page a verb, into a directory",
		Long:  "Write a man page for keepc and one for each verb into a directory, which is made if it is not there.",
		Example: `  keepc man build/man
  man -l build/man/keepc-run.8`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failed(fmt.Errorf("write the manual: %w", err))
			}
			root := c.Root()
			root.DisableAutoGenTag = true // the same sources make the same pages
			header := &doc.GenManHeader{Title: "KEEPC", Section: "8", Source: "keepc " + programVersion(), Manual: "keepc"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return failed(fmt.Errorf("write the manual: %w", err))
			}
			return nil
		},
	}
}
