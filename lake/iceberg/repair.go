//go:build duckdb_arrow

package iceberg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/duck"
	"tarn/embedded/fault"
	"tarn/embedded/repair"
)

// RepairOptions are what a repair needs beside the lake's own.
type RepairOptions struct {
	Options
	repair.Order
	// LogStart tells the first offset that the log holds of a partition, and what it has lost
	// behind that, each from an offset to before another; false where it does not know.
	LogStart func(topic string, partition int32) (start int64, lost [][2]int64, known bool)
	// Lands tells whether a topic lands in the mirror of a name; nil where nobody knows.
	Lands func(topic, mirror string) bool
	// Schemas are the ids of those that meta.db holds; nil where nobody knows.
	Schemas map[int64]bool
	// Resnapshot asks for a new snapshot of a source's table, named as in table.PropSource.
	Resnapshot func(ctx context.Context, source, reason string) error
}

// ward is the lake under repair.
type ward struct {
	*Store
	o     RepairOptions
	stamp string // names what is put aside

	lines  map[string]int        // of the catalog that lead into a folder: a renamed table keeps its own
	bronze map[string][]*patient // by topic, those that are whole
}

// asideDir is where what a repair takes out of use is kept, beside the warehouse.
const asideDir = "aside"

// Repair looks at the lake in a folder where no Tarn runs, and with o.Yes mends it. What is
// taken out of use is moved aside. It can be stopped at any point, and called again.
func Repair(ctx context.Context, o RepairOptions) (found []repair.Finding, err error) {
	if _, err := os.Stat(o.Dir); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	s, err := newStore(o.Options)
	if err != nil {
		return nil, err
	}
	if s.duck, err = duck.Open(ctx, duck.Options{MemoryBytes: o.MemoryBytes, Threads: o.Threads, TempDir: o.TempDir}); err != nil {
		return nil, err
	}
	w := &ward{Store: s, o: o, stamp: o.Clock.Now().UTC().Format("20060102-150405.000")}
	defer func() { err = errors.Join(err, w.close()) }()
	entries, found, err := w.catalogue(ctx)
	if err != nil {
		return found, err
	}
	w.lines, w.bronze = map[string]int{}, map[string][]*patient{}
	for _, e := range entries {
		if path, err := w.root.Path(e.location); err == nil {
			w.lines[filepath.Dir(filepath.Dir(path))]++
		}
	}
	for i, e := range entries {
		o.At("tables: "+e.id.String(), i, len(entries))
		one, err := w.entry(ctx, e)
		if err != nil {
			return found, fmt.Errorf("%s: %w", e.id, lacking(err))
		}
		if one != nil {
			found = append(found, *one)
		}
	}
	return found, nil
}

func (w *ward) close() error {
	err := w.duck.Close()
	if w.pointer != nil {
		err = errors.Join(err, w.pointer.Close())
	}
	return err
}

// entry looks at one line of the catalog; nil when all is whole.
func (w *ward) entry(ctx context.Context, e entry) (*repair.Finding, error) {
	path, err := w.root.Path(e.location)
	if err != nil {
		return &repair.Finding{
			Part: "lake", Of: e.id.String(), Damage: []repair.Damage{{File: e.location, Problem: "it lies outside the warehouse"}}, Hint: fault.HintOf(err),
		}, nil
	}
	if e.view {
		_, err := w.readView(e.location)
		if err == nil {
			return nil, nil //nolint:nilnil // nothing is found
		}
		return &repair.Finding{
			Part: "lake", Of: e.id.String(), Damage: []repair.Damage{{File: w.told(path), Problem: "the view cannot be read: " + plain(err)}},
			Hint: "create the view again from its statement in the project: CREATE OR REPLACE VIEW",
		}, nil
	}
	p, err := w.patient(e, path)
	if err != nil {
		return nil, err
	}
	t, err := w.plan(ctx, p)
	if err != nil || t == nil {
		return nil, err
	}
	if w.lines[p.dir] > 1 {
		t = &treatment{hint: "another table of the catalog has its files in the same folder, so nothing is done: put the folder back from a backup"}
	}
	f := &repair.Finding{Part: "lake", Of: e.id.String(), Damage: p.damage, Action: t.action, Loss: t.loss, Hint: t.hint}
	if w.o.Yes && t.do != nil {
		if err := t.do(ctx); err != nil {
			return f, err
		}
		f.Done = true
	}
	return f, nil
}

// told is a path as findings have it, from the data folder on.
func (w *ward) told(path string) string { return filepath.Join(filepath.Base(w.Dir), w.shown(path)) }

func plain(err error) string {
	if errors.Is(err, os.ErrNotExist) {
		return "it is missing"
	}
	return err.Error()
}

// edition is a whole metadata file of a table.
type edition struct {
	path string
	meta icetable.Metadata
}

// patient is a table with what is known of it.
type patient struct {
	entry
	dir      string    // the table's folder
	editions []edition // the newest first
	base     *edition  // the newest that can be trusted; nil for none
	named    bool      // base is what the catalog names
	damage   []repair.Damage
}

func (w *ward) patient(e entry, path string) (*patient, error) {
	p := &patient{entry: e, dir: filepath.Dir(filepath.Dir(path))}
	files, err := metadataFiles(filepath.Join(p.dir, "metadata"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if !slices.Contains(files, path) {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			p.found(w, &spoilt{path, "it is missing"})
		} else {
			files = append(files, path) // of another name or kind than Tarn's
		}
	}
	for _, f := range files {
		one, bad, err := w.edition(f)
		if err != nil {
			return nil, err
		}
		if bad == nil {
			p.editions = append(p.editions, one)
		} else if f == path {
			p.found(w, bad)
		}
	}
	p.settle(w, path)
	return p, nil
}

func (w *ward) edition(path string) (edition, *spoilt, error) {
	content, err := os.ReadFile(path)
	if barred(err) {
		return edition{}, nil, err
	}
	if err != nil {
		return edition{}, &spoilt{path, plain(err)}, nil
	}
	meta, err := icetable.ParseMetadataBytes(content)
	if err != nil {
		return edition{}, &spoilt{path, "it cannot be read: " + err.Error()}, nil
	}
	if bad, ok := errors.AsType[*spoilt](w.misplaced(path, meta)); ok {
		return edition{}, bad, nil
	}
	return edition{path, meta}, nil, nil
}

// settle keeps the editions of one table, for another of the name may have been here, and
// chooses the one to go on from.
func (p *patient) settle(w *ward, path string) {
	slices.SortStableFunc(p.editions, func(a, b edition) int {
		return cmp.Or(cmp.Compare(version(b.path), version(a.path)), cmp.Compare(b.meta.LastUpdatedMillis(), a.meta.LastUpdatedMillis()))
	})
	at := slices.IndexFunc(p.editions, func(s edition) bool { return s.path == path })
	var own edition
	switch {
	case at >= 0:
		own = p.editions[at]
	case len(p.editions) > 0:
		own = slices.MaxFunc(p.editions, func(a, b edition) int { return cmp.Compare(a.meta.LastUpdatedMillis(), b.meta.LastUpdatedMillis()) })
	default:
		return
	}
	p.editions = slices.DeleteFunc(p.editions, func(s edition) bool { return s.meta.TableUUID() != own.meta.TableUUID() })
	p.base = &p.editions[0]
	if at < 0 {
		return
	}
	if bad, ok := errors.AsType[*spoilt](w.outdated(path, own.meta)); ok {
		p.found(w, bad)
		return
	}
	p.named = true
	at = slices.IndexFunc(p.editions, func(s edition) bool { return s.path == path })
	p.editions = p.editions[at:] // what is above was never committed
	p.base = &p.editions[0]
}

func (p *patient) found(w *ward, bad *spoilt) {
	d := repair.Damage{File: w.told(bad.path), Problem: bad.what}
	if !slices.Contains(p.damage, d) {
		p.damage = append(p.damage, d)
	}
}

// install writes metadata as the table's newest version and moves the catalog to it, then
// puts aside what the table names no more.
func (w *ward) install(ctx context.Context, p *patient, x *examiner, meta icetable.Metadata) error {
	top := 0
	files, err := metadataFiles(filepath.Join(p.dir, "metadata"))
	if err != nil {
		return err
	}
	if len(files) > 0 {
		top = version(files[0])
	}
	content, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if meta, err = icetable.ParseMetadataBytes(content); err != nil {
		return fmt.Errorf("read the new metadata back: %w", err)
	}
	to := nextMetadata(w.root.URI(p.dir), fmt.Sprintf("%05d-", top))
	if err := w.io().WriteFile(to, content); err != nil {
		return err
	}
	fault.Point("repair.written")
	if err := w.pointAt(ctx, p.entry, to); err != nil {
		return err
	}
	fault.Point("repair.pointed")
	return w.tidy(p, x, meta, to)
}

// pointAt moves the catalog.
func (w *ward) pointAt(ctx context.Context, e entry, to string) error {
	if err := w.opened(ctx); err != nil {
		return err
	}
	moved, err := w.pointer.swap(ctx, e.id, "TABLE", e.location, to)
	if err == nil && !moved {
		err = fault.New(fault.Conflict, "the catalog has moved", "another program writes to the lake: stop it, then say `tarn repair` again")
	}
	return err
}

// opened opens the catalog to write to it.
func (w *ward) opened(ctx context.Context) (err error) {
	if w.pointer == nil {
		w.pointer, err = openPointers(ctx, filepath.Join(w.Dir, catalogFile), w.root)
	}
	return err
}

// tidy moves aside the table's files that its editions named and the new metadata does not.
func (w *ward) tidy(p *patient, x *examiner, meta icetable.Metadata, location string) error {
	kept := map[string]bool{}
	for _, uri := range append(previous(meta), location) {
		if path, err := w.root.Path(uri); err == nil {
			kept[path] = true
		}
	}
	for _, snap := range meta.Snapshots() {
		if err := x.named(&snap, kept); err != nil {
			return fmt.Errorf("look for the files that stay: %w", err)
		}
	}
	gone := map[string]bool{}
	files, err := metadataFiles(filepath.Join(p.dir, "metadata"))
	if err != nil {
		return err
	}
	for _, f := range files {
		gone[f] = true
	}
	for _, s := range p.editions {
		for _, snap := range s.meta.Snapshots() {
			_ = x.named(&snap, gone) // as far as it can be read
		}
	}
	for _, path := range slices.Sorted(maps.Keys(gone)) {
		if !kept[path] && strings.HasPrefix(path, p.dir+string(filepath.Separator)) {
			if err := w.putAside(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func previous(meta icetable.Metadata) (uris []string) {
	for f := range meta.PreviousFiles() {
		uris = append(uris, f.MetadataFile)
	}
	return uris
}

// putAside moves a file or folder out of use, under the name that it had in the lake. One
// that is not there is no error.
func (w *ward) putAside(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	to := filepath.Join(w.Dir, asideDir, w.stamp, w.shown(path))
	if err := w.Disk.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	if err := w.Disk.Rename(path, to); err != nil {
		return fmt.Errorf("put %s aside: %w", path, err)
	}
	return w.Disk.SyncDir(filepath.Dir(path))
}
