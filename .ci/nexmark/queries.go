package nexmark

import (
	"embed"
	"fmt"
	"path"
	"path/filepath"
	"strings"
)

//go:embed queries
var queries embed.FS

// Queries are those that are measured: joins, which the benchmark's q5 and q7 have around their windows,
// are left out of them. As the benchmark has them they are in the folders q5-join and q7-join.
var Queries = []string{"q0", "q1", "q2", "q5", "q7", "tumble"}

// Query is one query in the words of each engine. Their results have the same columns; the time
// column is called dt.
type Query struct {
	Name    string
	Tarn    string // the statement that makes the pipeline of gold.<name>
	Flink   string // the peer's query file
	Truth   string // DuckDB's, over all events at once
	columns [][2]string
}

// Sources is the statement by which Tarn reads the topics.
func Sources() (string, error) { return text("sources.sql") }

func text(names ...string) (string, error) {
	content, err := queries.ReadFile(path.Join(append([]string{"queries"}, names...)...))
	return string(content), err
}

// Open reads a query of a name.
func Open(name string) (q Query, err error) {
	q.Name = name
	if q.Flink, err = text(name, "flink.sql"); err != nil {
		return q, err
	}
	if q.Truth, err = text(name, "truth.sql"); err != nil {
		return q, err
	}
	q.Tarn, _ = text(name, "tarn.sql") // those with joins have none yet
	head, _, _ := strings.Cut(q.Flink, "\n")
	head, ok := strings.CutPrefix(head, "-- sink: ")
	if !ok {
		return q, fmt.Errorf("queries/%s/flink.sql does not begin with its columns", name)
	}
	for column := range strings.SplitSeq(head, ", ") {
		name, typ, _ := strings.Cut(column, " ")
		switch {
		case typ == "STRING":
			typ = "VARCHAR"
		case strings.HasPrefix(typ, "TIMESTAMP"):
			typ = "TIMESTAMPTZ"
		}
		q.columns = append(q.columns, [2]string{name, typ})
	}
	return q, nil
}

// Bag is a query for two numbers that tell one bag of result rows from another, whoever keeps it: how
// many they are, and a sum over what is in them. From is DuckDB's, in Tarn or alone.
func (q Query) Bag(from string) string {
	values := make([]string, len(q.columns))
	for i, c := range q.columns {
		values[i] = fmt.Sprintf("CAST(%s AS %s)", c[0], c[1])
	}
	return fmt.Sprintf("SELECT count(*) AS n, CAST(coalesce(sum(hash(%s) %% 1000000007), 0) AS BIGINT) AS bag FROM %s", strings.Join(values, ", "), from)
}

// OfFlink is a relation of what the peer has written into DIR/result.
func (q Query) OfFlink(dir string) string {
	var columns []string
	for _, c := range q.columns {
		columns = append(columns, fmt.Sprintf("%s: '%s'", c[0], c[1]))
	}
	return readJSON(filepath.Join(dir, "result", "part-*"), columns)
}

// OfFiles is the statement that makes DuckDB see the events of WriteFiles as bid.
func OfFiles(dir string) string {
	return "CREATE OR REPLACE VIEW bid AS FROM " + readJSON(filepath.Join(dir, "bid", "*.json"), []string{
		"auction: 'BIGINT'", "bidder: 'BIGINT'", "price: 'BIGINT'", "channel: 'VARCHAR'", "url: 'VARCHAR'", "dateTime: 'TIMESTAMPTZ'", "extra: 'VARCHAR'",
	})
}

func readJSON(glob string, columns []string) string {
	return fmt.Sprintf("read_json('%s', format = 'newline_delimited', columns = {%s})", strings.ReplaceAll(glob, "'", "''"), strings.Join(columns, ", "))
}
