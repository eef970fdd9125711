//go:build duckdb_arrow

package lake_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tarn/embedded/disk"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

// namingDeeds are those that change what is called what. The table that orders are exchanged with has one snapshot.
func namingDeeds(three func(*house)) []deed {
	two := func(h *house) {
		three(h)
		commit(h.t, h.ensure(fresher, orderColumns), table.Change{Rows: numbered(500, 1, 3), Properties: map[string]string{"p": "fresher"}})
	}
	does := func(f func(tables table.Tables, h *house) error) func(h *house, in *injection) error {
		return func(h *house, in *injection) error {
			in.armed.Store(true)
			return f(h.Tables(), h)
		}
	}
	return []deed{
		{name: "drop", prepare: three, look: lookTable, bare: true, do: does(func(tables table.Tables, h *house) error {
			return tables.Drop(h.t.Context(), orders, "")
		})},
		{name: "rename", prepare: three, look: lookBoth, do: does(func(tables table.Tables, h *house) error {
			return tables.Rename(h.t.Context(), orders, fresher)
		})},
		{name: "exchange", prepare: two, look: lookBoth, do: does(func(tables table.Tables, h *house) error {
			return tables.Exchange(h.t.Context(), fresher, orders)
		})},
	}
}

// lookBoth renders two tables, orders at the end.
func lookBoth(h *house) string {
	other := h.ids(fresher)
	return fmt.Sprintf("%s: %s\n%s: %s", fresher, other, orders, lookTable(h))
}

// TestKilledWhileNamesChange kills the process before, in the midst of and after each change of names, and opens what
// is left: it is as before or as after, and done again it is as after.
func TestKilledWhileNamesChange(t *testing.T) {
	spec := os.Getenv("TARN_TEST_NAMING")
	for _, d := range namingDeeds(func(h *house) {
		commit(h.t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(1, 1, 2), Properties: map[string]string{"p": "orders"}})
	}) {
		if name, dir, _ := strings.Cut(spec, "|"); name == d.name {
			_ = d.do(open(t, dir, disk.Local), &injection{})
			return
		} else if spec != "" {
			continue
		}
		for _, point := range []string{"lake.written:1", "lake.renaming:1", "lake.renaming:2", "lake.committed:1"} {
			if point == "lake.renaming:2" && d.name != "exchange" || point == "lake.renaming:1" && d.name == "rename" {
				continue
			}
			t.Run(d.name+" "+point, func(t *testing.T) {
				h := open(t, filepath.Join(t.TempDir(), "lake"), disk.Local)
				d.prepare(h)
				before := d.look(h)
				_ = h.Close()
				log := filepath.Join(t.TempDir(), "hits")
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilledWhileNamesChange$")
				cmd.Env = append(os.Environ(), "TARN_TEST_NAMING="+d.name+"|"+h.dir, "TARN_CRASH="+point, "TARN_CRASH_LOG="+log)
				out, err := cmd.CombinedOutput()
				if hit, _ := os.ReadFile(log); err == nil || !strings.Contains(string(hit), strings.TrimRight(point, ":12")) {
					t.Fatalf("the process was not killed: %v\n%s", err, out)
				}
				h = open(t, h.dir, disk.Local)
				if done := d.look(h) != before; done != (point == "lake.committed:1") {
					t.Fatalf("it was done: %v; there is\n%s", done, d.look(h))
				} else if !done {
					must(t, d.do(h, &injection{}))
				}
				after := d.look(h)
				_ = h.Close()
				h = open(t, h.dir, disk.Local)
				if got := d.look(h); got != after || got == before {
					t.Fatalf("there is\n%s\nwas\n%s\nbefore\n%s", got, after, before)
				}
				commit(t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(9, 1, 1)})
			})
		}
	}
}

// TestTheCatalogRefusesANewName: whichever row of the catalog cannot be written, nothing has changed, no file stays,
// and once it can be written the change goes through.
func TestTheCatalogRefusesANewName(t *testing.T) {
	for _, d := range namingDeeds(func(h *house) { commit(h.t, h.ensure(orders, orderColumns), table.Change{Rows: numbered(1, 1, 2)}) }) {
		for _, when := range []string{
			"UPDATE ON iceberg_tables WHEN old.table_name='orders'", "UPDATE ON iceberg_tables WHEN old.table_name='fresher'",
			"DELETE ON iceberg_tables WHEN true", "INSERT ON tarn_dropped WHEN true",
		} {
			t.Run(d.name+" "+when, func(t *testing.T) {
				h := open(t, filepath.Join(memoryDir(t), "lake"), disk.Local)
				d.prepare(h)
				tab, err := h.Tables().Open(t.Context(), orders)
				must(t, err)
				before, files := d.look(h), listFiles(t, h.dir)
				h.exec("CREATE TRIGGER refuses BEFORE " + when + " BEGIN SELECT RAISE(ABORT, 'injected'); END")
				if err := d.do(h, &injection{}); err != nil {
					if !strings.Contains(err.Error(), "injected") || d.look(h) != before || len(listFiles(t, h.dir)) != len(files) || tab.Ident() != orders {
						t.Fatalf("%v: there is\n%s\nin %d files, were %d", err, d.look(h), len(listFiles(t, h.dir)), len(files))
					}
					h.exec("DROP TRIGGER refuses")
					commit(t, tab, table.Change{Rows: numbered(9, 1, 1)})
					if rows := h.read(orders, catalog.At{}); len(rows) != 3 && d.name != "exchange" {
						t.Fatalf("then there are %q", rows)
					}
					must(t, d.do(h, &injection{}))
				}
				if d.look(h) == before {
					t.Fatal("nothing was done")
				}
			})
		}
	}
}
