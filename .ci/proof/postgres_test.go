package proof_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	proof "tarn/.ci/proof"
	"tarn/ingest/cdc/postgres/pgtest"
)

const postgresSchema = `
CREATE TABLE moves (id bigint PRIMARY KEY, berth text, teu integer, weight numeric(10,2), moved timestamptz, ok boolean, note text NOT NULL DEFAULT '');
ALTER TABLE moves ALTER note SET STORAGE EXTERNAL;
CREATE TABLE ledger (id bigserial PRIMARY KEY, what text);
CREATE TABLE odd (id bigint PRIMARY KEY, what text);
INSERT INTO odd SELECT i, CASE WHEN i % 5 = 0 THEN '__debezium_unavailable_value' ELSE repeat('x', 300) END FROM generate_series(1, 10000) i;
INSERT INTO moves SELECT i, 'B' || i, i % 7, i / 3.0, '2026-01-01'::timestamptz + i * interval '1 minute', i % 2 = 0, CASE WHEN i % 10 = 0 THEN repeat(md5(i::text), 200) ELSE '' END FROM generate_series(1, 20000) i;
INSERT INTO ledger (what) SELECT 'before' FROM generate_series(1, 5000)`

// TestPostgresKills kills the program, and now and then the server, while a PostgreSQL database is snapshotted and its
// changes stream, with writers at work: in the end the mirror has what the database has, and bronze has each change, and
// each row that was read, once, and each bad row has one dead letter.
func TestPostgresKills(t *testing.T) {
	rnd := seed(t)
	server := pgtest.Start(t, "logical_decoding_work_mem = '64kB'")
	db := server.Database("port", postgresSchema)
	dir := t.TempDir()
	h := &proof.House{Binary: binary(t), Data: filepath.Join(dir, "data"), Project: filepath.Join(dir, "project"), Log: filepath.Join(dir, "log"), Env: []string{"TARN_LANDING_COMMIT_INTERVAL=100ms"}}
	must(t, proof.WriteConnector(h.Project, "port", db.Keys("tarn.bad.values", "dead_letter")))
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer func() { cancel(); writers.Wait() }()
	for w := range 2 {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), rnd.Uint64()))
		writers.Go(func() { postgresWriter(ctx, db.Another(), w, rnd) })
	}
	points := []string{"source.buried:2", "source.acked:2", "source.chunk:2", "source.chunk:5", "source.acked:5", "bus.synced:9", "lake.committed:3"}
	for n := range max(2, *flagKills/3) {
		env := []string{}
		if n%2 == 0 {
			env = append(env, "TARN_CRASH="+points[n/2%len(points)])
		}
		p, err := h.Start(env...)
		must(t, err)
		_ = p.Ready(t.Context()) // or killed before
		select {
		case <-p.Done():
		case <-time.After(time.Duration(300+rnd.IntN(2500)) * time.Millisecond): // the moment of chance at which it dies
		}
		if n%5 == 3 {
			server.Kill()
			server.Run()
		}
		p.Kill()
	}
	cancel()
	writers.Wait()
	p, err := h.Up(t.Context())
	must(t, err)
	defer p.Kill()
	const columns = "id, berth, teu, weight::%[1]s, %[2]s, ok::%[1]s, md5(note)"
	want := db.Query("SELECT " + fmt.Sprintf(columns, "text", "(extract(epoch from moved) * 1000000)::bigint") + " FROM moves ORDER BY id")
	for i := range want { // booleans have one spelling here and another there
		want[i][5] = map[string]string{"t": "true", "f": "false", "true": "true", "false": "false"}[want[i][5]]
	}
	same := func(query string, want [][]string) {
		t.Helper()
		must(t, proof.Until(t.Context(), func() (bool, error) {
			a, err := p.SQL(t.Context(), query)
			if err != nil {
				return false, err
			}
			got := make([][]string, len(a.Rows))
			for i, row := range a.Rows {
				for _, cell := range row {
					got[i] = append(got[i], fmt.Sprint(cell))
				}
			}
			for i := range min(len(got), len(want)) {
				if !slices.Equal(got[i], want[i]) {
					return false, fmt.Errorf("row %d is %q, want %q", i, got[i], want[i])
				}
			}
			if len(got) == len(want) {
				return true, nil
			}
			return false, fmt.Errorf("%d rows of %s, want %d\n%s", len(got), query, len(want), h.Tail())
		}))
	}
	same("SELECT "+fmt.Sprintf(columns, "VARCHAR", "epoch_us(moved)")+" FROM silver.moves ORDER BY id", want)
	total := db.Value("SELECT count(*) FROM ledger")
	same("SELECT count(*), count(DISTINCT id) FROM silver.ledger", [][]string{{total, total}})
	// A row that came while a snapshot was interrupted is there as a change, and read by its rest.
	same("SELECT count(*) - count(DISTINCT _op || _key) FROM bronze.p_public_ledger WHERE _op IS NOT NULL", [][]string{{"0"}})
	same(`SELECT count(*), count(DISTINCT key) FROM system.dead_letter WHERE topic = 'p.public.odd'`, [][]string{{"2000", "2000"}})
	same(`SELECT count(*) - count(DISTINCT _pos) FROM bronze.p_public_moves WHERE _op <> 'r'`, [][]string{{"0"}})
}

// postgresWriter writes its own rows until it is stopped. A server that is down is waited for.
func postgresWriter(ctx context.Context, db *pgtest.Database, w int, rnd *rand.Rand) {
	for n := 0; ctx.Err() == nil; n++ {
		id := func() int { return 1 + 2*rnd.IntN(11000) + w }
		var text strings.Builder
		text.WriteString("ROLLBACK; BEGIN; INSERT INTO ledger (what) VALUES ('x'), ('y');")
		for range 1 + rnd.IntN(5) {
			switch rnd.IntN(7) {
			case 0:
				fmt.Fprintf(&text, "DELETE FROM moves WHERE id = %d;", id())
			case 1:
				fmt.Fprintf(&text, "SAVEPOINT s; INSERT INTO ledger (what) SELECT 'gone' FROM generate_series(1, %d); ROLLBACK TO s;", rnd.IntN(2000))
			case 2:
				fmt.Fprintf(&text, "UPDATE moves SET note = repeat(md5('%d'), 200), teu = %d WHERE id = %d;", n, n, id())
			case 3:
				fmt.Fprintf(&text, "UPDATE moves SET berth = berth || '.', weight = -weight WHERE id BETWEEN %d AND %[1]d + 40 AND id %% 2 = %[2]d;", id(), (w+1)%2)
			case 4: // its note is not sent again
				fmt.Fprintf(&text, "UPDATE moves SET id = -id WHERE id = %d AND NOT EXISTS (SELECT FROM moves WHERE id = -%[1]d);", id())
			default:
				fmt.Fprintf(&text, "INSERT INTO moves VALUES (%d, 'n', %d, 0.05, now(), true, '') ON CONFLICT (id) DO UPDATE SET teu = excluded.teu, moved = now();", id(), n)
			}
		}
		text.WriteString("COMMIT")
		if db.Try(text.String()) != nil {
			time.Sleep(20 * time.Millisecond) // the server is down, or was for a moment
		}
	}
}
