//go:build duckdb_arrow

package lake_test

import (
	"context"
	dbsql "database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/apache/iceberg-go"
	icesql "github.com/apache/iceberg-go/catalog/sql"

	"tarn/embedded/disk"
	"tarn/embedded/disk/disktest"
	"tarn/embedded/record"
	"tarn/lake"
	"tarn/lake/catalog"
	"tarn/lake/table"
)

var deep = flag.Bool("deep", false, "fail every operation in every way, kill a process at each one, and walk more histories: half an hour")

// deed is something that is done to a lake and must be done whole or not at all, whichever operation on
// the disk fails meanwhile.
type deed struct {
	name    string
	prepare func(h *house)
	options func(o *lake.Options)
	// do calls armed when faults may begin, and tells whether it was done.
	do func(h *house, in *injection) error
	// look renders what a reader sees; a deed changes that from one text to another.
	look func(h *house) string
	wide bool // takes long: some of its operations are enough, but for -deep
	bare bool // writes to the catalog alone, which no hook is asked for
}

// injection is what goes wrong, and when.
type injection struct {
	breaker
	inside rewritten
	each   func(n int64, op, path string) // is told of each operation
	// changed tells that what the deed does beside itself, whatever fails, is done.
	changed atomic.Bool
	failed  chan error // what upkeep told, nil for a compaction
	commits atomic.Int64
}

func (in *injection) hook(op, path string) error {
	if err := in.inside.hook(op, path); err != nil {
		return err
	}
	if !in.armed.Load() {
		return nil
	}
	err := in.breaker.hook(op, path)
	if in.each != nil {
		in.each(in.seen.Load(), op, path)
	}
	return err
}

// paused runs f without faults, inside of a deed.
func (in *injection) paused(f func()) {
	was := in.armed.Swap(false)
	f()
	in.armed.Store(was)
}

var lateTable = table.Ident{Namespace: "gold", Name: "late"}

func deeds() []deed {
	three := func(h *house) { // three snapshots, files of three ages, a delete file
		tab := h.ensure(orders, orderColumns)
		commit(h.t, tab, table.Change{Rows: numbered(0, 1, 20)})
		commit(h.t, tab, table.Change{Rows: numbered(5, 1, 20), Keys: numberedKeys(5, 1, 20)})
		commit(h.t, tab, table.Change{Rows: numbered(30, 1, 10), Properties: map[string]string{"p": "before"}})
	}
	upsert := table.Change{
		Rows: numbered(18, 1, 20), Keys: numberedKeys(15, 1, 25), Properties: map[string]string{"p": "after"},
	}
	widening := upsert
	widening.AddColumns = []table.Column{{Name: "new", Type: record.Long}}
	committing := func(c table.Change) func(h *house, in *injection) error {
		return func(h *house, in *injection) error {
			tab := h.ensure(orders, orderColumns)
			in.armed.Store(true)
			_, err := tab.Commit(h.t.Context(), c)
			return err
		}
	}
	ordering := func(o catalog.Order) func(h *house, in *injection) error {
		return func(h *house, in *injection) error {
			in.armed.Store(true)
			_, err := h.Upkeep().Execute(h.t.Context(), orders, o)
			return err
		}
	}
	return append(namingDeeds(three), []deed{
		{name: "append", prepare: three, look: lookTable, do: committing(table.Change{Rows: numbered(100, 1, 10), Properties: map[string]string{"p": "after"}})},
		{name: "upsert", prepare: three, look: lookTable, do: committing(upsert)},
		{name: "upsert with a new column", prepare: three, look: lookTable, do: committing(widening), wide: true},
		{name: "properties", prepare: three, look: lookTable, do: committing(table.Change{Properties: upsert.Properties})},
		{name: "upsert that merges manifests and thins", prepare: many, look: lookTable, do: committing(upsert), wide: true},
		{name: "compaction", prepare: three, look: lookTable, do: ordering(catalog.Order{Action: catalog.Compact})},
		{name: "compaction that carries deletes", prepare: three, look: lookTable, do: carrying(upsert)},
		{name: "compaction of delete files alone", prepare: deletes, look: lookTable, do: byItself, wide: true, options: func(o *lake.Options) { o.Upkeep = true }},
		{name: "expire", prepare: three, look: lookTable, do: ordering(catalog.Order{Action: catalog.ExpireSnapshots, Retention: 1})},
		{name: "create table", prepare: func(*house) {}, look: lookTable, do: func(h *house, in *injection) error {
			in.armed.Store(true)
			_, err := h.Tables().Ensure(h.t.Context(), table.Spec{Ident: orders, Columns: orderColumns, Properties: map[string]string{"p": "after"}})
			return err
		}},
		{name: "create view", prepare: func(*house) {}, look: lookView, do: viewing("SELECT 1")},
		{name: "replace view", prepare: func(h *house) {
			if err := viewing("SELECT 0")(h, &injection{}); err != nil {
				h.t.Fatal(err)
			}
		}, look: lookView, do: viewing("SELECT 1")},
	}...)
}

// many makes a table of a hundred manifests and 64 snapshots, so that the next commit merges the former and
// thins the latter.
func many(h *house) {
	tab := h.ensure(orders, orderColumns)
	for i := range int64(64) {
		c := table.Change{Rows: numbered(i%45, 1, 5), Keys: numberedKeys(i%45, 1, 5)}
		if i == 63 {
			c.Properties = map[string]string{"p": "before"}
		}
		commit(h.t, tab, c)
	}
}

// deletes makes a table of one data file and one delete file less than upkeep makes one of.
func deletes(h *house) {
	tab := h.ensure(orders, orderColumns)
	commit(h.t, tab, table.Change{Rows: numbered(0, 1, 300), Properties: map[string]string{"p": "before"}})
	for i := range int64(19) {
		commit(h.t, tab, table.Change{Keys: numberedKeys(i, 1, 1)})
	}
}

// byItself commits the delete file that is one too many, and waits for what upkeep does about it.
func byItself(h *house, in *injection) error {
	in.commits.Store(0)
	commit(h.t, h.ensure(orders, orderColumns), table.Change{Keys: numberedKeys(19, 1, 1), Rows: numbered(19, 1, 1), Properties: map[string]string{"p": "after"}})
	in.changed.Store(true)
	return <-in.failed
}

// carrying compacts, and upserts while the compaction writes.
func carrying(c table.Change) func(h *house, in *injection) error {
	return func(h *house, in *injection) error {
		tab := h.ensure(orders, orderColumns)
		in.inside.do = func() {
			in.paused(func() { commit(h.t, tab, c) })
			in.changed.Store(true)
		}
		in.inside.armed.Store(true)
		in.armed.Store(true)
		_, err := h.Upkeep().Execute(h.t.Context(), orders, catalog.Order{Action: catalog.Compact})
		in.inside.armed.Store(false)
		return err
	}
}

func viewing(text string) func(h *house, in *injection) error {
	return func(h *house, in *injection) error {
		in.armed.Store(true)
		return h.Catalog().CreateView(h.t.Context(), catalog.View{
			Ident: lateTable, Text: text, Dialect: "duckdb", Columns: []table.Column{{ID: 1, Name: "id", Type: record.Long}},
		}, true)
	}
}

func lookTable(h *house) string {
	tab, err := h.Tables().Open(h.t.Context(), orders)
	if errors.Is(err, table.ErrNotFound) {
		return "no table"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	p, _ := tab.Property("p")
	cols := make([]string, 0, len(orderColumns))
	for _, c := range tab.Columns() {
		cols = append(cols, c.Name)
	}
	return fmt.Sprintf("p=%s columns=%q\n%s", p, cols, strings.Join(h.read(orders, catalog.At{}), "\n"))
}

func lookView(h *house) string {
	v, err := h.Catalog().View(h.t.Context(), lateTable)
	if errors.Is(err, table.ErrNotFound) {
		return "no view"
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return v.Text
}

// way is how a disk fails.
type way struct {
	name  string
	err   error
	stays bool
	only  []string // operations that fail so; nil is all
	dirty bool     // nothing can be cleaned up
}

var ways = []way{
	{name: "error once", err: errInjected},
	{name: "error from then on", err: errInjected, stays: true, dirty: true},
	{name: "short write", err: fmt.Errorf("%w: %w", errInjected, io.ErrShortWrite), only: []string{"write"}},
	{name: "full from then on", err: fmt.Errorf("%w: %w", errInjected, syscall.ENOSPC), stays: true, only: []string{"create", "write", "mkdir"}},
}

// bench is a lake in a folder that is put back to where a deed begins. Its metadata names files by their
// whole paths, so it stays at one place.
type bench struct {
	deed
	t      *testing.T
	home   string // of the lake
	kept   string // a copy of it as it was prepared
	before string // what a reader sees
	after  string
	past   map[int64]string // the rows of each snapshot, before
	files  []string         // before
	seen   readBefore
	faults int // so far
}

// some are the operations that a test takes: every so many, from another one in each run. The race detector
// looks for races, and takes three times as long: it meets fewer, and make test takes all of them without it.
type some struct{ from, every int64 }

// unraced leaves a test in which one goroutine commits again and again to the run without the race detector, which has nothing to find
// there and takes twenty times as long. make test does both runs.
func unraced(t *testing.T) {
	t.Helper()
	if raced && !*deep {
		t.Skip("make test runs it without the race detector")
	}
}

func someOf(every int64) some {
	if raced {
		every *= 4
	}
	if *deep {
		every = 1
	}
	return some{1 + rand.Int64N(every), every}
}

func (d deed) some(every int64) some {
	if d.wide {
		every = max(every, 5)
	}
	return someOf(every)
}

func (s some) String() string { return fmt.Sprintf("one in %d, from number %d on,", s.every, s.from) }

func (s some) has(n int64) bool { return n >= s.from && (n-s.from)%s.every == 0 }

func newBench(t *testing.T, d deed) *bench {
	t.Helper()
	dir := memoryDir(t)
	b := &bench{deed: d, t: t, home: filepath.Join(dir, "lake"), kept: filepath.Join(dir, "kept"), past: map[int64]string{}, seen: readBefore{}}
	h := open(t, b.home, disk.Local)
	d.prepare(h)
	b.before = d.look(h)
	b.files = listFiles(t, b.home)
	for _, id := range b.snapshots(h) {
		b.past[id] = strings.Join(h.read(orders, catalog.At{SnapshotID: id}), "\n")
	}
	_ = h.Close()
	copyDir(t, b.home, b.kept)
	h, in := b.open()
	if err := b.do(h, in); err != nil {
		t.Fatal(err)
	}
	b.after = d.look(h)
	_ = h.Close()
	b.restore(b.kept)
	return b
}

// brief is enough of what a reader sees to tell what went wrong.
func brief(seen string) string {
	if len(seen) > 1500 {
		return fmt.Sprintf("%s… (%d lines)", seen[:1500], strings.Count(seen, "\n"))
	}
	return seen
}

// memoryDir is for what need not lie on a disk: it is the order of operations that counts here.
var memoryDir = disktest.Memory

func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// restore puts the lake back to a copy.
func (b *bench) restore(from string) {
	b.t.Helper()
	if err := os.RemoveAll(b.home); err != nil {
		b.t.Fatal(err)
	}
	copyDir(b.t, from, b.home)
}

// snapshots are those that the table's metadata names, oldest first.
func (b *bench) snapshots(h *house) []int64 {
	scan, err := h.Catalog().Scan(h.t.Context(), orders, catalog.At{})
	if errors.Is(err, table.ErrNotFound) {
		return nil
	}
	if err != nil {
		h.t.Fatal(err)
	}
	scan.Release()
	if scan.SnapshotID == 0 {
		return nil
	}
	return h.snapshots(orders)
}

func (b *bench) open() (*house, *injection) {
	b.t.Helper()
	in := &injection{failed: make(chan error, 100)}
	fs := &disk.FS{Hook: in.hook}
	o := options(b.home, fs)
	o.Log = slog.New(warnings{slog.DiscardHandler, in.failed})
	o.Committed = func(c table.Committed) {
		switch {
		case b.options == nil:
		case c.Operation == "replace":
			in.failed <- nil
		case in.commits.Add(1) == 1: // before upkeep looks at the table
			in.armed.Store(true)
		}
	}
	if b.options != nil {
		b.options(&o)
	}
	l, err := lake.Open(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	h := &house{Lake: l, t: b.t, dir: b.home, fs: fs, seen: b.seen}
	b.t.Cleanup(func() { _ = h.Close() })
	return h, in
}

// warnings hands on the errors that upkeep logs.
type warnings struct {
	slog.Handler
	failed chan error
}

func (w warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "upkeep will try again" {
		r.Attrs(func(a slog.Attr) bool {
			if err, ok := a.Value.Any().(error); ok {
				w.failed <- err
			}
			return true
		})
	}
	return nil
}

// TestEveryFailedOperation fails each operation on the disk of each deed, in each way. The lake is as before
// or as after, in the process that saw the failure and in the next one, and goes on working.
func TestEveryFailedOperation(t *testing.T) {
	t.Parallel()
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if d.wide {
				unraced(t)
			}
			b := newBench(t, d)
			for _, w := range ways {
				every := int64(1)
				if w.stays {
					every = 3
				}
				s := d.some(every)
				n := s.from
				for ; b.failed(w, n); n += s.every {
				}
				t.Logf("%s: %v of fewer than %d operations", w.name, s, n)
			}
			if b.faults == 0 && !d.bare {
				t.Fatal("is the hook asked at all?")
			}
		})
	}
}

// failed makes the n-th operation fail; false if there are fewer.
func (b *bench) failed(w way, n int64) bool {
	t := b.t
	h, in := b.open()
	in.err, in.only = w.err, w.only
	in.stays = w.stays
	in.left.Store(n)
	err := b.do(h, in)
	in.armed.Store(false)
	if in.seen.Load() < n {
		if err != nil {
			t.Fatalf("nothing failed, but: %v", err)
		}
		_ = h.Close()
		b.restore(b.kept)
		return false
	}
	what := fmt.Sprintf("operation %d of %s (%s)", n, b.name, w.name)
	got := b.look(h)
	switch {
	case err == nil && got != b.after:
		t.Fatalf("%s failed, the deed did not, but there is\n%s\nnot\n%s", what, brief(got), brief(b.after))
	case err != nil && !errors.Is(err, errInjected):
		t.Fatalf("%s: %v", what, err)
	case err != nil && got != b.before && (!in.changed.Load() || got != b.after):
		t.Fatalf("%s failed the deed, but there is\n%s\nnot\n%s", what, brief(got), brief(b.before))
	}
	b.sound(h, what, w.dirty)
	b.goesOn(h, in, what, err == nil, b.faults%3 == 0)
	b.faults++
	_ = h.Close()
	b.restore(b.kept)
	return true
}

// sound checks that nothing is missing, that no file is left over, and that the snapshots are right.
func (b *bench) sound(h *house, what string, dirty bool) {
	t := b.t
	t.Helper()
	named := h.named()
	for path := range named {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s: a file is named and not there: %v", what, err)
		}
	}
	for _, path := range listFiles(t, h.dir) {
		if !dirty && !named[path] && !slices.Contains(b.files, path) {
			t.Fatalf("%s: left over: %s", what, path)
		}
	}
	all := b.snapshots(h)
	for i, id := range all {
		if _, ok := b.past[id]; ok && i > 0 && i != len(all)/2 && !*deep {
			continue
		}
		rows := strings.Join(h.read(orders, catalog.At{SnapshotID: id}), "\n")
		if past, ok := b.past[id]; ok && rows != past {
			t.Fatalf("%s: snapshot %d was\n%s\nis\n%s", what, id, brief(past), brief(rows))
		} else if !ok && !strings.HasSuffix(b.before, rows) && !strings.HasSuffix(b.after, rows) {
			t.Fatalf("%s: a new snapshot has\n%s", what, brief(rows))
		}
	}
}

// goesOn does the deed if it was not done, commits another thing, and may open the lake once more.
func (b *bench) goesOn(h *house, in *injection, what string, done, again bool) {
	t := b.t
	t.Helper()
	in.left.Store(0)
	if !done && b.options == nil {
		if err := b.do(h, in); err != nil {
			t.Fatalf("%s; then: %v", what, err)
		}
		if got := b.look(h); got != b.after {
			t.Fatalf("%s; then it is\n%s\nnot\n%s", what, brief(got), brief(b.after))
		}
	}
	tab := h.ensure(orders, orderColumns)
	commit(t, tab, table.Change{Rows: numbered(9000, 1, 1), Keys: numberedKeys(9000, 1, 1), Properties: map[string]string{"q": what}})
	want := h.read(orders, catalog.At{})
	if !slices.ContainsFunc(want, func(row string) bool { return strings.HasPrefix(row, `{"id":9000,`) }) {
		t.Fatalf("%s; then rows are %q", what, want)
	}
	if !again && !*deep {
		return
	}
	_ = h.Close()
	h = open(t, b.home, disk.Local)
	h.seen = b.seen
	equal(t, h.read(orders, catalog.At{}), want...)
	if q, _ := h.ensure(orders, orderColumns).Property("q"); q != what {
		t.Fatalf("%s; then q is %q", what, q)
	}
	_ = h.Close()
}

// named are the files that the catalog leads to.
func (h *house) named() map[string]bool {
	h.t.Helper()
	out := map[string]bool{}
	add := func(uri string) { out[strings.TrimPrefix(uri, "file://")] = true }
	h.database(func(db *dbsql.DB) error {
		db.SetMaxOpenConns(1)
		c, err := icesql.NewCatalog("tarn", db, icesql.SQLite, iceberg.Properties{"warehouse": "file://" + filepath.Join(h.dir, "warehouse")})
		if err != nil {
			return err
		}
		entries, err := entriesOf(h.t.Context(), db)
		if err != nil {
			return err
		}
		for _, e := range entries {
			add(e[2])
			if e[1] == "VIEW" {
				continue
			}
			tab, err := c.LoadTable(h.t.Context(), strings.Split(e[0], "."))
			if err != nil {
				return err
			}
			for f := range tab.Metadata().PreviousFiles() {
				add(f.MetadataFile)
			}
			fs, err := tab.FS(h.t.Context())
			if err != nil {
				return err
			}
			for _, snap := range tab.Metadata().Snapshots() {
				add(snap.ManifestList)
				manifests, err := snap.Manifests(fs)
				if err != nil {
					return err
				}
				for _, m := range manifests {
					if path := strings.TrimPrefix(m.FilePath(), "file://"); out[path] {
						continue
					}
					add(m.FilePath())
					for entry, err := range m.Entries(fs, true) {
						if err != nil {
							return err
						}
						add(entry.DataFile().FilePath())
					}
				}
			}
		}
		return nil
	})
	return out
}

// entriesOf lists the catalog: name, kind, metadata file.
func entriesOf(ctx context.Context, db *dbsql.DB) (out [][3]string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT table_namespace || '.' || table_name, iceberg_type, metadata_location FROM iceberg_tables")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var e [3]string
		if err := rows.Scan(&e[0], &e[1], &e[2]); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// TestKilledAtEveryOperation takes the disk as it is at each operation, which is what a killed process leaves,
// and goes on from there.
func TestKilledAtEveryOperation(t *testing.T) {
	t.Parallel()
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if d.wide {
				unraced(t)
			}
			b := newBench(t, d)
			h, in := b.open()
			copies := filepath.Join(memoryDir(t), "killed")
			taken := d.some(1)
			var mu sync.Mutex
			var n int64
			var kills []string
			in.each = func(_ int64, op, path string) {
				mu.Lock()
				defer mu.Unlock()
				if n++; taken.has(n) || op == "done" {
					kills = append(kills, fmt.Sprintf("killed at operation %d, %s %s, of %s", n, op, filepath.Base(path), d.name))
					copyDir(t, b.home, filepath.Join(copies, strconv.Itoa(len(kills))))
				}
			}
			if err := b.do(h, in); err != nil {
				t.Fatal(err)
			}
			in.each(0, "done", "")
			_ = h.Close()
			t.Logf("%v of %d operations", taken, n)
			was := b.before
			for i, what := range kills {
				b.restore(filepath.Join(copies, strconv.Itoa(i+1)))
				was = b.survived(what, was)
			}
			if was != b.after {
				t.Fatalf("at last there is\n%s\nnot\n%s", brief(was), brief(b.after))
			}
		})
	}
}

// survived opens what a killed process left. What was seen once is not taken back.
func (b *bench) survived(what, was string) (got string) {
	t := b.t
	t.Helper()
	options := b.options
	b.options = nil // upkeep would go on beside
	h, in := b.open()
	b.options = options
	if got = b.look(h); got != was && got != b.after {
		t.Fatalf("%s: there is\n%s\nwhich is neither\n%s\nnor\n%s", what, brief(got), brief(b.before), brief(b.after))
	}
	b.sound(h, what, true)
	b.goesOn(h, in, what, got == b.after, false)
	_ = h.Close()
	return got
}

// TestKilledProcess does the same with a process that kills itself at an operation: at some of them, with
// -deep at each.
func TestKilledProcess(t *testing.T) {
	if spec := os.Getenv("TARN_TEST_DEED"); spec != "" {
		name, rest, _ := strings.Cut(spec, "|")
		home, nth, _ := strings.Cut(rest, "|")
		at, _ := strconv.ParseInt(nth, 10, 64)
		for _, d := range deeds() {
			if d.name == name {
				b := &bench{deed: d, t: t, home: home}
				h, in := b.open()
				in.each = func(n int64, _, _ string) {
					if n == at {
						_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
						select {}
					}
				}
				if err := b.do(h, in); err != nil {
					t.Fatal(err)
				}
			}
		}
		return
	}
	t.Parallel()
	for _, d := range deeds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			if d.wide {
				unraced(t)
			}
			b := newBench(t, d)
			was, s := b.before, d.some(17)
			for n := s.from; ; n += s.every {
				cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestKilledProcess$")
				cmd.Env = append(os.Environ(), fmt.Sprintf("TARN_TEST_DEED=%s|%s|%d", d.name, b.home, n))
				out, err := cmd.CombinedOutput()
				if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
					t.Fatalf("%v\n%s", err, out)
				}
				was = b.survived(fmt.Sprintf("a process killed at operation %d of %s", n, d.name), was)
				b.restore(b.kept)
				if err == nil {
					t.Logf("%v of fewer than %d operations", s, n)
					break
				}
			}
			if was != b.after {
				t.Fatalf("at last there is\n%s\nnot\n%s", brief(was), brief(b.after))
			}
		})
	}
}
