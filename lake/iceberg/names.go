//go:build duckdb_arrow

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	icetable "github.com/apache/iceberg-go/table"

	"tarn/embedded/fault"
	"tarn/lake/table"
)

// names are the files that anything in catalog.db leads to: all tables of all catalogs in it, with all
// their snapshots, and what is read under a lease. A file goes by its base name alone, which is
// unique by the uuid in it: so it does not matter by which spelling of a path, or link to it,
// another engine knows the warehouse. Two files of one base name are both named if one is.
//
// A name is held as a hash of 64 bits, to be small. Where two are the same by chance, a file stays
// for ever.
type names struct {
	store *Store
	io    iceIO
	files map[uint64]struct{}
	heads map[tableKey]string // the metadata that was read of each table and view
	uuids map[tableKey]string // of the tables
	last  map[tableKey]int64  // their last sequence numbers
	dirs  map[tableKey]string // of those whose strays are Tarn's to remove

	// broken are the tables that could not be read, which may name any file. Nothing may be
	// removed while there is one.
	broken map[tableKey]error

	known, read *manifests
}

type iceIO = iceio.IO

// tableKey names a table or a view in catalog.db, which may hold several catalogs.
type tableKey struct {
	catalog string
	table.Ident
}

func (k tableKey) String() string {
	if k == underLease {
		return "a snapshot that somebody reads"
	}
	if k.catalog == CatalogName {
		return k.Ident.String()
	}
	return k.Ident.String() + " of the catalog " + k.catalog
}

// underLease stands among the tables for what is read.
var underLease = tableKey{}

// head is a row of catalog.db.
type head struct {
	tableKey
	location, previous string
	view               bool
}

// manifests remembers what was read of files that never change, from one sweep to the next: of a
// manifest list which manifests it has, of a manifest which files, as hashes. It is never changed
// once it is in the store.
type manifests struct {
	lists map[string][]string
	files map[string][]uint64
	size  int
}

// manifestsKept bounds the entries that are remembered, of some 8 bytes each. What is beyond is
// read each time.
const manifestsKept = 4 << 20

func newManifests() *manifests {
	return &manifests{lists: map[string][]string{}, files: map[string][]uint64{}}
}

// keep remembers one more file's entries, if there is room.
func keep[T any](m *manifests, in map[string][]T, uri string, entries []T) {
	if m.size+len(entries) < manifestsKept {
		m.size += len(entries) + 1
		in[uri] = entries
	}
}

// hashSeed makes hashes of one process; none is written down.
var hashSeed = maphash.MakeSeed()

func hash(s string) uint64 { return maphash.String(hashSeed, s) }

// collect reads the names of everything. With pause it rests after each table, so as to take a
// quarter of one core.
func (s *Store) collect(ctx context.Context, pause bool) (*names, error) {
	n := &names{
		store: s, io: wideIO{s.io()}, files: map[uint64]struct{}{}, heads: map[tableKey]string{}, uuids: map[tableKey]string{}, last: map[tableKey]int64{}, dirs: map[tableKey]string{},
		broken: map[tableKey]error{}, known: s.sweeper.manifests.Load(), read: newManifests(),
	}
	heads, err := s.pointer.heads(ctx, s.pointer.reader)
	if err != nil {
		return nil, err
	}
	for _, hd := range heads {
		began := s.steady.Elapsed()
		if err := n.follow(ctx, s.pointer.reader, hd); err != nil {
			return nil, err
		}
		if pause {
			rest(ctx, restShare*(s.steady.Elapsed()-began))
		}
	}
	n.leased(ctx)
	return n, ctx.Err()
}

// done leaves what was read to the next one. Nothing is read into n after it.
func (n *names) done() {
	n.store.sweeper.manifests.Store(n.read)
	n.known, n.read = nil, nil
}

// catchUp reads the tables that have moved since they were read, and what is read by now.
func (n *names) catchUp(ctx context.Context, q querier) error {
	heads, err := n.store.pointer.heads(ctx, q)
	if err != nil {
		return err
	}
	there := map[tableKey]bool{}
	for _, hd := range heads {
		there[hd.tableKey] = true
		if n.heads[hd.tableKey] == hd.location {
			continue
		}
		if err := n.follow(ctx, q, hd); err != nil {
			return err
		}
	}
	for key := range n.heads {
		if !there[key] {
			n.drop(key)
		}
	}
	n.leased(ctx)
	return ctx.Err()
}

// drop leaves a table out that is gone. What it named stays among the names this time.
func (n *names) drop(key tableKey) {
	delete(n.heads, key)
	delete(n.uuids, key)
	delete(n.dirs, key)
	delete(n.broken, key)
}

// follow reads a table that may be moving: only what cannot be read where the catalog is by now is
// broken. The error is the catalog's own.
func (n *names) follow(ctx context.Context, q querier, hd head) error {
	for range attemptsMax {
		err := n.head(ctx, hd)
		n.heads[hd.tableKey] = hd.location
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			delete(n.broken, hd.tableKey)
			return nil
		}
		n.broken[hd.tableKey] = err
		now, found, lookErr := n.store.pointer.head(ctx, q, hd.tableKey)
		switch {
		case lookErr != nil:
			return lookErr
		case !found:
			n.drop(hd.tableKey)
			return nil
		case now.location == hd.location:
			return nil
		}
		hd = now
	}
	return nil
}

// has tells whether a file is named, or will be by a commit of ours that is on its way.
func (n *names) has(base string) bool {
	key := hash(base)
	_, ok := n.files[key]
	return ok || n.store.sweeper.live.has(key)
}

func (n *names) add(uri string) {
	if uri == "" {
		return
	}
	base := path.Base(uri)
	n.files[hash(base)] = struct{}{}
	if plain, err := url.PathUnescape(base); err == nil && plain != base {
		n.files[hash(plain)] = struct{}{} // iceberg-go escapes names
	}
}

// head adds what one line of catalog.db leads to. A view's metadata names nothing further.
func (n *names) head(ctx context.Context, hd head) error {
	n.add(hd.location)
	n.add(hd.previous)
	if hd.view {
		return nil
	}
	meta, err := n.metadata(ctx, hd)
	if err != nil {
		return err
	}
	n.uuids[hd.tableKey], n.last[hd.tableKey] = meta.TableUUID().String(), meta.LastSequenceNumber()
	delete(n.dirs, hd.tableKey)
	if dir, ours := n.store.folderOf(hd.Ident, meta); ours && hd.catalog == CatalogName {
		n.dirs[hd.tableKey] = dir
	}
	for f := range meta.PreviousFiles() {
		n.add(f.MetadataFile)
	}
	for f := range meta.Statistics() {
		n.add(f.StatisticsPath)
	}
	for f := range meta.PartitionStatistics() {
		n.add(f.StatisticsPath)
	}
	for _, snap := range meta.Snapshots() {
		if err := n.snapshot(ctx, &snap); err != nil {
			return fmt.Errorf("snapshot %d: %w", snap.SnapshotID, err)
		}
	}
	return nil
}

func (n *names) metadata(ctx context.Context, hd head) (icetable.Metadata, error) {
	if hd.catalog == CatalogName {
		if h := n.store.handleOf(hd.Ident); h != nil {
			if st := h.state.Load(); st != nil && st.location == hd.location {
				return st.meta, nil
			}
		}
	}
	loaded, err := icetable.NewFromLocation(ctx, []string{hd.Namespace, hd.Name}, hd.location,
		func(context.Context) (iceFS, error) { return n.io, nil }, nil)
	if err != nil {
		return nil, fmt.Errorf("metadata %s: %w", hd.location, err)
	}
	return loaded.Metadata(), nil
}

// leased adds what is read now, which the metadata may have no more.
func (n *names) leased(ctx context.Context) {
	delete(n.broken, underLease)
	for _, snap := range n.store.leases.all() {
		if err := n.snapshot(ctx, snap); err != nil && ctx.Err() == nil {
			n.broken[underLease] = fmt.Errorf("snapshot %d: %w", snap.SnapshotID, err)
		}
	}
}

func (n *names) snapshot(ctx context.Context, snap *icetable.Snapshot) error {
	n.add(snap.ManifestList)
	if snap.ManifestList != "" && n.remembered(snap.ManifestList) {
		return nil
	}
	all, err := snap.Manifests(n.io)
	if err != nil {
		return fmt.Errorf("manifest list %s: %w", snap.ManifestList, err)
	}
	if err := whole(snap, all); err != nil {
		return err
	}
	list := make([]string, len(all))
	for i, m := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := n.manifest(m); err != nil {
			return fmt.Errorf("manifest %s: %w", m.FilePath(), err)
		}
		list[i] = m.FilePath()
	}
	if snap.ManifestList != "" {
		keep(n.read, n.read.lists, snap.ManifestList, list)
	}
	return nil
}

// remembered adds the files of a manifest list as they were read before; false if they are not all known.
func (n *names) remembered(uri string) bool {
	if _, done := n.read.lists[uri]; done {
		return true
	}
	list, ok := n.known.lists[uri]
	if !ok {
		return false
	}
	for _, m := range list {
		if _, done := n.read.files[m]; done {
			continue
		}
		files, ok := n.known.files[m]
		if !ok {
			return false
		}
		n.remember(m, files)
	}
	keep(n.read, n.read.lists, uri, list)
	return true
}

func (n *names) remember(manifest string, files []uint64) {
	for _, f := range files {
		n.files[f] = struct{}{}
	}
	keep(n.read, n.read.files, manifest, files)
}

// manifest adds a manifest and the files in it. An Avro file that was cut between two blocks reads as
// a whole one with fewer entries, so its size and its entries are compared with what the list says.
func (n *names) manifest(m iceberg.ManifestFile) (err error) {
	if _, done := n.read.files[m.FilePath()]; done {
		return nil
	}
	if files, ok := n.known.files[m.FilePath()]; ok {
		n.remember(m.FilePath(), files)
		return nil
	}
	file, err := n.io.Open(m.FilePath())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if info, err := file.Stat(); err != nil || info.Size() != m.Length() {
		return errors.Join(err, fault.Newf(fault.Damaged, "put the file back from a backup", "it has not the %d bytes that it was written with", m.Length()))
	}
	entries, err := iceberg.NewManifestReaderWithProjection(m, file, iceberg.ManifestEntryProjection{})
	if err != nil {
		return err
	}
	defer func() { _ = entries.Close() }()
	own := &names{files: map[uint64]struct{}{}}
	own.add(m.FilePath())
	var count [3]int32
	for {
		entry, err := entries.ReadEntry()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		count[entry.Status()]++
		if entry.Status() != iceberg.EntryStatusDELETED {
			own.add(entry.DataFile().FilePath())
		}
	}
	for status, told := range map[iceberg.ManifestEntryStatus]int32{
		iceberg.EntryStatusADDED: m.AddedDataFiles(), iceberg.EntryStatusEXISTING: m.ExistingDataFiles(), iceberg.EntryStatusDELETED: m.DeletedDataFiles(),
	} {
		if told >= 0 && count[status] != told {
			return fault.Newf(fault.Damaged, "put the file back from a backup", "it has %d entries of a kind of which it was written with %d", count[status], told)
		}
	}
	files := make([]uint64, 0, len(own.files))
	for f := range own.files {
		files = append(files, f)
	}
	n.remember(m.FilePath(), files)
	return nil
}

// whole compares a manifest list, of which nothing tells the size, with the snapshot's own count of
// files: a list that was cut has fewer.
func whole(snap *icetable.Snapshot, all []iceberg.ManifestFile) error {
	live := map[iceberg.ManifestContent]int64{}
	for _, m := range all {
		if m.AddedDataFiles() < 0 || m.ExistingDataFiles() < 0 {
			return nil // an older format does not tell
		}
		live[m.ManifestContent()] += int64(m.AddedDataFiles()) + int64(m.ExistingDataFiles())
	}
	data, deletes := live[iceberg.ManifestContentData], live[iceberg.ManifestContentDeletes]
	if data < total(snap, "total-data-files") || deletes < total(snap, "total-delete-files") {
		return fault.Newf(fault.Damaged, "put the file back from a backup", "manifest list %s has %d data files and %d delete files, which is fewer than the snapshot", snap.ManifestList, data, deletes)
	}
	return nil
}

// wideIO reads metadata that lies outside the warehouse too: another catalog's table there may have
// files within.
type wideIO struct{ *fileIO }

// Open implements iceio.IO.
func (f wideIO) Open(uri string) (iceio.File, error) {
	path, err := f.root.Path(uri)
	if err != nil {
		if path = strings.TrimPrefix(uri, "file://localhost"); path == uri {
			path = strings.TrimPrefix(strings.TrimPrefix(uri, "file:"), "//")
		}
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && strings.Contains(path, "%") {
		if plain, e := url.PathUnescape(path); e == nil {
			file, err = os.Open(plain)
		}
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// ReadFile implements iceio.ReadFileIO.
func (f wideIO) ReadFile(uri string) ([]byte, error) {
	file, err := f.Open(uri)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(file)
	return content, errors.Join(err, file.Close())
}
