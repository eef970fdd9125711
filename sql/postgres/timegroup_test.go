//go:build duckdb_arrow

package postgres_test

import (
	"fmt"
	"strings"
	"testing"
)

// Grafana's $__timeGroup has the values and the type of the same in two steps, where floor sees a column: for times on both sides of 1970,
// on the borders of the groups and a microsecond beside them, and so far away that the quotient's rounding reaches the next group.
func TestTimeGroup(t *testing.T) {
	t.Parallel()
	c := connect(t, open(t), "")
	const times = `SELECT make_timestamp(1970, 1, 1, 0, 0, 0) + to_microseconds(CASE n %% 3 WHEN 0 THEN u WHEN 1 THEN u - u %% (%[1]d * 1000000::bigint) ELSE u - u %% (%[1]d * 1000000::bigint) - 1 END) AS t
		FROM (SELECT n, ((n * 2654435761) %% 4294967291 - 2147483645) * %[2]d AS u FROM generate_series(1, 3000) AS s(n)) AS x UNION ALL SELECT NULL`
	for _, seconds := range []int64{1, 60, 200, 300, 86400, 2147483647} {
		for _, spread := range []int64{1, 1000003, 30000001} {
			from := fmt.Sprintf(times, seconds, spread)
			var rows, unlike, types, nulls int
			err := c.QueryRow(t.Context(), fmt.Sprintf(`SELECT count(*), count(*) FILTER (WHERE a IS DISTINCT FROM floor(q) * %[1]d), count(*) FILTER (WHERE pg_typeof(a)::text <> pg_typeof(floor(q) * %[1]d)::text), count(*) FILTER (WHERE a IS NULL)
				FROM (SELECT floor(extract(epoch from t)/%[1]d)*%[1]d AS a, extract(epoch from t)/%[1]d AS q FROM (%[2]s) AS x) AS y`, seconds, from)).Scan(&rows, &unlike, &types, &nulls)
			if err != nil || rows != 3001 || unlike != 0 || types != 0 || nulls != 1 {
				t.Errorf("groups of %d s, %d µs apart: %d of %d are others, %d of another type, %d are null: %v", seconds, spread, unlike, rows, types, nulls, err)
			}
		}
	}
	for text, want := range map[string]string{
		"floor(extract(epoch from timestamp '1969-12-31 23:59:59.999999')/300)*300":         "-300",
		"floor(extract(epoch from timestamp '2026-01-02 03:04:05.5')/300)*300":              "1767322800",
		"floor(extract(epoch from interval '-1 second')/300)*300":                           "-300",
		"floor(extract(minute from timestamp '2026-01-02 03:44:05')/15)*15":                 "30",
		"floor(extract(epoch from timestamp '2026-01-02 03:04:05.5')/0.5)*0.5":              "1767323045.5",
		"floor(extract(epoch from timestamp '2026-01-02 03:04:05.5')/'300')*300":            "1767322800",
		"floor(extract(epoch from timestamp '2026-01-02 03:04:05.5')/300 + 0.5)*300":        "1767323100",
		"floor(date_part('epoch', timestamp '2026-01-02 03:04:05.5')/300)*300":              "1767322800",
		"floor(extract(epoch from now() - now())/-300)*300":                                 "0",
		"floor(extract(epoch from timestamp '2920-08-30 05:24:59.999999')/300)*300":         "30000000300",
		"max(floor(extract(epoch from timestamp '2026-01-02 03:04:05.5')/86400)*86400) + 1": "1767312001",
	} {
		var got string
		if err := c.QueryRow(t.Context(), "SELECT ("+text+")::text").Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q: %v", text, got, want, err)
		}
	}
	if err := c.QueryRow(t.Context(), "SELECT floor(extract(epoch from timestamp '2026-01-02')/0)").Scan(new(string)); err == nil || !strings.Contains(err.Error(), "22012") {
		t.Errorf("a group of no seconds: %v", err)
	}
}
