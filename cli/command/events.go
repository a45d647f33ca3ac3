package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/universe-dcos/universe/cli/render"
	runtimeclient "github.com/universe-dcos/universe/runtime/client"
	"github.com/universe-dcos/universe/runtime/cluster"
	"github.com/universe-dcos/universe/runtime/core"
)

func (a *app) eventsCommand() *cobra.Command {
	o := runtimeclient.EventOptions{}
	var of string
	c := &cobra.Command{
		Use: "events", Short: "Print what happens in the cluster, as it happens", Args: args(),
		Long: "Print what happens in the cluster, as it happens, until interrupted. With -o json, one object a line.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Service = cluster.ServiceID(of)
			return a.events(cmd.Context(), o)
		},
	}
	c.Flags().Int64Var(&o.Since, "since", -1, "begin after this index (default now)")
	c.Flags().StringVar(&of, "service", "", "of this service only")
	return c
}

func (a *app) events(ctx context.Context, o runtimeclient.EventOptions) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	enc := json.NewEncoder(a.Out)
	for e, err := range rt.Events(ctx, o) {
		switch {
		case errors.Is(err, runtimeclient.ErrLost):
			a.say("Some events before the next one are no longer kept.")
			continue
		case err != nil && ctx.Err() != nil:
			return quiet(ExitInterrupted)
		case err != nil:
			return err
		}
		if a.format == render.FormatJSON {
			err = enc.Encode(e)
		} else {
			_, err = fmt.Fprintln(a.Out, render.Clean(eventLine(e)))
		}
		if err != nil {
			return fmt.Errorf("print event: %w", err)
		}
	}
	return nil
}

// eventLine is an event in one line.
func eventLine(e core.Event) string {
	parts := []string{timeOf(e.At).UTC().Format(time.RFC3339), fmt.Sprint(e.Index), string(e.Kind)}
	for _, s := range []string{string(e.Service), string(e.Run), string(e.Task), string(e.Agent), string(e.Framework),
		strings.TrimPrefix(e.State, "TASK_"), string(e.Reason), e.Command, string(e.Code)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Ready {
		parts = append(parts, "ready")
	}
	if e.Message != "" {
		parts = append(parts, fmt.Sprintf("%q", e.Message))
	}
	return strings.Join(parts, " ")
}
