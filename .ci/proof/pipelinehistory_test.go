package proof_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
)

// historyEvents are of a log whose beginning is in bronze alone.
const historyEvents = 400_000

// historyPoints are where it is killed, and how often it has come there before.
var historyPoints = []string{
	"pipeline.begun:1", "pipeline.applied:4", "pipeline.publishing:2", "pipeline.ticked:9", "pipeline.published:2",
}

// TestPipelineHistoryKills lets retention take the log of a topic that has landed, then makes pipelines of every kind, and kills the
// program while they read what is gone from bronze. At the end each table is the batch answer over all events.
func TestPipelineHistoryKills(t *testing.T) {
	dir := t.TempDir()
	h := &proof.House{Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log")}
	must(t, os.MkdirAll(filepath.Join(h.Project, "sql"), 0o755))
	_, err := nexmark.Fill{Data: h.Data, Events: historyEvents, Seed: 42, Land: true, Expire: true}.Run(t.Context())
	must(t, err)
	h.Env = []string{"TARN_LANDING_COMMIT_INTERVAL=200ms"}
	p, err := h.Up(t.Context())
	must(t, err)
	err = proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), "SELECT min(log_start), min(next_offset - log_start) FROM system.topics WHERE name = 'bid'")
		if err != nil || len(n) == 2 && n[0] > historyEvents/4 {
			return err == nil, err
		}
		return false, fmt.Errorf("the log begins at %v", n)
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, h.Tail())
	}
	p.Kill()
	must(t, os.WriteFile(filepath.Join(h.Project, "sql", "pipelines.sql"), []byte(pipelineStatements), 0o600))
	for _, point := range historyPoints {
		p, err := h.Start("TARN_CRASH=" + point)
		must(t, err)
		select {
		case <-p.Done():
			if !p.Killed() {
				t.Fatalf("%s: tarn ended by itself\n%s", point, h.Tail())
			}
		case <-time.After(pointWithin):
			p.Kill()
			t.Errorf("%s was not come to", point)
		}
	}
	p, err = h.Up(t.Context())
	must(t, err)
	pipelinesEnd(t, p, historyEvents)
	p.Kill()
}
