package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// man writes the manual, for packagers.
func (a *App) man() *cobra.Command {
	return &cobra.Command{
		Use:   "man dir",
		Short: "Write the manual, one page per verb, to a directory",
		Long:  "Write a man page for keepc and one for each verb to a directory, which is created if missing.",
		Example: `  keepc man build/man
  man -l build/man/keepc-run.8`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failed(fmt.Errorf("write the manual: %w", err))
			}
			root := c.Root()
			root.DisableAutoGenTag = true // the same sources give the same pages
			header := &doc.GenManHeader{Title: "KEEPC", Section: "8", Source: "keepc " + programVersion(), Manual: "keepc"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return failed(fmt.Errorf("write the manual: %w", err))
			}
			return nil
		},
	}
}
