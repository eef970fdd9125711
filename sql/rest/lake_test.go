//go:build duckdb_arrow

package rest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/duck"
	"tarn/embedded/guard"
	"tarn/embedded/record"
	"tarn/lake/catalog"
	"tarn/lake/table"
	"tarn/sql/engine"
	"tarn/sql/rest"
	"tarn/sql/system"
)

// shelf is a catalog over Parquet files that a test wrote.
type shelf struct {
	mu     sync.Mutex
	tables map[table.Ident]catalog.Scan
	views  map[table.Ident]catalog.View
	leases int
	asked  []catalog.At // of each scan
	health []catalog.Health
}

func (s *shelf) put(scan catalog.Scan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[scan.Ident] = scan
}

func (s *shelf) drop(id table.Ident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tables, id)
}

func (s *shelf) Namespaces(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id := range s.tables {
		if !slices.Contains(out, id.Namespace) {
			out = append(out, id.Namespace)
		}
	}
	return out, nil
}

func (s *shelf) Entries(_ context.Context, ns string) (out []catalog.Entry, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.tables {
		if id.Namespace == ns {
			out = append(out, catalog.Entry{Ident: id})
		}
	}
	for id := range s.views {
		if id.Namespace == ns {
			out = append(out, catalog.Entry{Ident: id, View: true})
		}
	}
	return out, nil
}

func (s *shelf) Scan(_ context.Context, id table.Ident, at catalog.At) (*catalog.Scan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, at)
	scan, ok := s.tables[id]
	if !ok {
		return nil, table.ErrNotFound
	}
	s.leases++
	scan.Release = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leases--
	}
	return &scan, nil
}

func (s *shelf) View(_ context.Context, id table.Ident) (catalog.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.views[id]
	if !ok {
		return v, table.ErrNotFound
	}
	return v, nil
}

func (s *shelf) CreateView(_ context.Context, v catalog.View, replace bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.views[v.Ident]; ok && !replace {
		return table.ErrExists
	}
	s.views[v.Ident] = v
	return nil
}

func (s *shelf) ChangeView(_ context.Context, id table.Ident, change func(*catalog.View) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.views[id]
	if !ok {
		return table.ErrNotFound
	}
	err := change(&v)
	if err == nil {
		s.views[id] = v
	}
	return err
}

func (s *shelf) DropView(_ context.Context, id table.Ident) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.views[id]; !ok {
		return table.ErrNotFound
	}
	delete(s.views, id)
	return nil
}

func (s *shelf) Stats(context.Context) ([]catalog.Stats, error) { return nil, nil }

func (s *shelf) Files(context.Context, ...table.Ident) ([]catalog.FileStats, error) { return nil, nil }

func (s *shelf) Histories(context.Context, ...table.Ident) ([]catalog.History, error) {
	return nil, nil
}
func (s *shelf) Health(context.Context) ([]catalog.Health, error) { return s.health, nil }

// house is a Gate with its door, over one warehouse.
type house struct {
	t      testing.TB
	shelf  *shelf
	upkeep *upkeep
	gate   *engine.Gate
	dir    string // the warehouse
	url    string
	write  *duck.Conn
	told   *prometheus.Registry
	ahead  atomic.Int64 // how far the Gate's clock is ahead, in nanoseconds
	kinds  *engine.Dialect
}

// Now is the Gate's time.
func (h *house) Now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// timeout of a statement: some tests wait for it.
func (h *house) timeout() time.Duration {
	switch h.t.Name() {
	case "TestTimeout":
		return 2 * time.Second // the statement behind it has to be done within it, on a slow machine too
	case "TestExecuteOutlastsQueries":
		return time.Nanosecond
	}
	return 2 * time.Minute
}

func newHouse(t testing.TB, g guard.Guard, schemas ...string) *house {
	t.Helper()
	h := &house{t: t, shelf: &shelf{tables: map[table.Ident]catalog.Scan{}, views: map[table.Ident]catalog.View{}}, upkeep: &upkeep{}, told: prometheus.NewRegistry()}
	h.dir = filepath.Join(t.TempDir(), "lake", "warehouse")
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	in, err := duck.Open(t.Context(), duck.Options{Threads: 1, MemoryBytes: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	if h.write, err = in.Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.write.Close() })
	gate, err := engine.New(t.Context(), engine.Options{
		Catalog: h.shelf, Upkeep: h.upkeep, System: []engine.SystemTable{system.Health(h.shelf)}, Guard: g, Folders: []string{h.dir}, MemoryBytes: 256 << 20, Threads: 2, TempDir: t.TempDir(),
		RowsMax: 10_000, Timeout: h.timeout(), Schemas: schemas, Clock: h, Log: slog.New(slog.DiscardHandler), Metrics: h.told,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux, door := http.NewServeMux(), rest.New(gate, g, slog.New(slog.DiscardHandler))
	door.Mount(mux.Handle)
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Close()
		door.Close()
		_ = gate.Close()
		if h.shelf.leases != 0 {
			t.Errorf("%d leases were not given back", h.shelf.leases)
		}
	})
	h.url, h.gate = s.URL+"/api/sql", gate
	return h
}

// file writes the rows of a query as a Parquet file with field ids 1, 2, … in its order.
func (h *house) file(path, query string, columns []table.Column) {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	ids := make([]string, len(columns))
	for i, c := range columns {
		ids[i] = duck.Ident(c.Name) + ":" + string(rune('1'+i))
	}
	err := h.write.Exec(h.t.Context(), "COPY ("+query+") TO "+duck.Quote(path)+" (FORMAT parquet, FIELD_IDS {"+strings.Join(ids, ",")+"})")
	if err != nil {
		h.t.Fatal(err)
	}
}

// table puts a table of one file on the shelf.
func (h *house) table(id table.Ident, query string, columns ...table.Column) {
	h.t.Helper()
	for i := range columns {
		columns[i].ID = i + 1
	}
	path := filepath.Join(h.dir, id.Namespace, id.Name, "data", "a.parquet")
	h.file(path, query, columns)
	h.shelf.put(catalog.Scan{Ident: id, TableID: id.String(), SnapshotID: 7, Columns: columns, Files: []catalog.File{{Path: path}}})
}

func column(name string, t record.Type) table.Column { return table.Column{Name: name, Type: t} }

// post sends a statement.
func (h *house) post(statement, accept string) (status int, body string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.url, strings.NewReader(statement))
	if err != nil {
		h.t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "cut: " + err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, "cut: " + string(content)
	}
	return resp.StatusCode, string(content)
}

// want asks in CSV and compares the lines behind the header.
func (h *house) want(statement string, lines ...string) {
	h.t.Helper()
	status, body := h.post(statement, "text/csv")
	_, rows, _ := strings.Cut(strings.TrimSuffix(body, "\n"), "\n")
	if status != http.StatusOK || rows != strings.Join(lines, "\n") {
		h.t.Errorf("%s: %d\n%s\nwant\n%s", statement, status, body, strings.Join(lines, "\n"))
	}
}

// refused expects an error of a code.
func (h *house) refused(statement, code string) {
	h.t.Helper()
	status, body := h.post(statement, "")
	if status < 400 || status > 499 || !strings.Contains(body, `"code":"`+code+`"`) {
		h.t.Errorf("%s: %d %s, want %s", statement, status, body, code)
	}
}
