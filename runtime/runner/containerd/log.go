package containerd

import (
	"context"
	"io"
	"log/slog"

	"github.com/containerd/log"
	"github.com/sirupsen/logrus"
)

// clientLog passes what containerd's client logs on to ours: its warnings as
// they are, the rest for debugging only, since every error reaches us as one too.
func clientLog(to *slog.Logger) *log.Entry {
	l := logrus.New()
	l.SetOutput(io.Discard)
	l.SetLevel(logrus.InfoLevel)
	l.AddHook(hook{to})
	return logrus.NewEntry(l)
}

type hook struct{ to *slog.Logger }

func (hook) Levels() []logrus.Level { return logrus.AllLevels }

func (h hook) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	if e.Level == logrus.WarnLevel {
		level = slog.LevelWarn
	}
	ctx := e.Context
	if ctx == nil {
		ctx = context.Background()
	}
	args := make([]any, 0, 2*len(e.Data)+2)
	for k, v := range e.Data {
		args = append(args, k, v)
	}
	h.to.Log(ctx, level, "containerd client: "+e.Message, args...)
	return nil
}
