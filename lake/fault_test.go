//go:build duckdb_arrow

package lake_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var errInjected = errors.New("injected: the disk says no")

// breaker fails the n-th operation on the disk, and all after it if it stays broken.
type breaker struct {
	left  atomic.Int64 // 0: nothing is to fail
	stays bool
	seen  atomic.Int64
	err   error    // nil is errInjected
	only  []string // operations that count and may fail; nil is all
	armed atomic.Bool
}

func (b *breaker) hook(op, _ string) error {
	if b.only != nil && !slices.Contains(b.only, op) {
		return nil
	}
	b.seen.Add(1)
	if left := b.left.Load(); left <= 0 {
		return nil
	} else if left == 1 {
		if !b.stays {
			b.left.Store(0)
		}
		if b.err != nil {
			return b.err
		}
		return errInjected
	}
	b.left.Add(-1)
	return nil
}

const (
	readOne  = `{"id":1,"note":"a","price":"1.50","at":1767323045000000,"_generation":1}`
	readTwo  = `{"id":2,"note":null,"price":null,"at":null,"_generation":1}`
	readTwo2 = `{"id":2,"note":"B","price":"99999999.99","at":null,"_generation":2}`
)

func listFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "warehouse", "*", "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestForeignCommitInBetween lets another writer commit at the worst moment, after the files of a
// commit were written and before the catalog moves: the look-up must be done again.
func TestForeignCommitInBetween(t *testing.T) {
	var armed atomic.Bool
	var h *house
	hook := func(op, path string) error {
		if op != "create" || !strings.HasSuffix(path, ".metadata.json") || !armed.CompareAndSwap(true, false) {
			return nil
		}
		_, err := foreignCommit(t, h.dir, func(tab *icetable.Table) (*icetable.Table, error) {
			batches := rows(t, h.ensure(orders, orderColumns).Columns(), `{"id":3,"note":"theirs","price":null,"at":null,"_generation":1}`)
			reader, err := array.NewRecordReader(batches[0].Schema(), batches)
			if err != nil {
				return nil, err
			}
			return tab.Append(t.Context(), reader, nil)
		})
		return err
	}
	h = open(t, filepath.Join(t.TempDir(), "lake"), &disk.FS{Hook: hook})
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: rows(t, orderColumns, one, two)})
	armed.Store(true)
	commit(t, tab, table.Change{
		Rows: rows(t, orderColumns, two2, `{"id":3,"note":"ours","price":null,"at":null,"_generation":1}`),
		Keys: rows(t, keyColumns(orderColumns), `{"id":2}`, `{"id":3}`),
	})
	equal(t, h.read(orders, catalog.At{}), readOne, readTwo2, `{"id":3,"note":"ours","price":null,"at":null,"_generation":1}`)

	hookAlways := &disk.FS{}
	hookAlways.Hook = func(op, path string) error {
		armed.Store(true)
		return hook(op, path)
	}
	_ = h.Close()
	h = open(t, h.dir, hookAlways)
	tab = h.ensure(orders, orderColumns)
	if _, err := tab.Commit(t.Context(), table.Change{Rows: rows(t, orderColumns, one)}); !errors.Is(err, table.ErrConflict) || fault.CodeOf(err) == "" || fault.HintOf(err) == "" {
		t.Fatalf("a writer that always comes first: %v", err)
	}
}

// TestKilledBetweenFilesAndCatalog kills the process at the hand-overs and opens what is left.
func TestKilledBetweenFilesAndCatalog(t *testing.T) {
	if dir := os.Getenv("TARN_TEST_KILLED"); dir != "" {
		h := open(t, dir, disk.Local)
		commit(t, h.ensure(orders, orderColumns), killedChange(t))
		return
	}
	for point, after := range map[string][]string{
		"lake.written":   {readOne, readTwo},
		"lake.committed": {readOne, readTwo2},
	} {
		t.Run(point, func(t *testing.T) {
			h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
			commit(t, h.ensure(orders, orderColumns), table.Change{Rows: rows(t, orderColumns, one, two)})
			_ = h.Close()
			log := filepath.Join(t.TempDir(), "hits")
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilledBetweenFilesAndCatalog$")
			cmd.Env = append(os.Environ(), "TARN_TEST_KILLED="+h.dir, "TARN_CRASH="+point+":1", "TARN_CRASH_LOG="+log)
			out, err := cmd.CombinedOutput()
			if hit, _ := os.ReadFile(log); err == nil || !strings.Contains(string(hit), point) {
				t.Fatalf("the process was not killed at %s: %v\n%s", point, err, out)
			}
			h = open(t, h.dir, disk.Local)
			equal(t, h.read(orders, catalog.At{}), after...)
			commit(t, h.ensure(orders, orderColumns), killedChange(t)) // an upsert may come twice
			equal(t, h.read(orders, catalog.At{}), readOne, readTwo2)
		})
	}
}

func killedChange(t *testing.T) table.Change {
	return table.Change{Rows: rows(t, orderColumns, two2), Keys: rows(t, keyColumns(orderColumns), `{"id":2}`)}
}

func TestDamage(t *testing.T) {
	fresh := func(t *testing.T) (dir string) {
		h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
		commit(t, h.ensure(orders, orderColumns), table.Change{Rows: rows(t, orderColumns, one)})
		commit(t, h.ensure(table.Ident{Namespace: "bronze", Name: "other"}, orderColumns), table.Change{Rows: rows(t, orderColumns, two)})
		_ = h.Close()
		return h.dir
	}
	refused := func(t *testing.T, dir string) {
		before, _ := os.ReadFile(filepath.Join(dir, "catalog.db"))
		_, err := lake.Open(t.Context(), options(dir, disk.Local))
		if fault.CodeOf(errors.Unwrap(err)) != fault.Damaged || fault.HintOf(err) == "" {
			t.Fatalf("open: %v", err)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, "catalog.db")); len(before) > 0 && string(after) != string(before) {
			t.Fatal("the damaged catalog was written to")
		}
	}
	t.Run("catalog overwritten", func(t *testing.T) {
		dir := fresh(t)
		file := filepath.Join(dir, "catalog.db")
		content, _ := os.ReadFile(file)
		for i := range content[:min(len(content), 6000)] {
			content[i] ^= 0x5a
		}
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, dir)
	})
	t.Run("catalog gone", func(t *testing.T) {
		dir := fresh(t)
		_ = os.Remove(filepath.Join(dir, "catalog.db"))
		refused(t, dir)
	})
	t.Run("one table's metadata", func(t *testing.T) {
		dir := fresh(t)
		metadata, _ := filepath.Glob(filepath.Join(dir, "warehouse", "silver", "orders", "metadata", "*.json"))
		for _, m := range metadata {
			if err := os.WriteFile(m, []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		h := open(t, dir, disk.Local)
		if _, err := h.Catalog().Scan(t.Context(), orders, catalog.At{}); fault.CodeOf(err) != fault.Damaged || !strings.Contains(err.Error(), "silver.orders") {
			t.Fatalf("scan: %v", err)
		}
		equal(t, h.read(table.Ident{Namespace: "bronze", Name: "other"}, catalog.At{}), readTwo)
		report := h.Report()
		if len(report) != 2 || report[0].State != "degraded" || report[1].Name != "table:silver.orders" || report[1].Hint == "" {
			t.Fatalf("report %+v", report)
		}
	})
}

// TestWantOfMemoryNamesTheSetting: what the lake has no memory for is not done, and the error tells
// what to raise; the table is as it was.
func TestWantOfMemoryNamesTheSetting(t *testing.T) {
	h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
	tab := h.ensure(orders, orderColumns)
	for i := range int64(3) {
		commit(t, tab, table.Change{Rows: numbered(i*100_000, 1, 100_000)})
	}
	_ = h.Close()
	poor := options(h.dir, disk.Local)
	poor.MemoryBytes = 1 << 20
	l, err := lake.Open(t.Context(), poor)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if tab, err = l.Tables().Ensure(t.Context(), table.Spec{Ident: orders, Columns: orderColumns}); err != nil {
		t.Fatal(err)
	}
	_, err = tab.Commit(t.Context(), table.Change{Keys: numberedKeys(0, 3, 90_000)})
	if fault.CodeOf(err) != fault.TooLarge || !strings.Contains(fault.HintOf(err), "raise memory") {
		t.Fatalf("%v, hint %q", err, fault.HintOf(err))
	}
	if n := len((&house{Lake: l, t: t, dir: h.dir, fs: disk.Local}).read(orders, catalog.At{})); n != 300_000 {
		t.Fatalf("%d rows of 300000", n)
	}
}
