package proof_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// diskStatements are pipelines without state, with groups, with windows that many rows are late for, and of records none of
// which can be read.
const diskStatements = stateStatements + `
CREATE SOURCE auction (id BIGINT, expires TIMESTAMP(3), WATERMARK FOR expires AS expires) WITH (connector = 'kafka', topic = 'auction', flush_timeout = '1s');
CREATE MATERIALIZED VIEW ended AS SELECT count(*) AS n, window_end FROM TUMBLE(auction, expires, INTERVAL '1' SECOND) GROUP BY window_end EMIT ON WINDOW CLOSE;
CREATE SOURCE people (id BOOLEAN, name VARCHAR) WITH (connector = 'kafka', topic = 'person');
CREATE MATERIALIZED VIEW named AS SELECT id, count(*) AS n FROM people GROUP BY id;
`

// TestPipelineFullDisk has the disk full from each hand-over of a tick on: before late rows and dead letters are appended, before the
// state is written, before it is committed, before and in the midst of the table's commit, and before the outbox is pruned. When there is
// room again the pipelines go on, some of them killed meanwhile, and each table is the batch answer.
func TestPipelineFullDisk(t *testing.T) {
	if missing := proof.SmallDiskMissing("ext4"); missing != "" {
		peertest.Missing(t, missing)
	}
	for i, point := range append([]string{"bus.published"}, pipelinePoints...) {
		t.Run(point, func(t *testing.T) {
			d, err := proof.NewSmallDisk("ext4", filepath.Join(t.TempDir(), "disk"), smallMB)
			must(t, err)
			h := pipelineHouseOn(t, d.Path, diskStatements, stateEvents, stateSeed)
			h.Args = []string{"--listen", "auto", "--set", fmt.Sprintf("disk.reserve=%dB", reserve), "--set", "landing.commit_interval=200ms"}
			p, err := h.Start(fmt.Sprintf("TARN_CRASH=%s:%d", point, 2+i%3), "TARN_CRASH_STOP=1")
			must(t, err)
			t.Cleanup(func() {
				p.Kill()
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
			stops(t, p, point)
			must(t, d.Fill(0))
			p.Signal(syscall.SIGCONT)
			must(t, p.Ready(t.Context()))
			t.Log(full(t, p))
			if i%2 == 1 {
				p.Kill()
			}
			must(t, d.Empty())
			if i%2 == 1 {
				p, err = h.Up(t.Context())
				must(t, err)
			}
			groupedEqual(t, p)
			onceEach(t, p)
		})
	}
}

// stops waits until the program stands still at its point.
func stops(t *testing.T, p *proof.Process, point string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pointWithin)
	defer cancel()
	must(t, proof.Until(ctx, func() (bool, error) {
		if p.Ended() {
			return true, errors.New("tarn ended\n" + p.House.Tail())
		}
		if p.Stopped() {
			return true, nil
		}
		return false, errors.New(point + " was not come to\n" + p.House.Tail())
	}))
}

// full waits until a pipeline says that the disk is full, and returns what it says; or until none has anything left to write, as
// behind the last publication on a fast machine.
func full(t *testing.T, p *proof.Process) (said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toldWithin)
	defer cancel()
	var seen looks
	err := proof.Until(ctx, func() (bool, error) {
		_, body, err := p.Get(ctx, "/health")
		if err != nil {
			return false, err
		}
		var h health
		if err := json.Unmarshal(body, &h); err != nil {
			return true, err
		}
		for _, part := range h.Parts {
			if strings.HasPrefix(part.Name, "pipeline:") && strings.Contains(part.Hint, "free some disk space") {
				said = part.Name + ": " + part.Error + "; " + part.Hint
				return true, nil
			}
		}
		idle, err := seen.idle(ctx, p)
		if idle {
			said = "nothing is left to write"
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("no pipeline tells of the full disk\n%s", body))
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.House.Tail())
	}
	return said
}

// onceEach waits until each auction is in its window or late, and each person a dead letter, once.
func onceEach(t *testing.T, p *proof.Process) {
	t.Helper()
	const auctions, people = stateEvents / 50 * 3, stateEvents / 50
	var n []int64
	ctx, cancel := context.WithTimeout(t.Context(), proof.QuietWithin)
	defer cancel()
	err := proof.Until(ctx, func() (_ bool, err error) {
		n, err = p.Numbers(ctx, `SELECT (SELECT sum(n)::BIGINT FROM gold.ended), (SELECT count(*) FROM gold.ended), (SELECT count(DISTINCT window_end) FROM gold.ended),
			(SELECT count(*) FROM system.late), (SELECT count(DISTINCT ("partition", "offset", window_end)) FROM system.late),
			(SELECT count(*) FROM system.dead_letter), (SELECT count(DISTINCT ("partition", "offset")) FROM system.dead_letter)`)
		if err != nil {
			return false, err
		}
		if n[0]+n[3] == auctions && n[1] == n[2] && n[3] == n[4] && n[3] > 0 && n[5] == people && n[6] == people {
			return true, nil
		}
		return false, fmt.Errorf("%d auctions in %d windows, %d of them different; %d late rows, %d different, want %d auctions; %d dead letters, %d different, want %d",
			n[0], n[1], n[2], n[3], n[4], auctions, n[5], n[6], people)
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, p.House.Tail())
	}
	t.Logf("%d rows in %d windows, %d late; %d dead letters", n[0], n[1], n[3], n[5])
}
