package telemetry_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"tarn/embedded/telemetry"
)

func TestTheLastLinesAreKeptWithoutSecrets(t *testing.T) {
	tel := telemetry.New(&bytes.Buffer{}, slog.LevelInfo)
	log := tel.Log.With("part", "bus")
	log.Debug("unseen")
	log.Info("source opened", "url", "postgres://me:hunter2@db:5432/x", "password", "hunter2", "config", `{"database.password":"hunter2","a":1}`)
	log.Warn("slow", "error", errors.New("dial: token=hunter2&x=1"))
	got := tel.Lines(0, slog.LevelInfo)
	if len(got) != 2 || got[0].Part != "bus" || got[0].Message != "source opened" || got[0].Level != "info" || got[0].Number != 1 || got[1].Level != "warn" {
		t.Fatalf("%+v", got)
	}
	if text := fmt.Sprint(got); strings.Contains(text, "hunter2") || !strings.Contains(text, "postgres://me:***@db:5432/x") {
		t.Errorf("a secret is kept: %s", text)
	}
	if warned := tel.Lines(0, slog.LevelWarn); len(warned) != 1 || warned[0].Message != "slow" {
		t.Errorf("%+v", warned)
	}
	for i := range 1000 {
		log.WithGroup("g").Info("fill", "n", i, "text", strings.Repeat("x", 5000))
	}
	got = tel.Lines(2, slog.LevelInfo)
	if len(got) != 500 || got[499].Number != 1002 || !strings.HasPrefix(got[499].Facts, "g.n=999 g.text=xxx") || len(got[0].Facts) > 2100 {
		t.Errorf("%d lines, %.200v", len(got), got[499])
	}
}
