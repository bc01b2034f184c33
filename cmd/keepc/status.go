package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"keepc/runtime/status"
)

func (a *App) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what the running keepc does: roles and why, health, the last reload",
		Long: "Ask the keepc that runs in this network namespace what it does: roles, priorities and why, health, the last reload.\n" +
			"It answers root and its own user.",
		Example: `  keepc status
  keepc status --format json
  ip netns exec edge keepc status`,
		Annotations: formats("human", "json"),
		Args:        cobra.NoArgs,
		RunE:        func(c *cobra.Command, _ []string) error { return a.showStatus(c.Context()) },
	}
}

func (a *App) showStatus(ctx context.Context) error {
	d, err := status.Ask(ctx, status.About)
	switch {
	case err != nil:
		return failed(err)
	case a.quiet:
		return nil
	case a.format == human:
		return failed(d.Screen(a.Stdout))
	}
	e := json.NewEncoder(a.Stdout)
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return failed(fmt.Errorf("write the status: %w", err))
	}
	return nil
}
