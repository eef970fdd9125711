package proof_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	proof "tarn/.ci/proof"
)

// statementsKilled is how often TestStatementsKilled kills.
const statementsKilled = 12

// TestStatementsKilled ends a Tarn by SIGKILL in the midst of statements that write: each is there whole or not at all, one that was
// answered is there, and what is left of others is no table.
func TestStatementsKilled(t *testing.T) {
	dir := t.TempDir()
	h := &proof.House{Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log")}
	must(t, os.Mkdir(h.Project, 0o700))
	live, err := h.Up(t.Context())
	must(t, err)
	defer func() { live.Kill() }()
	_, err = live.SQL(t.Context(), "CREATE TABLE gold.t (batch BIGINT NOT NULL, n BIGINT, text VARCHAR)")
	must(t, err)
	rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1)) //nolint:gosec // chance
	answered := map[int64]int64{}                                  // the state of each batch that was told: how often its rows were changed
	begun := map[int64]bool{}
	const rows = 40_000
	for kill := range statementsKilled {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for one := range int64(1000) {
				batch := int64(kill)*1000 + one
				begun[batch] = true
				for step, statement := range []string{
					fmt.Sprintf("INSERT INTO gold.t SELECT %d, i, repeat('x', 50) FROM range(%d) r(i)", batch, rows),
					fmt.Sprintf("UPDATE gold.t SET n = n + %d WHERE batch = %d", rows, batch),
					fmt.Sprintf("CREATE OR REPLACE TABLE gold.copy AS SELECT * FROM gold.t WHERE batch = %d", batch),
				} {
					if _, err := live.SQL(t.Context(), statement); err != nil {
						return
					}
					answered[batch] = int64(step) + 1
				}
			}
		}()
		time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond) // until a moment of chance
		live.Kill()
		<-ended
		live, err = h.Up(t.Context())
		must(t, err)
		for batch := range begun {
			got, err := live.Numbers(t.Context(), fmt.Sprintf("SELECT count(*), coalesce(min(n), 0), coalesce(max(n), 0), count(DISTINCT n) FROM gold.t WHERE batch = %d", batch))
			must(t, err)
			inserted := got[0] == rows && got[1] == 0 && got[2] == rows-1 && got[3] == rows
			updated := got[0] == rows && got[1] == rows && got[2] == 2*rows-1 && got[3] == rows
			switch told := answered[batch]; {
			case told == 0 && (got[0] == 0 || inserted), told == 1 && (inserted || updated), told >= 2 && updated:
			default:
				t.Fatalf("after kill %d batch %d, of which %d statements were answered, is %v", kill, batch, told, got)
			}
		}
		if got, err := live.Numbers(t.Context(), "SELECT count(*) FROM gold.copy"); err == nil && got[0] != rows {
			t.Fatalf("after kill %d the copy has %d rows", kill, got[0])
		}
		clear(begun)
		clear(answered)
		_, err = live.SQL(t.Context(), "DELETE FROM gold.t")
		must(t, err)
	}
	code, err := live.Stop(time.Minute)
	if err != nil {
		t.Fatalf("tarn ended with %d: %v", code, err)
	}
}
