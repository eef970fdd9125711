package sampledata_test

import (
	dbsql "database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sampledata "tarn/sample-data"
)

// dump is every row of every table, as text that can be compared.
func dump(t *testing.T, dbPath string) string {
	t.Helper()
	db := openDB(t, dbPath)
	var text strings.Builder
	for _, table := range []string{"ports", "vessels", "calls", "moves", "containers", "gates", "trucks", "truck_visits", "customs_holds"} {
		text.WriteString(table + "\n" + strings.Join(rows(t, db, "SELECT * FROM "+table+" ORDER BY rowid"), "\n"))
	}
	return text.String()
}

// rows are what a query answers, as the lines of a figure.
func rows(t *testing.T, db *dbsql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			t.Fatal(err)
		}
		for i, cell := range cells {
			cells[i] = *cell.(*any)
		}
		out = append(out, sampledata.Line(cells...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func openDB(t *testing.T, dbPath string) *dbsql.DB {
	t.Helper()
	db, err := dbsql.Open("sqlite", "file:"+dbPath+"?mode=rw&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// fresh is one prepared folder, which prepare copies, for making it takes a second.
var fresh string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if fresh, err = os.MkdirTemp("", "sample"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(fresh) }()
		if err := sampledata.Prepare(fresh, sampledata.DefaultSeed); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

func prepare(t *testing.T) (dir, dbPath string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "a folder?with #odd% characters")
	if err := os.CopyFS(dir, os.DirFS(fresh)); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, sampledata.DatabaseName)
}

func run(t *testing.T, dir string, steps int) {
	t.Helper()
	if err := sampledata.Run(t.Context(), dir, sampledata.Options{Steps: steps, Speed: 1e12}); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, db *dbsql.DB, query string) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func TestPrepareIsTheSameEachTime(t *testing.T) {
	again := filepath.Join(t.TempDir(), "another?place")
	if err := sampledata.Prepare(again, sampledata.DefaultSeed); err != nil {
		t.Fatal(err)
	}
	if dump(t, escape(filepath.Join(again, sampledata.DatabaseName))) != dump(t, filepath.Join(fresh, sampledata.DatabaseName)) {
		t.Error("two fresh databases differ")
	}
}

// escape is for the test's own connection, which reads the path as a URI.
func escape(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}

func TestPrepareLeavesWhatIsThere(t *testing.T) {
	dir, dbPath := prepare(t)
	run(t, dir, 10)
	before := dump(t, escape(dbPath))
	view := filepath.Join(dir, sampledata.ProjectName, "sql", "berths.sql")
	if err := os.WriteFile(view, []byte("-- mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	draft := dbPath + ".new" // what a crash leaves
	if err := os.WriteFile(draft, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sampledata.Prepare(dir, sampledata.DefaultSeed); err != nil {
		t.Fatal(err)
	}
	if dump(t, escape(dbPath)) != before {
		t.Error("Prepare changed a database that was there")
	}
	if text, _ := os.ReadFile(view); string(text) != "-- mine\n" {
		t.Errorf("Prepare changed the user's view: %q", text)
	}
}

func TestPrepareClearsADraft(t *testing.T) {
	dir := t.TempDir()
	for _, draft := range []string{sampledata.DatabaseName, sampledata.ProjectName} {
		if err := os.WriteFile(filepath.Join(dir, draft+".new"), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := sampledata.Prepare(dir, sampledata.DefaultSeed); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 5 {
		t.Errorf("want faults, gate, manifests, port.db and project alone, have %v", left)
	}
}

func TestProjectNamesTheSystems(t *testing.T) {
	dir, _ := prepare(t)
	project := filepath.Join(dir, sampledata.ProjectName)
	for file, key := range map[string]string{"port.json": "database.path", "gate.json": "files.path", "manifests.json": "files.path"} {
		text, err := os.ReadFile(filepath.Join(project, "connectors", file))
		if err != nil {
			t.Fatal(err)
		}
		var connector struct {
			Name   string
			Config map[string]string
		}
		if err := json.Unmarshal(text, &connector); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(project, connector.Config[key])); err != nil {
			t.Errorf("%s, seen from the project folder: %v", key, err)
		}
	}
}

func TestRunGoesOnWhereItStopped(t *testing.T) {
	whole, wholeDB := prepare(t)
	parted, partedDB := prepare(t)
	run(t, whole, 100)
	run(t, parted, 60)
	run(t, parted, 40)
	if dump(t, escape(wholeDB)) != dump(t, escape(partedDB)) {
		t.Error("100 steps differ from 60 and 40 steps")
	}
}

func TestTheDatabaseStaysSoundAndSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "port.db")
	if err := sampledata.MakeDatabase(path, 4000, sampledata.AllFaults[:3]); err != nil {
		t.Fatal(err)
	}
	db := openDB(t, escape(path))
	for _, c := range []struct {
		name, query string
		min, max    int64
	}{
		{"broken references", "SELECT count(*) FROM pragma_foreign_key_check", 0, 0},
		{"ports", "SELECT count(*) FROM ports", 60, 80},
		{"vessels", "SELECT count(*) FROM vessels", 60, 60},
		{"departed calls", "SELECT count(*) FROM calls WHERE status = 'departed'", 30, 45},
		{"calls alongside", "SELECT count(*) FROM calls WHERE status = 'berthed'", 1, 8},
		{"planned calls", "SELECT count(*) FROM calls WHERE status = 'planned'", 1, 10},
		{"moves", "SELECT count(*) FROM moves", 2000, 15000},
		{"two vessels at one berth", "SELECT count(*) FROM calls a JOIN calls b USING (berth) WHERE a.id < b.id AND a.status = 'berthed' AND b.status = 'berthed'", 0, 0},
		{"moves before their vessel", "SELECT count(*) FROM moves m JOIN calls c ON c.id = m.call_id WHERE c.berthed_at > m.moved_at", 0, 0},
		{"moves after their vessel", "SELECT count(*) FROM moves m JOIN calls c ON c.id = m.call_id WHERE c.departed_at < m.moved_at", 0, 0},
		{"departures short of moves", "SELECT count(*) FROM calls c WHERE status = 'departed' AND moves_planned > (SELECT count(*) FROM moves WHERE call_id = c.id)", 0, 0},
		{"loads of what was not there", "SELECT count(*) FROM moves m LEFT JOIN containers c ON c.no = m.container WHERE m.kind = 'load' AND c.in_at <= m.moved_at AND c.out_at IS NOT m.moved_at", 0, 0},
		{"containers that left before they came", "SELECT count(*) FROM containers WHERE out_at < in_at", 0, 0},
		{"containers in the yard", "SELECT count(*) FROM containers WHERE out_at IS NULL", 200, 2500},
		{"containers that left", "SELECT count(*) FROM containers WHERE out_at IS NOT NULL", 1000, 1700},
		{"trucks on site", "SELECT count(*) FROM truck_visits WHERE out_at IS NULL", 5, 60},
		{"trucks that are there twice", "SELECT count(*) FROM truck_visits a JOIN truck_visits b USING (truck) WHERE a.id < b.id AND a.out_at IS NULL AND b.out_at IS NULL", 0, 0},
		{"visits that are over", "SELECT count(*) FROM truck_visits WHERE out_at IS NOT NULL", 780, 840},
		{"fetched on hold", "SELECT count(*) FROM customs_holds h JOIN truck_visits v USING (container) WHERE v.purpose = 'fetch' AND v.in_at < coalesce(h.released_at, '9') AND v.in_at >= h.placed_at", 0, 0},
		{"open holds", "SELECT count(*) FROM customs_holds WHERE released_at IS NULL", 1, 60},
		{"deleted moves", "SELECT seq - (SELECT count(*) FROM moves) FROM sqlite_sequence WHERE name = 'moves'", 1, 1 << 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := number(t, db, c.query); n < c.min || n > c.max {
				t.Errorf("%d, want %d to %d", n, c.min, c.max)
			}
		})
	}
}

func TestCheckDigits(t *testing.T) {
	_, dbPath := prepare(t)
	db := openDB(t, escape(dbPath))
	for _, imo := range column(t, db, "SELECT imo FROM vessels") {
		sum := 0
		for i, digit := range imo[:6] {
			sum += int(digit-'0') * (7 - i)
		}
		if len(imo) != 7 || int(imo[6]-'0') != sum%10 {
			t.Errorf("IMO %s has a wrong check digit", imo)
		}
		// Ships have numbers from 5 million on, and from 1 million to below 2 million.
		if imo[0] < '2' || imo[0] > '4' {
			t.Errorf("IMO %s lies in an assigned range", imo)
		}
	}
	const letters = "0123456789A?BCDEFGHIJK?LMNOPQRSTU?VWXYZ" // ISO 6346: 11, 22 and 33 are skipped
	for _, number := range column(t, db, "SELECT container FROM moves UNION SELECT no FROM containers") {
		sum := 0
		for i := range 10 {
			sum += strings.IndexByte(letters, number[i]) << i
		}
		if len(number) != 11 || int(number[10]-'0') != sum%11%10 {
			t.Fatalf("container %s has a wrong check digit", number)
		}
	}
}

func column(t *testing.T, db *dbsql.DB, query string) (values []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	if rows.Err() != nil || len(values) == 0 {
		t.Fatalf("%s: %d rows, %v", query, len(values), rows.Err())
	}
	return values
}
