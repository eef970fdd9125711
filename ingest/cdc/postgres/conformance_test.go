package postgres_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"tarn/embedded/record"
	"tarn/embedded/record/envelope"
	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
	"tarn/ingest/source/sourcetest"
)

const callsDDL = `CREATE TABLE calls (id bigint PRIMARY KEY, berth text, teu text)`

// truth is a table as events would have it, key -> row: an id, a bigint, and texts.
func truth(t *testing.T, d *pgtest.Database, table string, columns ...string) map[string]string {
	t.Helper()
	s := &record.Schema{Table: table}
	for i, name := range columns {
		c := record.Column{Name: name, Type: record.String}
		if i == 0 {
			c.Key, c.Type = 1, record.Long
		}
		s.Columns = append(s.Columns, c)
	}
	out := map[string]string{}
	for _, line := range d.Query("SELECT " + strings.Join(columns, ", ") + " FROM " + table) {
		row := make(record.Row, len(line))
		for i, text := range line {
			row[i] = record.Value{Kind: record.TextKind, B: []byte(text)}
			if i == 0 {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				row[i] = record.Value{Kind: record.IntKind, I: n}
			}
		}
		e, err := envelope.Split(envelope.Append(nil, s, &envelope.Source{}, 'c', nil, row, 0))
		if err != nil {
			t.Fatal(err)
		}
		out[string(envelope.AppendKey(nil, s, row))] = string(e.After)
	}
	return out
}

func TestConformance(t *testing.T) {
	server := pgtest.Start(t)
	var made atomic.Int64
	sourcetest.Run(t, func(t *testing.T) sourcetest.Subject {
		d := server.Database(fmt.Sprintf("d%d", made.Add(1)), callsDDL,
			`INSERT INTO calls SELECT i, repeat('x', 30000) || i, i FROM generate_series(1, 100) i`)
		n := 0
		return sourcetest.Subject{
			Kind: postgres.Kind, Config: source.Config{Name: "port", Keys: d.Keys()}, Table: "public.calls", Topic: "p.public.calls",
			Change: func() {
				n++
				d.Exec(fmt.Sprintf("INSERT INTO calls VALUES (%d, 'B', 1) ON CONFLICT (id) DO UPDATE SET berth = 'B', teu = 1", n),
					"UPDATE calls SET teu = teu::int + 1 WHERE id < 9 AND length(berth) < 9", fmt.Sprintf("DELETE FROM calls WHERE id = %d", 50+n))
			},
			Truth: func() map[string]string { return truth(t, d, "calls", "id", "berth", "teu") },
		}
	})
}
