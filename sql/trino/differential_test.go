//go:build duckdb_arrow

package trino_test

import (
	"cmp"
	"context"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tarn/embedded/guard"
	columns "tarn/embedded/record"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/trino"
)

// recorded are expressions with Trino 476's own answers, a line each: the expression, what Trino answers, and, where that is something
// else, what Tarn does. An answer is its columns' types and its rows, or the name of an error.
const recorded = "testdata/differential.txt"

// together is how many expressions are asked in one statement.
const together = 25

// line is one of the record.
type line struct{ expression, theirs, ours string }

func (l line) want() string { return cmp.Or(l.ours, l.theirs) }

// measures is a table of which types are known when a statement is read, and what stands in its place for a Trino.
const (
	ofMeasures = "FROM measures"
	inTrino    = "FROM (VALUES (bigint '1', 1e0, 2e0, timestamp '2016-07-01 12:00:00.000000', timestamp '2016-07-01 10:00:00.000000 UTC', date '2016-07-01'), " +
		"(2, nan(), 2e0, timestamp '2016-01-01 00:30:00.000000', timestamp '2015-12-31 23:30:00.000000 UTC', date '2016-01-01'), (3, nan(), nan(), NULL, NULL, NULL), (4, NULL, infinity(), NULL, NULL, NULL)) measures(id, x, y, moment, instant, day)"
)

func measures() engine.SystemTable {
	at := func(text string) time.Time {
		t, err := time.Parse(time.DateTime, text)
		if err != nil {
			panic(err)
		}
		return t
	}
	of := []engine.SystemColumn{{Name: "id", Type: columns.Long}, {Name: "x", Type: columns.Double}, {Name: "y", Type: columns.Double}, {Name: "moment", Type: columns.Timestamp}, {Name: "instant", Type: columns.TimestampTZ}, {Name: "day", Type: columns.Date}}
	nan := math.NaN()
	return engine.SystemTable{Name: "measures", Columns: of, Rows: func(context.Context) ([][]any, error) {
		return [][]any{
			{int64(1), 1.0, 2.0, at("2016-07-01 12:00:00"), at("2016-07-01 10:00:00"), at("2016-07-01 00:00:00")},
			{int64(2), nan, 2.0, at("2016-01-01 00:30:00"), at("2015-12-31 23:30:00"), at("2016-01-01 00:00:00")},
			{int64(3), nan, nan, nil, nil, nil},
			{int64(4), nil, math.Inf(1), nil, nil, nil},
		}, nil
	}}
}

// TestColumnsAndZonesAreAnsweredAsByTrino asks of columns whose types are known, and as a client in Paris.
func TestColumnsAndZonesAreAnsweredAsByTrino(t *testing.T) {
	_, addr := enginetest.ServeIn(t, t.TempDir(), 0, guard.Open{}, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		return trino.New(trino.Options{Listener: l, Gate: gate})
	}, measures())
	compare(t, "testdata/columns.txt", "http://"+addr)
	compare(t, "testdata/zones.txt", "http://"+addr, "X-Trino-Time-Zone", "Europe/Paris")
}

// TestSessionsHaveAZone takes it of the client, which SET TIME ZONE tells another one.
func TestSessionsHaveAZone(t *testing.T) {
	addr := open(t, 0)
	const zone = "SELECT current_timezone(), hour(from_unixtime(0))"
	for want, header := range map[string][]string{
		`"UTC" 0`: nil, `"Europe/Paris" 1`: {"X-Trino-Time-Zone", "Europe/Paris"}, `"Etc/GMT-5" 5`: {"X-Trino-Time-Zone", "GMT+05:00"},
		`"Asia/Tokyo" 9`: {"X-Trino-Time-Zone", "Europe/Paris", "X-Trino-Session", "time_zone_id=Asia%2FTokyo"},
	} {
		if got := run(t, addr, zone, header...).rows(); got != want {
			t.Errorf("%v: got %s, want %s", header, got, want)
		}
	}
	if got := run(t, addr, "SET TIME ZONE 'Asia/Tokyo'").header.Get("X-Trino-Set-Session"); got != "time_zone_id=Asia%2FTokyo" {
		t.Errorf("the client is told %q", got)
	}
	if got := run(t, addr, "SET TIME ZONE LOCAL").header.Get("X-Trino-Clear-Session"); got != "time_zone_id" {
		t.Errorf("the client is told to forget %q", got)
	}
	if got := run(t, addr, "SET TIME ZONE 'Mars/Phobos'").rows(); got != "INVALID_SESSION_PROPERTY" {
		t.Errorf("got %s", got)
	}
	if status, text, _ := call(t, http.MethodPost, addr+"/v1/statement", zone, "X-Trino-Time-Zone", "Mars/Phobos"); status != http.StatusBadRequest {
		t.Errorf("got %d %s", status, text)
	}
}

// TestAnswersAreThoseThatTrinoGave asks what Trino was asked. A difference that is new is red, and so is one that is gone: the third column
// only gets shorter. TARN_TRINO_ORACLE=http://… asks a Trino again, TARN_UPDATE=1 writes what both answered.
func TestAnswersAreThoseThatTrinoGave(t *testing.T) {
	compare(t, recorded, open(t, 0))
}

// compare asks what a file has, with headers.
func compare(t *testing.T, file, addr string, header ...string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	oracle, update := os.Getenv("TARN_TRINO_ORACLE"), os.Getenv("TARN_UPDATE") != ""
	var lines, group []line
	ask := func(l line) {
		if got := run(t, addr, here(l), header...).said(); got != l.want() && !update {
			t.Errorf("%s: got %s, want %s; Trino answers %s", l.expression, got, l.want(), l.theirs)
		}
	}
	hand := func() {
		if !sameTogether(t, addr, group, header...) {
			for _, l := range group {
				ask(l)
			}
		}
		group = nil
	}
	for text := range strings.Lines(string(text)) {
		text = strings.TrimRight(text, "\n")
		l := line{expression: text}
		if !strings.HasPrefix(text, "#") {
			l.expression, l.theirs, _ = strings.Cut(text, "\t")
			l.theirs, l.ours, _ = strings.Cut(l.theirs, "\t")
			switch {
			case update:
				if oracle != "" {
					l.theirs = run(t, oracle, strings.ReplaceAll("SELECT "+l.expression, ofMeasures, inTrino), header...).said()
				}
				a := run(t, addr, here(l), header...)
				if l.ours = a.said(); l.ours == l.theirs {
					l.ours = ""
				} else if a.Error != nil {
					t.Log(l.expression, a.Error.Message)
				}
			case strings.Contains(l.want(), ": ") && !strings.Contains(l.expression, " FROM "):
				if group = append(group, l); len(group) == together {
					hand()
				}
			default:
				ask(l)
			}
		}
		lines = append(lines, l)
	}
	hand()
	if update {
		write(t, file, lines)
	}
}

// here is the statement as Tarn is asked it.
func here(l line) string {
	return "SELECT " + strings.ReplaceAll(l.expression, ofMeasures, "FROM system.measures")
}

// sameTogether tells whether all expressions of one row each are answered as they should be, in one statement.
func sameTogether(t *testing.T, addr string, group []line, header ...string) bool {
	var said, types, values []string
	for _, l := range group {
		of, value, _ := strings.Cut(l.want(), ": ")
		said, types, values = append(said, l.expression), append(types, of), append(values, value)
	}
	return len(group) == 0 || run(t, addr, "SELECT "+strings.Join(said, ", "), header...).said() == strings.Join(types, " ")+": "+strings.Join(values, " ")
}

func write(t *testing.T, file string, lines []line) {
	t.Helper()
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.expression)
		if l.theirs != "" {
			out.WriteString("\t" + l.theirs)
		}
		if l.ours != "" {
			out.WriteString("\t" + l.ours)
		}
		out.WriteString("\n")
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// said is the answer in one line.
func (a answer) said() string {
	if a.Error != nil {
		return a.Error.ErrorName
	}
	types := make([]string, len(a.Columns))
	for i, c := range a.Columns {
		types[i] = c.Type
	}
	return strings.Join(types, " ") + ": " + strings.NewReplacer("\n", " / ", "\t", " ").Replace(a.rows())
}
