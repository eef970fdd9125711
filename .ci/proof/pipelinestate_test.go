package proof_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"tarn/.ci/nexmark"
	proof "tarn/.ci/proof"
)

const (
	stateEvents = 100_000
	stateSeed   = 7
)

const stateStatements = `
CREATE SOURCE bid (auction BIGINT, price BIGINT, "dateTime" TIMESTAMP(3), WATERMARK FOR "dateTime" AS "dateTime" - INTERVAL '4' SECOND)
  WITH (connector = 'kafka', topic = 'bid', flush_timeout = '1s');
INSERT INTO gold.bids SELECT auction, price, "dateTime" FROM bid;
CREATE MATERIALIZED VIEW grouped AS SELECT auction % 500 AS a, count(*) AS n, sum(price) AS sum FROM bid GROUP BY auction % 500;
`

// pipelineHouse is a house whose log has so many events of a seed, and whose project has statements.
func pipelineHouse(t *testing.T, statements string, events int, seed int64) *proof.House {
	t.Helper()
	return pipelineHouseOn(t, t.TempDir(), statements, events, seed)
}

// pipelineHouseOn is a pipelineHouse whose data are on a disk.
func pipelineHouseOn(t *testing.T, disk, statements string, events int, seed int64) *proof.House {
	t.Helper()
	dir := t.TempDir()
	data, project := filepath.Join(disk, "data"), filepath.Join(dir, "project")
	must(t, os.MkdirAll(filepath.Join(project, "sql"), 0o755))
	must(t, os.WriteFile(filepath.Join(project, "sql", "pipelines.sql"), []byte(statements), 0o600))
	_, err := nexmark.Fill{Data: data, Events: events, Seed: seed}.Run(t.Context())
	must(t, err)
	return &proof.House{Binary: binary(t), Data: data, Project: project, Log: filepath.Join(dir, "log")}
}

// groupedEqual waits until gold.grouped is the batch answer over all bids.
func groupedEqual(t *testing.T, p *proof.Process) {
	t.Helper()
	const batch = "SELECT auction % 500 AS a, count(*) AS n, sum(price) AS sum FROM gold.bids GROUP BY auction % 500"
	const got = "SELECT a, n, sum::HUGEINT AS sum FROM gold.grouped"
	bids := stateEvents / 50 * 46
	err := proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), fmt.Sprintf("SELECT (SELECT count(*) FROM gold.bids), (SELECT count(*) FROM ((%s) EXCEPT ALL (%s))), (SELECT count(*) FROM ((%s) EXCEPT ALL (%s)))", batch, got, got, batch))
		if err != nil {
			return false, err
		}
		if n[0] == int64(bids) && n[1] == 0 && n[2] == 0 {
			return true, nil
		}
		return false, fmt.Errorf("%d bids of %d, %d rows missing, %d too many", n[0], bids, n[1], n[2])
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.House.Tail())
	}
}

// TestPipelineStateDamaged damages a state file in every way, and finds the pipeline made anew from the
// log, its table right, and the old one beside it.
func TestPipelineStateDamaged(t *testing.T) {
	h := pipelineHouse(t, stateStatements, stateEvents, stateSeed)
	p, err := h.Up(t.Context())
	must(t, err)
	groupedEqual(t, p)
	for _, c := range []struct {
		name   string
		damage func(path string, content []byte) []byte
	}{
		{"cut to nothing", func(string, []byte) []byte { return []byte{} }},
		{"cut in the midst", func(_ string, b []byte) []byte { return b[:len(b)/2] }},
		{"no database", func(string, []byte) []byte {
			return []byte("this is no database at all, but a text that somebody put here")
		}},
		{"zeros in the front", func(_ string, b []byte) []byte { clear(b[:min(len(b), 12<<10)]); return b }},
		{"of a plan of another version", func(path string, _ []byte) []byte {
			olderPlan(t, path)
			b, err := os.ReadFile(path)
			must(t, err)
			return b
		}},
		{"of an engine of another version", func(_ string, b []byte) []byte {
			b[12] = 200 // the number of the format, behind the checksum and the magic bytes
			return b
		}},
		{"bits turned all over", func(_ string, b []byte) []byte {
			for i := 4 << 10; i < len(b); i += 997 {
				b[i] ^= 0x55
			}
			return b
		}},
	} {
		p.Kill()
		paths, err := filepath.Glob(filepath.Join(h.Data, "state", "*.duckdb"))
		must(t, err)
		if len(paths) != 1 {
			t.Fatalf("%s: %d state files, want 1: %v", c.name, len(paths), paths)
		}
		content, err := os.ReadFile(paths[0])
		must(t, err)
		must(t, os.WriteFile(paths[0], c.damage(paths[0], content), 0o600))
		p, err = h.Up(t.Context())
		must(t, err)
		err = proof.Until(t.Context(), func() (bool, error) {
			n, err := p.Numbers(t.Context(), "SELECT count(*), count(*) FILTER (WHERE state = 'running') FROM system.pipelines")
			if err != nil || n[0] == 2 && n[1] == 2 {
				return err == nil, err
			}
			return false, fmt.Errorf("%d pipelines, %d of them run", n[0], n[1])
		})
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, h.Tail())
		}
		groupedEqual(t, p)
		t.Logf("%s: the pipeline runs, and its table is right", c.name)
	}
	p.Kill()
}

// TestPipelinePoison reads a topic none of whose records fit, killed in the midst of it: each is a dead letter
// once, with its topic, partition, offset, error and bytes; and other pipelines go on.
func TestPipelinePoison(t *testing.T) {
	h := pipelineHouse(t, `
CREATE SOURCE people (id BOOLEAN, name VARCHAR) WITH (connector = 'kafka', topic = 'person');
CREATE MATERIALIZED VIEW named AS SELECT id, count(*) AS n FROM people GROUP BY id;
`+stateStatements, stateEvents, stateSeed)
	for _, point := range []string{"pipeline.begun:1", "bus.published:4", "pipeline.ticked:1"} {
		p, err := h.Start("TARN_CRASH=" + point)
		must(t, err)
		crashed(t, p)
	}
	p, err := h.Up(t.Context())
	must(t, err)
	defer p.Kill()
	people := int64(stateEvents / 50)
	err = proof.Until(t.Context(), func() (bool, error) {
		n, err := p.Numbers(t.Context(), `SELECT count(*), count(DISTINCT ("partition", "offset")), count(*) FILTER (WHERE topic = 'person' AND error LIKE '%id%' AND value LIKE '{"id":%') FROM system.dead_letter`)
		if err != nil {
			return false, err
		}
		if n[0] == people && n[1] == people && n[2] == people {
			return true, nil
		}
		return false, fmt.Errorf("%d dead letters of %d records, %d whole, want %d", n[0], n[1], n[2], people)
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, h.Tail())
	}
	groupedEqual(t, p)
}
